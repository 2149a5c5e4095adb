/** The last bytes of a stream, copied, so that whoever took the originals may do with them as he likes. */

/** Most bytes that are remembered. */
export const RECENT_BYTES = 1024 * 1024;

export class RecentBytes {
  readonly #ring = Buffer.allocUnsafeSlow(RECENT_BYTES);
  #total = 0;

  /** How many of the last bytes are remembered. */
  get length(): number {
    return Math.min(this.#total, RECENT_BYTES);
  }

  add(bytes: Buffer): void {
    const kept = bytes.subarray(Math.max(0, bytes.length - RECENT_BYTES));
    const at = (this.#total + bytes.length - kept.length) % RECENT_BYTES;
    const first = kept.copy(this.#ring, at);
    kept.copy(this.#ring, 0, first);
    this.#total += bytes.length;
  }

  /** A copy of `count` bytes, the first of which was added `back` bytes ago; `count` <= `back` <= `length`. */
  copy(back: number, count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    const at = (this.#total - back) % RECENT_BYTES;
    const first = this.#ring.copy(bytes, 0, at, Math.min(RECENT_BYTES, at + count));
    this.#ring.copy(bytes, first, 0, count - first);
    return bytes;
  }
}
