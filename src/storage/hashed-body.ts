/** A body on its way into a store: what went through is counted, and hashed where that says something of the object. */

import { createHash, type Hash } from "node:crypto";

export class HashedBody {
  /** Bytes so far. */
  size = 0;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #hash: Hash | null;

  /** `hashed` is false for the body behind a late head: the hash of the whole would begin with what comes last. */
  constructor(body: AsyncIterable<Uint8Array>, hashed: boolean) {
    this.#body = body;
    this.#hash = hashed ? createHash("sha256") : null;
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.#body) {
      this.size += piece.byteLength;
      this.#hash?.update(piece);
      yield piece;
    }
  }

  /** SHA-256 of all that went through, hex. To be asked once, after the end. */
  digest(): string | null {
    return this.#hash?.digest("hex") ?? null;
  }
}
