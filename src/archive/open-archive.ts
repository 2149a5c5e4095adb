/**
 * Opens a backup: detects what it is, reads its header and its table of contents. Mirrors ReadHead and ReadToc of
 * PostgreSQL 15 to 18 (pg_backup_archiver.c). So far custom-format archives; others are refused by name.
 *
 * Invariants: reads no further than one buffer beyond the TOC; texts are decoded only after the encoding is known.
 */

import { throwIfAborted } from "../errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { CustomArchive } from "./custom/custom-reader.ts";
import { damagedAt, truncatedAt, unsupported } from "./damage.ts";
import { DETECTION_BYTES, refusalOf } from "./detect.ts";
import type { Archive, ByteSource } from "./model.ts";
import { Cursor, type NumberSizes, Shortage } from "./toc/cursor.ts";
import { decoderFor, quotedValue } from "./toc/encoding.ts";
import { decodeHeader, readHeader } from "./toc/header.ts";
import { decodeEntry, type RawEntry, readEntry } from "./toc/toc.ts";

const READ_AHEAD_BYTES = 64 * 1024;
/** Ints and strings every entry has; the least it can take is that many lengths. */
const FIELDS_PER_ENTRY = 14;

/**
 * Opens the archive in `source`.
 * @throws ArchiveDamaged when it is damaged (with the byte offset), or of a format, version or encoding that cannot be
 * read: codes `unsupported_format`, `unsupported_version`, `unsupported_encoding`, `empty_file`, `truncated`, ….
 */
export async function openArchive(source: ByteSource, signal?: AbortSignal): Promise<Archive> {
  throwIfAborted(signal);
  const reader = new ByteReader(source.read(0, source.size, signal), 0, signal);
  try {
    await reader.fill(Math.min(DETECTION_BYTES, source.size));
    const refusal = refusalOf(reader.window.subarray(0, DETECTION_BYTES));
    if (refusal !== null) {
      throw refusal;
    }
    return await readCustom(source, reader);
  } finally {
    await reader.close();
  }
}

async function readCustom(source: ByteSource, reader: ByteReader): Promise<Archive> {
  const input: Input = { reader, size: source.size, sizes: { intSize: 4, offsetSize: 8 } };
  const header = await parse(input, "its header", readHeader);
  input.sizes = header;
  const entries = await readToc(input, header.minor);
  const session = sessionOf(entries);
  const decode = decoderFor(session.encoding);
  return new CustomArchive(source, {
    header: decodeHeader(header, "custom", decode),
    toc: entries.map((entry) => decodeEntry(entry, decode)),
    ...session,
    dataStart: reader.offset,
  });
}

async function readToc(input: Input, minor: number): Promise<readonly RawEntry[]> {
  const start = input.reader.offset;
  const count = await parse(input, "its table of contents", (cursor) => cursor.int());
  if (count < 0 || count * FIELDS_PER_ENTRY * (1 + input.sizes.intSize) > input.size) {
    throw damagedAt("bad_toc", `impossible number of entries ${count}`, start);
  }
  const entries: RawEntry[] = [];
  const seen = new Set<number>();
  for (let index = 0; index < count; index++) {
    const entry = await parse(input, "its table of contents", (cursor, window) =>
      readEntry(cursor, window, minor, "offset"),
    );
    if (seen.has(entry.dumpId)) {
      throw damagedAt("bad_toc", `second entry of dump ID ${entry.dumpId}`, entry.start);
    }
    seen.add(entry.dumpId);
    entries.push(entry);
  }
  return entries;
}

interface Input {
  readonly reader: ByteReader;
  /** Bytes of the whole file. */
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
function sessionOf(entries: readonly RawEntry[]): { encoding: string; standardConformingStrings: boolean } {
  const encoding = quotedValue(entries.find((entry) => entry.desc === "ENCODING")?.defn ?? null);
  if (encoding === null) {
    throw unsupported(
      "unsupported_encoding",
      "the archive does not say in which encoding it is",
      "make the backup with pg_dump -Fc and no list of entries",
    );
  }
  const strings = entries.find((entry) => entry.desc === "STDSTRINGS");
  return { encoding, standardConformingStrings: strings === undefined || quotedValue(strings.defn) === "on" };
}
