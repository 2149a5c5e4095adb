/** Digests of what is written and of what is read back, so that the two can be compared to the byte in constant memory. */
import { createHash, type Hash } from "node:crypto";
import type { LargeObject } from "../../archive/model.ts";

/** What ends the data of every table in an archive. */
export const CLOSING = Buffer.from("\\.\n\n\n");

/** The rows of a table's data: all but the closing line, where there is one. */
export async function* withoutClosing(data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer = Buffer.alloc(0);
  for await (const bytes of data) {
    const all = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const ready = Math.max(all.length - CLOSING.length, 0);
    if (ready > 0) yield all.subarray(0, ready);
    held = Buffer.from(all.subarray(ready));
  }
  if (!held.equals(CLOSING) && held.length > 0) yield held;
}

interface TableData {
  /** Of the first table under this key. */
  readonly dumpId: number;
  readonly hash: Hash;
  rows: number;
}

/** COPY text by a key: tables that share one are one, in the order in which they come. */
export class TableSet {
  readonly #tables = new Map<string, TableData>();

  /** Begins a table, or goes on with one of the same key. */
  table(key: string, dumpId: number): TableData {
    const table = this.#tables.get(key) ?? { dumpId, hash: createHash("sha256"), rows: 0 };
    this.#tables.set(key, table);
    return table;
  }

  get size(): number {
    return this.#tables.size;
  }

  /** `undefined`: there is no table of this key. */
  dumpIdOf(key: string): number | undefined {
    return this.#tables.get(key)?.dumpId;
  }

  /** How a table of the other set differs from this one's, with its dump ID here; `null` when all are the same. */
  difference(other: TableSet): { readonly dumpId: number; readonly what: "missing" | "rows" | "bytes" } | null {
    for (const [key, { dumpId, hash, rows }] of this.#tables) {
      const found = other.#tables.get(key);
      if (found === undefined) return { dumpId, what: "missing" };
      if (found.rows !== rows) return { dumpId, what: "rows" };
      if (!found.hash.copy().digest().equals(hash.copy().digest())) return { dumpId, what: "bytes" };
    }
    return null;
  }
}

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
