/**
 * The shape of what pg_dump writes, whatever the format on disk: header, table of contents, data streams.
 * Byte layouts: pg_backup_archiver.c (ReadHead, ReadToc) and pg_backup_custom.c of PostgreSQL 15 to 18.
 */

export type ArchiveFormat = "custom" | "directory" | "tar" | "plain";
export type ArchiveCompression = "none" | "gzip" | "lz4" | "zstd";
export type Section = "none" | "pre-data" | "data" | "post-data";

/** Where an archive's bytes come from. `storage`'s PinnedObject satisfies it. */
export interface ByteSource {
  /** Bytes; `null` where only reading to the end can tell: the content of a compressed file. */
  readonly size: number | null;
  /**
   * True where a byte can only be had by decoding all before it. A read that begins where the last one ended (or a little
   * before) goes on from there; one further back starts the whole file over. Absent: a range costs its own length.
   */
  readonly sequential?: boolean;
  /** Bytes `[start, end)`; to the end of the source without `end`. */
  read(start: number, end?: number, signal?: AbortSignal): AsyncIterable<Buffer>;
}

/** One file of a directory archive. */
export interface ArchiveFile {
  /** Without any directory in front: `toc.dat`, `3619.dat.gz`. */
  readonly name: string;
  /** Bytes as stored. */
  readonly size: number;
}

/** The files of a directory archive: a folder's, those under a bucket's prefix, or the members of a tar. */
export interface ArchiveFiles {
  /** In the order in which they lie, where there is one. */
  readonly files: readonly ArchiveFile[];
  /** True for members of a tar that is itself compressed: see {@link ByteSource.sequential}. */
  readonly sequential: boolean;
  /** @throws SourceFailed when it is gone or was replaced since it was listed. */
  open(name: string): Promise<ByteSource>;
}

/** What opens client-side encryption (age). Never for messages. */
export interface DecryptionKeys {
  /** `AGE-SECRET-KEY-1…` strings. */
  readonly identities: readonly string[];
  readonly passphrase: string | null;
}

export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asked for only when the backup turns out to be encrypted. */
  readonly keys?: (() => Promise<DecryptionKeys>) | undefined;
  /** Which database of a pg_dumpall script. */
  readonly database?: string | undefined;
  /** Bytes of content that one stored byte may expand to, after the first 256 MiB; 1000 unless told. */
  readonly maxExpansion?: number | undefined;
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
  /** Minutes east of UTC, where the file says so: scripts may, archives do not. */
  readonly utcOffset?: number;
}

export interface ArchiveHeader {
  readonly format: ArchiveFormat;
  /** For example `1.14`; `minor` is 14. `plain` for a script, whose `minor` is that of the newest archive. */
  readonly version: string;
  readonly minor: number;
  readonly intSize: number;
  readonly offsetSize: number;
  readonly compression: ArchiveCompression;
  /** The level pg_dump recorded (archives up to 1.14), else `null`. */
  readonly compressionLevel: number | null;
  /** `null` for a script that does not tell (only those of `pg_dump --verbose` do). */
  readonly createdAt: LocalTime | null;
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
  /**
   * The entry's bytes as they stood in the TOC, format-specific tail excluded: for writing it again unchanged. Empty: not as
   * stored (a script, INSERTs read as COPY text), so the fields are to be written.
   */
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
  /** Called several times for one entry where a tar scatters its large objects. */
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
  /** True when every data entry's position is known: blocks can be read in any order, and, unless `sequential`, several at once. */
  readonly randomAccess: boolean;
  /**
   * Data can only be had by decoding all that lies before it (a compressed file around the archive): entries are to be read
   * one at a time and in `dataOrder`; reading backwards starts the file over.
   */
  readonly sequential: boolean;
  /** Entries with data in the order in which they lie, as far as is known. */
  readonly dataOrder: readonly TocEntry[];
  /** What lies around the archive, outermost first: `age`, `gzip`, `lz4`, `zstd`, `tar`, `pg_dumpall`. */
  readonly wrapping: readonly string[];
  /** What the operator should know of the file, each a sentence without its full stop. */
  readonly remarks: readonly string[];
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
