/**
 * Rows that go (or wait), remembered by the columns their children refer to. One `ParentKeys` for each parent table and
 * list of referenced columns; fed while the parent is read, asked while its children are.
 */
import { createHash } from "node:crypto";
import type { RowKernel, TagTable } from "../copy/row-kernel.ts";
import { KeySet } from "./key-set.ts";

/** Lists of request ordinals, each kept once: most rows that go belong to one request. */
export class OrdinalLists {
  private readonly lists: (readonly number[])[] = [];
  private readonly byText = new Map<string, number>();

  idOf(ordinals: readonly number[]): number {
    const text = ordinals.join();
    let id = this.byText.get(text);
    if (id === undefined) {
      id = this.lists.push(ordinals) - 1;
      this.byText.set(text, id);
    }
    return id;
  }

  get(id: number): readonly number[] {
    return this.lists[id] ?? [];
  }
}

/** What is known of a parent row: does it go (or only wait for its time), and for whom. */
export interface ParentFate {
  readonly goes: boolean;
  readonly ordinals: readonly number[];
}

/** Separates the raw fields of a composite key: a raw COPY field holds no tab. */
const separator = Buffer.from("\t");

export function joinFields(fields: readonly Buffer[]): Buffer {
  return fields.length === 1
    ? fields[0]!
    : Buffer.concat(fields.flatMap((field, n) => (n === 0 ? [field] : [separator, field])));
}

export class ParentKeys {
  /** Referenced columns of the parent. */
  readonly columns: readonly string[];
  /** Tags of the last referenced column's values, for the scan kernel. */
  readonly tags: TagTable;
  readonly tagKey: Buffer;
  /** Grows with every change: tells a fixed point from progress. */
  revision = 0;
  private readonly keys: KeySet;
  private readonly lists: OrdinalLists;
  private readonly kernel: RowKernel;
  private digest = Buffer.alloc(32);

  constructor(columns: readonly string[], kernel: RowKernel, tagKey: Buffer, lists: OrdinalLists) {
    this.columns = columns;
    this.kernel = kernel;
    this.tagKey = tagKey;
    this.lists = lists;
    this.tags = kernel.tagTable();
    this.keys = new KeySet((bytes) => kernel.tag(bytes, tagKey));
  }

  get size(): number {
    return this.keys.size;
  }

  /** @param fields raw fields of the referenced columns, none NULL. @returns true when this was news. */
  add(fields: readonly Buffer[], fate: ParentFate): boolean {
    const key = joinFields(fields);
    const known = this.get(fields);
    const merged = known ? mergeFates(known, fate) : fate;
    if (merged === known) return false;
    if (!known) this.tags.add(this.kernel.tag(fields.at(-1)!, this.tagKey));
    this.keys.set(key, this.lists.idOf(merged.ordinals) * 2 + (merged.goes ? 1 : 0));
    this.revision++;
    return true;
  }

  get(fields: readonly Buffer[]): ParentFate | undefined {
    const value = this.keys.get(joinFields(fields));
    if (value === undefined) return undefined;
    return { goes: value % 2 === 1, ordinals: this.lists.get(value >> 1) };
  }

  /** SHA-256 over the set of keys and fates, whatever their order. Hex. */
  setDigest(): string {
    this.digest.fill(0);
    for (const [key, value] of this.keys.entries()) {
      const hash = createHash("sha256")
        .update(key)
        .update(value % 2 === 1 ? "\n1" : "\n0")
        .digest();
      for (let n = 0; n < 32; n++) this.digest[n] = this.digest[n]! ^ hash[n]!;
    }
    return this.digest.toString("hex");
  }
}

/** The known fate itself when the new one adds nothing. */
function mergeFates(known: ParentFate, fate: ParentFate): ParentFate {
  if (known.goes && !fate.goes) return known;
  if (fate.goes && !known.goes) return fate;
  const added = fate.ordinals.filter((ordinal) => !known.ordinals.includes(ordinal));
  if (added.length === 0) return known;
  return { goes: known.goes, ordinals: [...known.ordinals, ...added].sort((a, b) => a - b) };
}
