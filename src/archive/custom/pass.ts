/** The bookkeeping of one pass over a custom archive's blocks: which are still to come, and what may not come. */

import type { ArchiveDamaged } from "../../errors.ts";
import { damagedAt, dumpIdsNamed } from "../damage.ts";
import type { TocEntry } from "../model.ts";
import { BLOCK_DATA, BLOCK_LARGE_OBJECTS, type BlockHeader } from "./blocks.ts";

interface PassEvents {
  met(entry: TocEntry, offset: number): void;
  ended(entry: TocEntry, offset: number): void;
}

/** One pass over the blocks: which are still to come, and what may not come. */
export class Pass {
  readonly #missing: Set<number>;
  readonly #entry: ReadonlyMap<number, TocEntry>;
  readonly #events: PassEvents;

  constructor(expected: readonly TocEntry[], entry: ReadonlyMap<number, TocEntry>, events: PassEvents) {
    this.#missing = new Set(expected.map((item) => item.dumpId));
    this.#entry = entry;
    this.#events = events;
  }

  /** All blocks were met; what follows them is no part of the archive. */
  get done(): boolean {
    return this.#missing.size === 0;
  }

  /** The entry a block belongs to. @throws ArchiveDamaged for a block that the TOC does not announce. */
  met(block: BlockHeader): TocEntry {
    const entry = this.#entry.get(block.dumpId);
    if (entry === undefined || !entry.hasData) {
      throw damagedAt("bad_block", `block of unknown dump ID ${block.dumpId}`, block.offset);
    }
    if (!this.#missing.has(block.dumpId)) {
      throw damagedAt("bad_block", `second block of dump ID ${block.dumpId}`, block.offset);
    }
    if (block.type !== blockTypeOf(entry)) {
      throw damagedAt("bad_block", `block type ${block.type} for dump ID ${block.dumpId}`, block.offset);
    }
    this.#events.met(entry, block.offset);
    return entry;
  }

  /** The block of `entry` is still to come. */
  awaits(entry: TocEntry): boolean {
    return this.#missing.has(entry.dumpId);
  }

  /** The block of `entry` has been read up to `offset`. */
  ended(entry: TocEntry, offset: number): void {
    this.#missing.delete(entry.dumpId);
    this.#events.ended(entry, offset);
  }

  /** The file ended at `offset` although blocks are missing. */
  missing(offset: number): ArchiveDamaged {
    return damagedAt("truncated", `archive ends without the data of ${dumpIdsNamed([...this.#missing])}`, offset);
  }
}

/** The type of the block that an entry with data has. */
export function blockTypeOf(entry: TocEntry): number {
  return entry.desc === "BLOBS" ? BLOCK_LARGE_OBJECTS : BLOCK_DATA;
}
