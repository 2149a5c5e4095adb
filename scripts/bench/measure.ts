/** Whole processes, timed and watched: wall seconds, CPU seconds, peak resident memory. Linux only for the memory. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";

export interface Measured {
  readonly seconds: number;
  /** Peak resident memory in MB; 0 where it cannot be read. */
  readonly peakMb: number;
}

/** Runs a command to its end. @throws Error when it fails, with what it wrote to stderr. */
export async function measure(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Measured> {
  const started = performance.now();
  const child = spawn(command, args, { env: environment, stdio: ["ignore", "ignore", "pipe"] });
  const peak = watchMemory(child);
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaint}`);
  return { seconds, peakMb: peak() };
}

function watchMemory(child: ChildProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    readFile(`/proc/${child.pid}/status`, "utf8").then(
      (status) => {
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
      },
      // gone, or no such system: the last value stands
      () => clearInterval(timer),
    );
  }, 20);
  return () => {
    clearInterval(timer);
    return Math.round(peak);
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
