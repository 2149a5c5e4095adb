/**
 * Decides where a stream is decoded: what is small here, at once; what is large beside, in another thread.
 *
 * Invariant: the place changes nothing but the time: bytes, errors and their order are the same.
 */

import { decodeBeside } from "./decode-beside.ts";
import { decodeHere } from "./decode-here.ts";
import type { DecodeOrder } from "./decode-messages.ts";
import { decodeThreadLimit } from "./decode-threads.ts";

/** Compressed bytes from which on another thread is worth its messages; up to as many are held to find out. */
export const LEAST_BESIDE_BYTES = 1024 * 1024;

/** Decodes `input` as `order` says, wherever that is best. @throws ArchiveDamaged */
export async function* decode(
  order: DecodeOrder,
  input: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  if (decodeThreadLimit() === 0) {
    yield* decodeHere(order, input);
    return;
  }
  const start = new StreamStart(input);
  const large = await start.reaches(LEAST_BESIDE_BYTES);
  yield* large ? decodeBeside(order, start.all()) : decodeHere(order, start.all());
}

/** An input whose first pieces were taken to see how long it is. */
class StreamStart {
  readonly #input: AsyncIterator<Buffer>;
  readonly #held: Buffer[] = [];
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  constructor(input: AsyncIterable<Buffer>) {
    this.#input = input[Symbol.asyncIterator]();
  }

  /** Whether the input has so many bytes. Never rejects: a failure is met in its place, by who reads all. */
  async reaches(bytes: number): Promise<boolean> {
    let length = 0;
    try {
      while (length < bytes && !this.#ended) {
        const next = await this.#input.next();
        if (next.done === true) {
          this.#ended = true;
        } else {
          this.#held.push(next.value);
          length += next.value.length;
        }
      }
    } catch (error) {
      this.#failure = { error };
    }
    return length >= bytes;
  }

  /** The whole input, from its first byte. */
  async *all(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (let piece = this.#held.shift(); piece !== undefined; piece = this.#held.shift()) {
        yield piece;
      }
      if (this.#failure !== null) {
        throw this.#failure.error;
      }
      while (!this.#ended) {
        const next = await this.#input.next();
        if (next.done === true) {
          this.#ended = true;
        } else {
          yield next.value;
        }
      }
    } finally {
      await this.#input.return?.();
    }
  }
}
