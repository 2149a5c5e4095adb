/**
 * Writes custom-format archives that stock pg_restore reads. Mirrors WriteHead, WriteToc, _WriteData and _EndLO of
 * PostgreSQL 15 to 18 (pg_backup_archiver.c, pg_backup_custom.c).
 *
 * Invariants: one compressed stream per block and per large object; never a chunk of length 0; blocks in TOC order; a
 * stream has offsets of state 1, a finished file of state 2. Memory holds the TOC and one chunk.
 */

import { open, rm } from "node:fs/promises";
import { UsageError } from "../../errors.ts";
import { compress } from "../compression/compression.ts";
import type { ArchiveCompression, LocalTime } from "../model.ts";
import { Cursor, Shortage } from "../toc/cursor.ts";
import { headerBytes, NEWEST_MINOR, OLDEST_MINOR } from "../toc/header.ts";
import { intBytes, OFFSET_BYTES, offsetBytes, type TextToWrite } from "../toc/primitives.ts";
import { type EntryFields, entryBytes, readEntry } from "../toc/toc.ts";
import { BLOCK_DATA, BLOCK_LARGE_OBJECTS } from "./blocks.ts";

/** Small pieces are joined to chunks of at least this size, large ones cut to at most twice that. */
const CHUNK_BYTES = 64 * 1024;

/** A large object to write. */
export interface LargeObjectToWrite {
  /** 1 to 2^32-1. */
  readonly oid: number;
  readonly data: AsyncIterable<Buffer>;
}

/** One entry with its data. At most one of `data` and `largeObjects`. */
export interface EntryToWrite extends EntryFields {
  /**
   * A TocEntry's `raw`: written as it is instead of the fields. It must come from an archive of the version that is
   * written (1.14 and 1.15 are alike) with an intSize of 4.
   */
  readonly raw?: Buffer | undefined;
  /** COPY text with its closing `\.\n\n\n`. Called once. */
  readonly data?: (() => AsyncIterable<Buffer>) | undefined;
  /** Only for an entry whose desc is BLOBS. Called once. */
  readonly largeObjects?: (() => AsyncIterable<LargeObjectToWrite>) | undefined;
}

export interface ArchiveToWrite {
  /** Archive version 1.`minor`, 10 to 16; 14 by default: PostgreSQL 12 and later read it. lz4 and zstd need 15. */
  readonly minor?: number | undefined;
  /** zstd needs the native package; lz4 is written as stored blocks. */
  readonly compression: ArchiveCompression;
  /** gzip: 1 to 9, -1 for zlib's default; zstd: its own levels. */
  readonly level?: number | undefined;
  /** A Date is written as UTC. */
  readonly createdAt: Date | LocalTime;
  readonly database: TextToWrite;
  readonly serverVersion: TextToWrite;
  readonly dumpVersion: TextToWrite;
  /** In TOC order: ENCODING, STDSTRINGS and SEARCHPATH first, then pre-data, data, post-data. */
  readonly entries: readonly EntryToWrite[];
}

/** Streams an archive, as pg_dump writes one into a pipe. @throws UsageError for what cannot be written. */
export async function* writeCustomArchive(options: ArchiveToWrite): AsyncGenerator<Buffer, void, undefined> {
  yield layout(options).head;
  for (const entry of options.entries) {
    if (hasData(entry)) {
      yield* block(entry, options);
    }
  }
}

/**
 * Writes an archive to a local file, with offsets. A failed write leaves no file.
 * @throws UsageError for what cannot be written.
 */
