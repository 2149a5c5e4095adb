/**
 * The entry of a decoding thread: runs the very decoders of this folder on what the main thread sends, as far ahead as it
 * is allowed. Started by decode-threads.ts; imported by nobody.
 *
 * Invariants: at most as many outputs are under way as were asked for; a stream that was stopped leaves nothing behind;
 * memory that is given away is the stream's own.
 */

import { parentPort } from "node:worker_threads";
import { ArchiveDamaged } from "../../errors.ts";
import { decodeHere, givesOwnMemory } from "./decode-here.ts";
import type { DecodeFailure, DecodeOrder, FromDecoder, ToDecoder } from "./decode-messages.ts";

/** Smaller outputs are copied: their memory may be part of a pool. */
const LEAST_MOVED_BYTES = 64 * 1024;

const jobs = new Map<number, DecodeJob>();

class InputFailed extends Error {}

class DecodeJob {
  readonly #stream: number;
  readonly #order: DecodeOrder;
  readonly #waiting: Buffer[] = [];
  #end: "failed" | "reached" | null = null;
  #outputs: number;
  #stopped = false;
  /** Wakes the one place that waits: for input or for leave to give out more, never both. */
  #wake: () => void = () => {};

  constructor(stream: number, order: DecodeOrder, outputs: number) {
    this.#stream = stream;
    this.#order = order;
    this.#outputs = outputs;
  }

  /** Never rejects: what goes wrong is told to the main thread. */
  async run(): Promise<void> {
    try {
      for await (const bytes of decodeHere(this.#order, this.#input())) {
        while (this.#outputs === 0 && !this.#stopped) {
          await this.#news();
        }
        if (this.#stopped) {
          break;
        }
        this.#outputs--;
        const moved = bytes.length >= LEAST_MOVED_BYTES && givesOwnMemory(this.#order.codec);
        const own = moved ? bytes : new Uint8Array(bytes);
        tell({ kind: "output", stream: this.#stream, bytes: own }, own.buffer as ArrayBuffer);
      }
      tell({ kind: "done", stream: this.#stream });
    } catch (error) {
      tell({ kind: "failed", stream: this.#stream, failure: failureOf(error) });
    } finally {
      jobs.delete(this.#stream);
    }
  }

  hear(message: Exclude<ToDecoder, { kind: "open" }>): void {
    switch (message.kind) {
      case "input": {
        const { buffer, byteOffset, byteLength } = message.bytes;
        this.#waiting.push(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
        break;
      }
      case "end":
        this.#end = "reached";
        break;
      case "input_failed":
        this.#end = "failed";
        break;
      case "more":
        this.#outputs += message.outputs;
        break;
      case "stop":
        this.#stopped = true;
        this.#waiting.length = 0;
        break;
    }
    this.#wake();
  }

  async *#input(): AsyncGenerator<Buffer, void, undefined> {
    while (!this.#stopped) {
      const piece = this.#waiting.shift();
      if (piece !== undefined) {
        tell({ kind: "taken", stream: this.#stream, bytes: piece.length });
        yield piece;
      } else if (this.#end === "failed") {
        throw new InputFailed();
      } else if (this.#end === "reached") {
        return;
      } else {
        await this.#news();
      }
    }
  }

  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

function failureOf(error: unknown): DecodeFailure {
  if (error instanceof InputFailed) {
    return { kind: "input" };
  }
  if (error instanceof ArchiveDamaged) {
    const { code, hint, cause } = error;
    return {
      kind: "damaged",
      message: error.message,
      details: { code, cause, ...(hint === undefined ? {} : { hint }) },
    };
  }
  return { kind: "defect", error };
}

function tell(message: FromDecoder, moved?: ArrayBuffer): void {
  parentPort?.postMessage(message, moved === undefined ? [] : [moved]);
}

parentPort?.on("message", (message: ToDecoder) => {
  if (message.kind === "open") {
    const job = new DecodeJob(message.stream, message.order, message.outputs);
    jobs.set(message.stream, job);
    void job.run();
  } else {
    jobs.get(message.stream)?.hear(message);
  }
});
