/**
 * Reads what stands in front of the data: header and table of contents, of a custom archive or of a toc.dat. Mirrors
 * ReadHead and ReadToc of PostgreSQL 15 to 18 (pg_backup_archiver.c).
 *
 * Invariants: reads no further than one buffer beyond the TOC; texts are decoded only after the encoding is known; nothing
 * is allocated by a declared length.
 */

import type { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt, unsupported } from "../damage.ts";
import type { ArchiveHeader, TocEntry } from "../model.ts";
import { Cursor, type NumberSizes, Shortage } from "./cursor.ts";
import { decoderFor, quotedValue, type TextDecoding } from "./encoding.ts";
import { decodeHeader, type RawHeader, readHeader } from "./header.ts";
import { decodeEntry, type RawEntry, readEntry, type TailKind } from "./toc.ts";

const READ_AHEAD_BYTES = 64 * 1024;
/** Ints and strings every entry has; the least it can take is that many lengths. */
const FIELDS_PER_ENTRY = 14;

/** What a small compressed file can claim must not fill the memory: an entry takes a kilobyte. */
const MOST_ENTRIES = 1_000_000;

/** What reading the header and the TOC gave. */
export interface Contents {
  readonly header: ArchiveHeader;
  readonly toc: readonly TocEntry[];
  readonly encoding: string;
  readonly standardConformingStrings: boolean;
  /** Names that the entries of a directory's toc.dat give their files, by dump ID. */
  readonly fileNames: ReadonlyMap<number, string>;
  /** Absolute offset behind the TOC. */
  readonly end: number;
}

/**
 * Reads from where `reader` stands. `size` is that of the whole file, `null` when unknown.
 * @throws ArchiveDamaged with the byte offset.
 */
export async function readContents(
  reader: ByteReader,
  size: number | null,
  format: ArchiveHeader["format"],
): Promise<Contents> {
  const input: Input = { reader, size: size ?? Number.POSITIVE_INFINITY, sizes: { intSize: 4, offsetSize: 8 } };
  const header = await parse(input, "its header", readHeader);
  input.sizes = header;
  const tail = format === "custom" ? "offset" : "file-name";
  const session = new Session();
  const toc: TocEntry[] = [];
  const fileNames = new Map<number, string>();
  // Decoded one by one: of a hundred thousand entries the undecoded fields are most of the memory.
  for await (const entry of entriesOf(input, header, tail)) {
    for (const known of session.met(entry)) {
      toc.push(decodeEntry(known, session.decode));
    }
    if (entry.fileName !== null) {
      fileNames.set(entry.dumpId, entry.fileName.toString("latin1"));
    }
  }
  const { encoding, standardConformingStrings, decode } = session;
  return {
    header: decodeHeader(header, format, decode),
    toc,
    encoding,
    standardConformingStrings,
    fileNames,
    end: reader.offset,
  };
}

/**
 * Reads a table of contents alone, from where `reader` stands, of an archive whose header is known.
 * @throws ArchiveDamaged with the byte offset.
 */
export async function readTocAgain(
  reader: ByteReader,
  size: number | null,
  header: NumberSizes & { readonly minor: number },
): Promise<readonly RawEntry[]> {
  const entries: RawEntry[] = [];
  const input = { reader, size: size ?? Number.POSITIVE_INFINITY, sizes: header };
  for await (const entry of entriesOf(input, header, "offset")) {
    entries.push(entry);
  }
  return entries;
}

async function* entriesOf(
  input: Input,
  { minor }: Pick<RawHeader, "minor">,
  tail: TailKind,
): AsyncGenerator<RawEntry, void, undefined> {
  const start = input.reader.offset;
  const count = await parse(input, "its table of contents", (cursor) => cursor.int());
  if (count < 0 || count * FIELDS_PER_ENTRY * (1 + input.sizes.intSize) > input.size) {
    throw damagedAt("bad_toc", `impossible number of entries ${count}`, start);
  }
  if (count > MOST_ENTRIES) {
    throw unsupported(
      "too_many_entries",
      `the table of contents claims ${count} entries, more than ${MOST_ENTRIES}`,
      "dump the database in parts, by schema",
    );
  }
  const seen = new Set<number>();
  for (let index = 0; index < count; index++) {
    const entry = await parse(input, "its table of contents", (cursor, window) =>
      readEntry(cursor, window, minor, tail),
    );
    if (seen.has(entry.dumpId)) {
      throw damagedAt("bad_toc", `second entry of dump ID ${entry.dumpId}`, entry.start);
    }
    seen.add(entry.dumpId);
    yield entry;
  }
}

interface Input {
  readonly reader: ByteReader;
  /** Bytes of the whole file; infinite when unknown. */
  readonly size: number;
  sizes: NumberSizes;
}

/** Runs a synchronous parser over the window, again from its start whenever it asks for more bytes. */
async function parse<T>(input: Input, what: string, parser: (cursor: Cursor, window: Buffer) => T): Promise<T> {
  const { reader } = input;
  for (;;) {
    const window = reader.window;
    const cursor = new Cursor(window, reader.offset, input.sizes);
    try {
      const value = parser(cursor, window);
      reader.consume(cursor.position);
      return value;
    } catch (error) {
      if (!(error instanceof Shortage)) {
        throw error;
      }
      // A length that the file cannot hold is refused before anything is read for it.
      if (reader.offset + error.needed > input.size) {
        throw truncatedAt(what, input.size);
      }
      // Doubling keeps repeated parsing of a huge entry linear.
      await reader.fill(Math.max(error.needed, 2 * window.length, READ_AHEAD_BYTES));
      if (reader.window.length < error.needed) {
        throw truncatedAt(what, reader.offset + reader.window.length);
      }
    }
  }
}

/** What the first entries say about the texts of all others. */
class Session {
  standardConformingStrings = true;
  #encoding: string | null = null;
  #decode: TextDecoding | null = null;
  #stringsKnown = false;
  /** Entries before the one that names the encoding. */
  #waiting: RawEntry[] = [];

  get encoding(): string {
    if (this.#encoding === null) {
      throw unsupported(
        "unsupported_encoding",
        "the archive does not say in which encoding it is",
        "make the backup with pg_dump -Fc and no list of entries",
      );
    }
    return this.#encoding;
  }

  get decode(): TextDecoding {
    this.#decode ??= decoderFor(this.encoding);
    return this.#decode;
  }

  /** The entries that can be decoded now that `entry` is known. */
  met(entry: RawEntry): readonly RawEntry[] {
    if (entry.desc === "ENCODING") {
      this.#encoding ??= quotedValue(entry.defn);
    } else if (entry.desc === "STDSTRINGS" && !this.#stringsKnown) {
      this.#stringsKnown = true;
      this.standardConformingStrings = quotedValue(entry.defn) === "on";
    }
    this.#waiting.push(entry);
    return this.#encoding === null ? [] : this.#waiting.splice(0);
  }
}
