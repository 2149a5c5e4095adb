/**
 * Where each entry's block lies in a custom archive's file: what the TOC claims, and what reading has proven.
 *
 * Invariants: a claimed position (offset state 2) counts only once the block found there names the entry; claims that
 * fail are dropped and the position is looked for from the first block on, remembering all that is passed.
 */

import { ArchiveDamaged } from "../../errors.ts";
import { ByteReader } from "../byte-reader.ts";
import { damagedAt } from "../damage.ts";
import type { ArchiveHeader, ByteSource, StoredSize, TocEntry } from "../model.ts";
import { BLOCK_LARGE_OBJECTS, type BlockHeader, ChunkStream, readBlockHeader } from "./blocks.ts";
import { checkFileEnd } from "./file-end.ts";
import { LargeObjectStream } from "./large-objects.ts";
import { blockTypeOf, Pass } from "./pass.ts";

export interface BlockMapContents {
  readonly header: ArchiveHeader;
  readonly entry: ReadonlyMap<number, TocEntry>;
  readonly dataStart: number;
}

/** A reader that stands behind the header of one entry's block. */
export interface OpenBlock {
  readonly reader: ByteReader;
  /** Absolute offset of the block's type byte. */
  readonly offset: number;
}

export class BlockMap {
  readonly dataStart: number;
  /** What the operator should know of the file; complete once all of it was read. */
  readonly remarks: string[] = [];
  readonly #source: ByteSource;
  readonly #header: ArchiveHeader;
  readonly #entry: ReadonlyMap<number, TocEntry>;
  readonly #withData: readonly TocEntry[];
  /** Claimed or proven. */
  readonly #positions = new Map<number, number>();
  readonly #proven = new Set<number>();
  readonly #ends = new Map<number, number>();
  #sorted: readonly number[] | null = null;
  readonly #toc: readonly TocEntry[];
  #endChecked = false;
  #scan: Pass;
  #scanOffset: number;
  #scanRuns = false;
  #scanning: Promise<void> = Promise.resolve();

  constructor(source: ByteSource, contents: BlockMapContents) {
    this.#source = source;
    this.#header = contents.header;
    this.#entry = contents.entry;
    this.#toc = [...contents.entry.values()];
    this.dataStart = contents.dataStart;
    this.#withData = [...contents.entry.values()].filter((entry) => entry.hasData);
    for (const entry of this.#withData) {
      const { offset } = entry;
      if (offset !== null && offset >= this.dataStart && offset < (source.size ?? Number.POSITIVE_INFINITY)) {
        this.#positions.set(entry.dumpId, offset);
      }
    }
    this.#scan = this.newPass();
    this.#scanOffset = this.dataStart;
  }

  /** Every entry with data has a position. */
  get complete(): boolean {
    return this.#positions.size === this.#withData.length;
  }

