/**
 * Pulls bytes out of an AsyncIterable and gives them to synchronous parsers as one window.
 *
 * Invariants: reads ahead by one source buffer only; joins buffers only where a parser asks for more than the window
 * has; memory grows with bytes that came, never with bytes that were declared.
 */

import { throwIfAborted } from "../errors.ts";

export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #signal: AbortSignal | undefined;
  #window: Buffer = Buffer.alloc(0);
  #offset: number;
  #ended = false;

  /** `start` is the absolute offset of the source's first byte. */
  constructor(source: AsyncIterable<Buffer>, start = 0, signal?: AbortSignal) {
    this.#source = source[Symbol.asyncIterator]();
    this.#offset = start;
    this.#signal = signal;
  }

  /** Absolute offset of the next unread byte. */
  get offset(): number {
    return this.#offset;
  }

  /** The unread bytes at hand. Valid until the next call of any other method. */
  get window(): Buffer {
    return this.#window;
  }

  /** Makes at least `count` unread bytes available; false when the source ends before that. */
  async fill(count: number): Promise<boolean> {
    if (this.#window.length >= count) {
      return true;
    }
    const parts = [this.#window];
    let length = this.#window.length;
    while (length < count && !this.#ended) {
      throwIfAborted(this.#signal);
      const next = await this.#source.next();
      if (next.done === true) {
        this.#ended = true;
      } else if (next.value.length > 0) {
        parts.push(next.value);
        length += next.value.length;
      }
    }
    const filled = parts.filter((part) => part.length > 0);
    this.#window = filled.length === 1 ? filled[0]! : Buffer.concat(filled, length);
    return length >= count;
  }

  /** Marks `count` bytes of the window as read. */
  consume(count: number): void {
    if (count > this.#window.length) {
      throw new RangeError("consumed more than the window holds");
    }
    this.#window = this.#window.subarray(count);
    this.#offset += count;
  }

  /** Reads over `count` bytes; false when the source ends before that. */
  async skip(count: number): Promise<boolean> {
    let left = count;
    while (left > this.#window.length) {
      left -= this.#window.length;
      this.consume(this.#window.length);
      if (!(await this.fill(1))) {
        return false;
      }
    }
    this.consume(left);
    return true;
  }

  /** Releases the source. Safe to call more than once. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.();
  }
}
