/** Digests of what is written and of what is read back, so that the two can be compared to the byte in constant memory. */
import { createHash } from "node:crypto";
import type { LargeObject } from "../archive/model.ts";

/** What ends the data of every table in an archive. */
export const CLOSING = Buffer.from("\\.\n\n\n");

/** Large objects as a set: which ones and what is in them, in whatever order they come. */
export class LargeObjectSet {
  readonly #sum = Buffer.alloc(32);
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of all contents. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The object itself; it is counted when its data has been read to the end. */
  watch({ oid, data }: LargeObject): LargeObject {
    return { oid, data: this.#watched(oid, data) };
  }

  async *#watched(oid: number, data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    const hash = createHash("sha256").update(`${oid}\n`);
    for await (const bytes of data) {
      hash.update(bytes);
      this.#bytes += bytes.length;
      yield bytes;
    }
    const digest = hash.digest();
    for (let at = 0; at < digest.length; at++) this.#sum[at]! ^= digest[at]!;
    this.#count++;
  }

  equals(other: LargeObjectSet): boolean {
    return this.#count === other.#count && this.#sum.equals(other.#sum);
  }
}
