/** Which blocks of src/ an input reached, as V8 counts them: the fuzzer keeps inputs that reach new ones. */
import { type Profiler, Session } from "node:inspector/promises";

export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  /** Starts counting in this process. */
  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Blocks reached so far. */
  get blocks(): number {
    return this.#seen.size;
  }

  /** True when something was reached since the last call that never was before, or far more often. */
  async news(): Promise<boolean> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    const before = this.#seen.size;
    for (const script of result) if (/\/src\//.test(script.url)) this.#note(script);
    return this.#seen.size > before;
  }

  #note(script: Profiler.ScriptCoverage): void {
    for (const { ranges } of script.functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        // counts by powers of four: a loop run ten times more often is news, one run once more is not
        if (count > 0)
          this.#seen.add(`${script.scriptId}:${startOffset}:${endOffset}:${Math.floor(Math.log2(count) / 2)}`);
      }
    }
  }
}
