/**
 * The shape of what pg_dump writes, whatever the format on disk: header, table of contents, data streams.
 * Byte layouts: pg_backup_archiver.c (ReadHead, ReadToc) and pg_backup_custom.c of PostgreSQL 15 to 18.
 */

export type ArchiveFormat = "custom" | "directory" | "tar" | "plain";
export type ArchiveCompression = "none" | "gzip" | "lz4" | "zstd";
export type Section = "none" | "pre-data" | "data" | "post-data";

/** Where an archive's bytes come from. `storage`'s PinnedObject satisfies it. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  read(start: number, end?: number, signal?: AbortSignal): AsyncIterable<Buffer>;
}

/** pg_dump's wall clock when it took its snapshot: local time of the dumping machine, zone unknown. */
export interface LocalTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** What the dumping machine said of daylight saving time; a hint only. */
  readonly isDst: boolean | null;
}

export interface ArchiveHeader {
  readonly format: ArchiveFormat;
  /** For example `1.14`; `minor` is 14. */
  readonly version: string;
  readonly minor: number;
  readonly intSize: number;
  readonly offsetSize: number;
  readonly compression: ArchiveCompression;
  /** The level pg_dump recorded (archives up to 1.14), else `null`. */
  readonly compressionLevel: number | null;
  readonly createdAt: LocalTime;
  readonly database: string;
  readonly serverVersion: string;
  readonly dumpVersion: string;
}

/** One TOC entry. Strings are decoded from the dump's encoding; NULL and "" stay apart. */
export interface TocEntry {
  /** Unique, > 0. */
  readonly dumpId: number;
  /** The entry has a block of data (TABLE DATA, BLOBS). */
  readonly hasData: boolean;
  /** 0 to 2^32-1. */
  readonly catalogOid: number;
  readonly oid: number;
  /** Display name, unquoted and ambiguous: never parse identity out of it. */
  readonly tag: string;
  /** Entry type, for example `TABLE DATA`. */
  readonly desc: string;
  readonly section: Section;
  readonly defn: string | null;
  readonly dropStmt: string | null;
  readonly copyStmt: string | null;
  readonly namespace: string | null;
  readonly tablespace: string | null;
  readonly tableam: string | null;
  /** pg_class.relkind as a letter (archives from 1.16), else `null`. */
  readonly relkind: string | null;
  readonly owner: string | null;
  readonly withOids: boolean;
  /** May hold duplicates and IDs that are not in the TOC: both are normal. */
  readonly dependencies: readonly number[];
  /** Position of the entry's block when pg_dump could record it (state 2), else `null`. */
  readonly offset: number | null;
  /** The entry's bytes as they stood in the TOC, format-specific tail excluded: for writing it again unchanged. */
  readonly raw: Buffer;
}

export interface LargeObject {
  /** 1 to 2^32-1. */
  readonly oid: number;
  /** Must be drained (or its iteration ended) before the next large object is asked for. */
  readonly data: AsyncIterable<Buffer>;
}

/** What a walk over the archive does with each block, in file order. A missing handler skips the block cheaply. */
export interface WalkHandlers {
  /** Return without touching `data` to skip the table; otherwise drain it or end its iteration. */
  tableData?(entry: TocEntry, data: AsyncIterable<Buffer>): Promise<void>;
  largeObjects?(entry: TocEntry, objects: AsyncIterable<LargeObject>): Promise<void>;
}

/** A table's stored bytes for progress and for ordering by size; `null` when the archive has no offsets yet. */
export type StoredSize = number | null;

export interface Archive {
  readonly header: ArchiveHeader;
  readonly toc: readonly TocEntry[];
  /** By dumpId. */
  readonly entry: ReadonlyMap<number, TocEntry>;
  /** PostgreSQL's name of the dump's client encoding, for example `UTF8`. */
  readonly encoding: string;
  readonly standardConformingStrings: boolean;
  /** True when every data entry's position is known: blocks can be read in any order, several at once. */
  readonly randomAccess: boolean;
  /** Bytes beyond the last block (an archive written with `>>`): readable, worth a warning. Known after a walk. */
  readonly trailingBytes: number;
  storedSize(entry: TocEntry): StoredSize;
  /**
   * Decompressed COPY text (or INSERT statements) of one TABLE DATA entry, the closing `\.` line included.
   * Several may be read at once when `randomAccess`. @throws ArchiveDamaged with the byte offset.
   */
  tableData(entry: TocEntry, signal?: AbortSignal): AsyncIterable<Buffer>;
  largeObjects(entry: TocEntry, signal?: AbortSignal): AsyncIterable<LargeObject>;
  /**
   * Reads the file once from the first block to the end, learns every position (afterwards `randomAccess` is true),
   * and checks that every entry with data was met. @throws ArchiveDamaged naming the missing dump IDs.
   */
  walk(handlers: WalkHandlers, signal?: AbortSignal): Promise<void>;
}
