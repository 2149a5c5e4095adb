/**
 * The large objects of a dump, and which of them rows that stay refer to. What no row refers to is an orphan: bytes of
 * somebody that no rule can reach.
 *
 * Memory: four bytes and a bit for each large object of the dump, whatever the rows hold.
 */
import type { TocEntry } from "../archive/model.ts";
import { oidOf } from "./large-objects.ts";

const tab = 9;
const newline = 10;

/** OIDs in ascending order, each once. */
export class DumpedObjects {
  private readonly oids: Uint32Array;

  private constructor(oids: Uint32Array) {
    this.oids = oids;
  }

  /** `null` where the table of contents does not name them: archives up to 1.11. */
  static of(toc: readonly TocEntry[]): DumpedObjects | null {
    let count = 0;
    const each = (found: (oid: number) => void): void => {
      for (const { desc, tag, defn } of toc) {
        const oids = desc === "BLOB" ? [tag] : desc === "BLOB METADATA" ? (defn ?? "").split("\n") : [];
        for (const text of oids) {
          const oid = oidOf(Buffer.from(text));
          if (oid !== null) found(oid);
        }
      }
    };
    each(() => count++);
    if (count === 0 && toc.some(({ desc }) => desc === "BLOBS")) return null;
    const oids = new Uint32Array(count);
    let at = 0;
    each((oid) => {
      oids[at++] = oid;
    });
    oids.sort();
    return new DumpedObjects(oids.filter((oid, n) => n === 0 || oid !== oids[n - 1]));
  }

  get size(): number {
    return this.oids.length;
  }

  has(oid: number): boolean {
    return this.place(oid) >= 0;
  }

  /** Index of an OID in ascending order, or -1. */
  place(oid: number): number {
    let low = 0;
    let high = this.oids.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.oids[middle]!;
      if (found === oid) return middle;
      if (found < oid) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** Those of a dump's large objects that were met in rows. */
export class ReferencedObjects {
  readonly objects: DumpedObjects;
  private readonly met: Uint8Array;

  constructor(objects: DumpedObjects) {
    this.objects = objects;
    this.met = new Uint8Array((objects.size + 7) >>> 3);
  }

  add(oid: number): void {
    const place = this.objects.place(oid);
    if (place >= 0) this.met[place >>> 3]! |= 1 << (place & 7);
  }

  has(oid: number): boolean {
    const place = this.objects.place(oid);
    return place >= 0 && (this.met[place >>> 3]! & (1 << (place & 7))) !== 0;
  }

  get size(): number {
    let bits = 0;
    for (const byte of this.met) for (let left = byte; left !== 0; left &= left - 1) bits++;
    return bits;
  }

  /** Adds what whole rows in `[start, end)` refer to by `fields` (ascending). Every row has all its fields. */
  addRows(bytes: Buffer, start: number, end: number, fields: readonly number[]): void {
    for (let at = start; at < end; ) {
      let field = 0;
      for (const wanted of fields) {
        for (; field < wanted; field++) at = bytes.indexOf(tab, at) + 1;
        const from = at;
        while (bytes[at] !== tab && bytes[at] !== newline) at++;
        const oid = oidOf(bytes.subarray(from, at));
        if (oid !== null) this.add(oid);
      }
      at = bytes.indexOf(newline, at) + 1;
    }
  }
}