export async function writeCustomArchiveFile(path: string, options: ArchiveToWrite): Promise<void> {
  const { head, tails } = layout(options);
  const file = await open(path, "w");
  try {
    let position = await append(file, head, 0);
    for (const entry of options.entries) {
      if (hasData(entry)) {
        offsetBytes(2, position).copy(head, tails.get(entry.dumpId)!);
        for await (const bytes of block(entry, options)) {
          position = await append(file, bytes, position);
        }
      }
    }
    await append(file, head, 0);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function append(file: Awaited<ReturnType<typeof open>>, bytes: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  return position + bytes.length;
}

function hasData(entry: EntryToWrite): boolean {
  return entry.data !== undefined || entry.largeObjects !== undefined;
}

/** Header and TOC, and where in them the offset of each entry with data stands. */
function layout(options: ArchiveToWrite): { head: Buffer; tails: ReadonlyMap<number, number> } {
  const minor = options.minor ?? 14;
  check(options, minor);
  const header = headerBytes({
    minor,
    compression: options.compression,
    level: options.level ?? -1,
    createdAt: options.createdAt instanceof Date ? utcTime(options.createdAt) : options.createdAt,
    database: options.database,
    serverVersion: options.serverVersion,
    dumpVersion: options.dumpVersion,
  });
  const parts = [header, intBytes(options.entries.length)];
  const tails = new Map<number, number>();
  let length = parts[0]!.length + parts[1]!.length;
  for (const entry of options.entries) {
    const withData = hasData(entry);
    const bytes = entry.raw ?? entryBytes(entry, withData, minor);
    tails.set(entry.dumpId, length + bytes.length);
    parts.push(bytes, offsetBytes(withData ? 1 : 3, 0));
    length += bytes.length + OFFSET_BYTES;
  }
  return { head: Buffer.concat(parts, length), tails };
}

function check(options: ArchiveToWrite, minor: number): void {
  const { compression, level } = options;
  if (!Number.isInteger(minor) || minor < OLDEST_MINOR || minor > NEWEST_MINOR) {
    throw refuse("unsupported_version", `cannot write archive version 1.${minor}`);
  }
  if (minor < 15 && (compression === "lz4" || compression === "zstd")) {
    throw refuse("unsupported_compression", `archive version 1.${minor} knows no ${compression}`);
  }
  if (compression === "gzip" && level !== undefined && level !== -1 && !(level >= 1 && level <= 9)) {
    throw refuse("unsupported_compression", `gzip has no level ${level}`);
  }
  checkEntries(options.entries, minor);
}

function checkEntries(entries: readonly EntryToWrite[], minor: number): void {
  const highest = entries.reduce((most, entry) => Math.max(most, entry.dumpId), 0);
  const seen = new Set<number>();
  for (const entry of entries) {
    const { dumpId, desc } = entry;
    if (!Number.isInteger(dumpId) || dumpId <= 0 || dumpId > 0x7fff_ffff || seen.has(dumpId)) {
      throw refuse("bad_entry", `dump ID ${dumpId} is not unique and positive`);
    }
    seen.add(dumpId);
    if (entry.data !== undefined && entry.largeObjects !== undefined) {
      throw refuse("bad_entry", `dump ID ${dumpId} has both rows and large objects`);
    }
    if ((desc === "BLOBS" ? entry.data : entry.largeObjects) !== undefined) {
      throw refuse("bad_entry", `dump ID ${dumpId} has data of the wrong kind`);
    }
    // The table may be missing, but pg_restore keeps an array up to the highest dump ID.
    if (desc === "TABLE DATA" && entry.dependencies?.some((id) => id > highest) === true) {
      throw refuse("bad_entry", `dump ID ${dumpId} depends on one beyond the highest, ${highest}`);
    }
    if (entry.raw !== undefined && !fits(entry, entry.raw, minor)) {
      throw refuse("bad_entry", `stored bytes of dump ID ${dumpId} are not of an entry of version 1.${minor}`);
    }
  }
}

function refuse(code: string, fact: string): UsageError {
  return new UsageError(fact, { code });
}

/** The bytes parse as just this entry, with data or without as it is now. */
function fits(entry: EntryToWrite, raw: Buffer, minor: number): boolean {
  try {
    const tail = offsetBytes(hasData(entry) ? 1 : 3, 0);
    const bytes = Buffer.concat([raw, tail]);
    const cursor = new Cursor(bytes, 0);
    return readEntry(cursor, bytes, minor, "offset").dumpId === entry.dumpId && cursor.position === bytes.length;
  } catch (error) {
    if (error instanceof Shortage || (error instanceof Error && "code" in error)) {
      return false;
    }
    throw error;
  }
}

function utcTime(date: Date): LocalTime {
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    isDst: false,
  };
}

async function* block(entry: EntryToWrite, options: ArchiveToWrite): AsyncGenerator<Buffer, void, undefined> {
  if (entry.largeObjects === undefined) {
    yield Buffer.concat([Buffer.from([BLOCK_DATA]), intBytes(entry.dumpId)]);
    yield* stream(entry.data!(), options);
    return;
  }
  yield Buffer.concat([Buffer.from([BLOCK_LARGE_OBJECTS]), intBytes(entry.dumpId)]);
  for await (const object of entry.largeObjects()) {
    if (!Number.isInteger(object.oid) || object.oid <= 0 || object.oid > 0xffff_ffff) {
      throw refuse("bad_entry", `large object ${object.oid} of dump ID ${entry.dumpId}`);
    }
    yield intBytes(object.oid);
    yield* stream(object.data, options);
  }
  yield intBytes(0);
}

/** One compressed stream as chunks, terminator included. */
async function* stream(data: AsyncIterable<Buffer>, options: ArchiveToWrite): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const bytes of compress(options.compression, data, options.level)) {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES);
      held.push(piece);
      length += piece.length;
      if (length >= CHUNK_BYTES) {
        yield Buffer.concat([intBytes(length), ...held]);
        held = [];
        length = 0;
      }
    }
  }
  if (length > 0) {
    yield Buffer.concat([intBytes(length), ...held]);
  }
  yield intBytes(0);
}
