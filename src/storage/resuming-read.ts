/**
 * A byte range read to its end over connections that break: asks again at the offset reached after a cut or a stall.
 *
 * Invariants: exactly the bytes `[start, end)` come out, in order, in chunks of 256 KiB (the last may be shorter), or the
 * iteration throws. Nothing is read ahead beyond one chunk and the socket's buffer. The idle timer runs only while we wait
 * for the server, never while the consumer is slow. Any byte received resets the count of failures. Ending early destroys
 * the connection.
 */

import type { Readable } from "node:stream";
import { SanitizeError, throwIfAborted } from "../errors.ts";
import { backOff } from "./backoff.ts";

/** Size of the chunks that every store gives out, bytes. */
export const CHUNK_BYTES = 256 * 1024;

/** What a connection that did not deliver died of, where the network says nothing better. */
export class BrokenOff extends Error {
  readonly kind: "stalled" | "cut" | "overlong";

  constructor(kind: "stalled" | "cut" | "overlong", message: string) {
    super(message);
    this.name = "BrokenOff";
    this.kind = kind;
  }
}

export interface RangeToRead {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** Opens a stream that gives the bytes from `offset` to `end`. The signal aborts request and body. */
  open(offset: number, signal: AbortSignal): Promise<Readable>;
  /** Whether asking again may help. */
  isTransient(error: unknown): boolean;
  /** The error to throw when it does not, or no longer. `attempts` is 1 where nothing was repeated. */
  failure(error: unknown, offset: number, attempts: number): SanitizeError;
  readonly idleTimeoutMs: number;
  readonly maxAttempts: number;
  readonly signal?: AbortSignal | undefined;
}

/** @throws what `range.failure` makes of the last error; Interrupted when the signal aborts. */
export async function* resumingRead(range: RangeToRead): AsyncGenerator<Buffer, void, undefined> {
  const connection = new RangeConnection(range);
  let position = range.start;
  let chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, range.end - position));
  let used = 0;
  try {
    while (position < range.end) {
      const piece = await connection.pull(position);
      let taken = 0;
      while (taken < piece.length) {
        const copied = piece.copy(chunk, used, taken);
        taken += copied;
        used += copied;
        position += copied;
        if (used === chunk.length) {
          yield chunk;
          chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, range.end - position));
          used = 0;
        }
      }
    }
    await connection.finish();
  } finally {
    connection.close();
  }
}

interface OpenBody {
  readonly stream: Readable;
  readonly pieces: AsyncIterator<unknown>;
}

class RangeConnection {
  readonly #range: RangeToRead;
  #abort = new AbortController();
  #body: OpenBody | null = null;
  #failures = 0;
  #stalled = false;

  constructor(range: RangeToRead) {
    this.#range = range;
  }

  /** The next bytes at `offset`: at least one, never past the range's end. */
  async pull(offset: number): Promise<Buffer> {
    const { signal, maxAttempts } = this.#range;
    for (;;) {
      throwIfAborted(signal);
      try {
        const piece = await this.#guarded(() => this.#pullOnce(offset));
        this.#failures = 0;
        return piece;
      } catch (thrown) {
        const error = this.#stalled
          ? new BrokenOff("stalled", `no byte came for ${this.#range.idleTimeoutMs} ms`)
          : thrown;
        this.close();
        throwIfAborted(signal);
        this.#failures += 1;
        if (error instanceof SanitizeError) {
          throw error;
        }
        if (this.#failures >= maxAttempts || !this.#range.isTransient(error)) {
          throw this.#range.failure(error, offset, this.#failures);
        }
      }
      await backOff(this.#failures, signal);
    }
  }

  /** After the last byte: lets a connection whose answer is complete go back to the pool, instead of closing it. */
  async finish(): Promise<void> {
    const body = this.#body;
    if (body !== null && "complete" in body.stream && body.stream.complete === true) {
      this.#body = null;
      this.#abort = new AbortController();
      // Every byte has been given out: what goes wrong after them is nobody's concern.
      await body.pieces.next().catch(() => undefined);
    }
  }

  close(): void {
    const body = this.#body;
    this.#body = null;
    if (body !== null) {
      body.stream.destroy();
    }
    this.#abort.abort();
  }

  async #pullOnce(offset: number): Promise<Buffer> {
    this.#body ??= await this.#open(offset);
    const { pieces } = this.#body;
    for (;;) {
      const { done, value } = await pieces.next();
      if (done === true) {
        throw new BrokenOff("cut", "the answer ended early");
      }
      const piece = Buffer.isBuffer(value) ? value : Buffer.from(value as Uint8Array);
      if (piece.length > this.#range.end - offset) {
        throw new BrokenOff("overlong", "the answer is longer than what was asked for");
      }
      if (piece.length > 0) {
        return piece;
      }
    }
  }

  async #open(offset: number): Promise<OpenBody> {
    this.#abort = new AbortController();
    this.#stalled = false;
    const stream = await this.#range.open(offset, this.#abort.signal);
    // A stream that is destroyed reports it as an error of its own, which the iterator has had or nobody waits for.
    stream.on("error", () => undefined);
    return { stream, pieces: stream[Symbol.asyncIterator]() };
  }

  /** Runs one step under the idle timer and the caller's signal: either of them breaks the connection off. */
  async #guarded<T>(step: () => Promise<T>): Promise<T> {
    const { signal, idleTimeoutMs } = this.#range;
    const breakOff = () => this.close();
    const timer = setTimeout(() => {
      this.#stalled = true;
      this.close();
    }, idleTimeoutMs);
    signal?.addEventListener("abort", breakOff, { once: true });
    try {
      return await step();
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", breakOff);
    }
  }
}
