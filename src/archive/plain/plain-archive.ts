/**
 * A plain SQL script as an archive: rows are read from where the index found them, as COPY text or as INSERT statements.
 * Takes the place of pg_backup_null.c, which only writes.
 *
 * Invariant: what is read is what was indexed: a range that no longer ends as it did is damage.
 */

import { damagedAt } from "../damage.ts";
import type { Archive, ArchiveHeader, ByteSource, LargeObject, StoredSize, TocEntry, WalkHandlers } from "../model.ts";
import type { ByteRange } from "./draft-entry.ts";
import { largeObjectsIn } from "./large-object-calls.ts";

/** Everything about a script that its one reading told. */
export interface PlainContents {
  readonly header: ArchiveHeader;
  readonly toc: readonly TocEntry[];
  readonly encoding: string;
  readonly standardConformingStrings: boolean;
  readonly remarks: readonly string[];
  /** Where the data of an entry lies, by dump ID. */
  readonly ranges: ReadonlyMap<number, readonly ByteRange[]>;
}

const END_OF_ROWS = Buffer.from("\\.\n");
const BLANK_LINES = Buffer.from("\n\n");
const NEWLINE = Buffer.from("\n");

export class PlainArchive implements Archive {
  readonly header: ArchiveHeader;
  readonly toc: readonly TocEntry[];
  readonly entry: ReadonlyMap<number, TocEntry>;
  readonly encoding: string;
  readonly standardConformingStrings: boolean;
  readonly randomAccess = true;
  readonly sequential: boolean;
  readonly dataOrder: readonly TocEntry[];
  readonly wrapping: readonly string[];
  readonly remarks: readonly string[];
  readonly #source: ByteSource;
  readonly #ranges: ReadonlyMap<number, readonly ByteRange[]>;

  constructor(source: ByteSource, contents: PlainContents, wrapping: readonly string[]) {
    this.#source = source;
    this.#ranges = contents.ranges;
    this.header = contents.header;
    this.toc = contents.toc;
    this.entry = new Map(contents.toc.map((entry) => [entry.dumpId, entry]));
    this.encoding = contents.encoding;
    this.standardConformingStrings = contents.standardConformingStrings;
    this.sequential = source.sequential === true;
    this.wrapping = wrapping;
    this.remarks = contents.remarks;
    this.dataOrder = contents.toc
      .filter((entry) => entry.hasData)
      .toSorted((one, other) => (one.offset ?? 0) - (other.offset ?? 0));
  }

  storedSize(entry: TocEntry): StoredSize {
    const ranges = this.#ranges.get(entry.dumpId);
    return ranges === undefined ? null : ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  async *tableData(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const ranges = this.#rangesOf(entry, "TABLE DATA");
    if (entry.copyStmt === null) {
      for (const range of ranges) {
        yield* this.#bytes(range, signal);
        yield NEWLINE;
      }
      yield BLANK_LINES;
      return;
    }
    for (const range of ranges) yield* this.#rows(range, signal);
    yield END_OF_ROWS;
    yield BLANK_LINES;
  }

  async *largeObjects(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<LargeObject, void, undefined> {
    for (const range of this.#rangesOf(entry, "BLOBS")) {
      yield* largeObjectsIn(this.#source, range, !this.standardConformingStrings, signal);
    }
  }

  /** Opening has read the whole script already: what is missing was found then. */
  async walk(handlers: WalkHandlers, signal?: AbortSignal): Promise<void> {
    for (const entry of this.dataOrder) {
      if (entry.desc === "BLOBS") {
        const objects = this.largeObjects(entry, signal);
        await untilEnded(objects, handlers.largeObjects?.(entry, objects));
      } else {
        const data = this.tableData(entry, signal);
        await untilEnded(data, handlers.tableData?.(entry, data));
      }
    }
  }

  #rangesOf(entry: TocEntry, desc: string): readonly ByteRange[] {
    const ranges = this.#ranges.get(entry.dumpId);
    if (ranges === undefined || entry.desc !== desc) throw new RangeError(`dump ID ${entry.dumpId} is no ${desc}`);
    return ranges;
  }

  /** Rows without the line that ends them, which is held back until it is the last. */
  async *#rows(range: ByteRange, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    let held: Buffer = Buffer.alloc(0);
    for await (const bytes of this.#bytes(range, signal)) {
      const joined = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const kept = Math.max(0, joined.length - END_OF_ROWS.length);
      if (kept > 0) yield joined.subarray(0, kept);
      held = joined.subarray(kept);
    }
    if (!held.equals(END_OF_ROWS)) throw changed(range.end);
  }

  async *#bytes(range: ByteRange, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    let at = range.start;
    for await (const bytes of this.#source.read(range.start, range.end, signal)) {
      at += bytes.length;
      yield bytes;
    }
    if (at !== range.end) throw changed(at);
  }
}

async function untilEnded(
  data: AsyncGenerator<unknown, void, undefined>,
  handled: Promise<void> | undefined,
): Promise<void> {
  try {
    await handled;
  } finally {
    await data.return();
  }
}

function changed(offset: number): Error {
  return damagedAt("truncated", "rows of the script do not end where they did when it was opened", offset);
}