  /** Entries with data as they lie in the file; pg_dump writes them in TOC order. */
  inFileOrder(): readonly TocEntry[] {
    if (!this.complete) {
      return this.#withData;
    }
    const positions = this.#positions;
    return [...this.#withData].sort((one, other) => positions.get(one.dumpId)! - positions.get(other.dumpId)!);
  }

  /** Bytes from the block's start to its end, or to the next block; `null` while positions are missing. */
  storedSize(entry: TocEntry): StoredSize {
    const start = this.#positions.get(entry.dumpId);
    const end = this.#ends.get(entry.dumpId) ?? this.#nextPosition(entry.dumpId);
    return start === undefined || end === null ? null : end - start;
  }

  /** Opens the block of an entry with data. @throws ArchiveDamaged when the file does not hold it. */
  async open(entry: TocEntry, signal: AbortSignal | undefined): Promise<OpenBlock> {
    if (!entry.hasData) {
      throw new RangeError(`dump ID ${entry.dumpId} has no data`);
    }
    const claimed = await this.#tryOpen(entry, signal);
    if (claimed !== null) {
      return claimed;
    }
    const scan = this.#scanning.then(() => this.#scanFor(entry.dumpId, signal));
    this.#scanning = scan.catch(() => undefined);
    await scan;
    const found = await this.#tryOpen(entry, signal);
    if (found === null) {
      throw damagedAt("bad_block", `no block of dump ID ${entry.dumpId}`, this.#positions.get(entry.dumpId) ?? 0);
    }
    return found;
  }

  /** Streams from an absolute offset. Bytes up to `likelyEnd` are asked for first, the rest only when they are needed. */
  readFrom(start: number, likelyEnd: number | null, signal: AbortSignal | undefined): ByteReader {
    return new ByteReader(ranges(this.#source, start, likelyEnd, signal), start, signal);
  }

  /** The bookkeeping of one pass over all blocks. */
  newPass(): Pass {
    return new Pass(this.#withData, this.#entry, {
      met: (entry, offset) => {
        if (this.#positions.get(entry.dumpId) !== offset) {
          this.#positions.set(entry.dumpId, offset);
          this.#sorted = null;
        }
        this.#proven.add(entry.dumpId);
      },
      ended: (entry, offset) => this.#ends.set(entry.dumpId, offset),
    });
  }

  /**
   * The block of `entry` was read to its end, where `reader` stands. What follows the last block is looked at.
   * @throws ArchiveDamaged (`appended`)
   */
  async wasRead(entry: TocEntry, offset: number, reader: ByteReader): Promise<void> {
    const end = reader.offset;
    this.#ends.set(entry.dumpId, end);
    if (!this.#scanRuns && offset === this.#scanOffset && this.#scan.awaits(entry)) {
      // the next scan for other blocks goes on from here; one under way reads this block itself
      this.#scan.ended(entry, end);
      this.#scanOffset = end;
    }
    if (this.#isLast(entry.dumpId)) {
      await this.checkEnd(reader);
    }
  }

  /** `reader` stands behind the last block. @throws ArchiveDamaged (`appended`) */
  async checkEnd(reader: ByteReader): Promise<void> {
    if (this.#endChecked) {
      return;
    }
    const remark = await checkFileEnd(reader, this.#source.size, { header: this.#header, toc: this.#toc });
    this.#endChecked = true;
    if (remark !== null) {
      this.remarks.push(remark);
    }
  }

  /** Opens at the position at hand; `null` when there is none or when it was only claimed and is wrong. */
  async #tryOpen(entry: TocEntry, signal: AbortSignal | undefined): Promise<OpenBlock | null> {
    const offset = this.#positions.get(entry.dumpId);
    if (offset === undefined) {
      return null;
    }
    const likelyEnd = this.#ends.get(entry.dumpId) ?? this.#nextPosition(entry.dumpId);
    const reader = this.readFrom(offset, likelyEnd, signal);
    const block = await this.#headerOrNull(reader);
    if (block !== null && block.dumpId === entry.dumpId && block.type === blockTypeOf(entry)) {
      this.#proven.add(entry.dumpId);
      return { reader, offset };
    }
    await reader.close();
    if (!this.#proven.has(entry.dumpId)) {
      this.#positions.delete(entry.dumpId);
      this.#sorted = null;
    }
    return null;
  }

  async #headerOrNull(reader: ByteReader): Promise<BlockHeader | null> {
    try {
      return await readBlockHeader(reader, this.#header);
    } catch (error) {
      if (error instanceof ArchiveDamaged) {
        return null; // what stands at a wrong position may be anything
      }
      await reader.close();
      throw error;
    }
  }

  /** Reads on from where the last scan stopped, to the block of `dumpId`. */
  async #scanFor(dumpId: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#proven.has(dumpId)) {
      return;
    }
    const reader = this.readFrom(this.#scanOffset, null, signal);
    this.#scanRuns = true;
    try {
      for (;;) {
        const block = await readBlockHeader(reader, this.#header);
        if (block === null) {
          throw this.#scan.missing(reader.offset);
        }
        const entry = this.#scan.met(block);
        if (entry.dumpId === dumpId) {
          return;
        }
        await this.#skip(reader, entry);
        this.#scan.ended(entry, reader.offset);
        this.#scanOffset = reader.offset;
      }
    } finally {
      this.#scanRuns = false;
      await reader.close();
    }
  }

  async #skip(reader: ByteReader, entry: TocEntry): Promise<void> {
    if (blockTypeOf(entry) === BLOCK_LARGE_OBJECTS) {
      await new LargeObjectStream(reader, this.#header, "block").skipRest();
    } else {
      await new ChunkStream(reader, this.#header).skipRest();
    }
  }

  /** No block lies behind this one. */
  #isLast(dumpId: number): boolean {
    if (!this.complete) {
      return false;
    }
    this.#sorted ??= [...this.#positions.values()].sort((one, other) => one - other);
    return this.#positions.get(dumpId) === this.#sorted.at(-1);
  }

  /** The next block's position, the file's end for the last one; `null` while positions are missing. */
  #nextPosition(dumpId: number): number | null {
    const start = this.#positions.get(dumpId);
    if (!this.complete || start === undefined) {
      return null;
    }
    this.#sorted ??= [...this.#positions.values()].sort((one, other) => one - other);
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! <= start) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return this.#sorted[low] ?? this.#source.size;
  }
}

async function* ranges(
  source: ByteSource,
  start: number,
  likelyEnd: number | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  if (likelyEnd === null || source.size === null) {
    yield* source.read(start, source.size ?? undefined, signal);
    return;
  }
  yield* source.read(start, likelyEnd, signal);
  if (likelyEnd < source.size) {
    yield* source.read(likelyEnd, source.size, signal);
  }
}
