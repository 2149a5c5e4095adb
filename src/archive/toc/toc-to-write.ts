/**
 * What is to be written as an archive, and its head: header and table of contents. Mirrors WriteHead and WriteToc of
 * PostgreSQL 15 to 18 (pg_backup_archiver.c); what follows an entry's common fields is the format's own.
 *
 * Invariant: what pg_restore could not read is refused before the first byte is written.
 */

import { UsageError } from "../../errors.ts";
import type { ArchiveCompression, LocalTime } from "../model.ts";
import { Cursor, Shortage } from "./cursor.ts";
import { headerBytes, NEWEST_MINOR, OLDEST_MINOR } from "./header.ts";
import { intBytes, offsetBytes, type TextToWrite } from "./primitives.ts";
import { type EntryFields, entryBytes, readEntry } from "./toc.ts";

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
   * written (1.14 and 1.15 are alike) with an intSize of 4. Empty: there are none, and the fields are written.
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
  /** zstd needs the native package. */
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
  /**
   * Dump IDs in the order in which data is asked for and lies in a custom archive; those not named come last. The TOC's
   * order unless told: then pg_restore can read the archive from a pipe, too.
   */
  readonly dataOrder?: readonly number[] | undefined;
}

/** What the format adds to the head that all formats have. */
export interface FormatOfHead {
  /** FORMAT_CUSTOM or FORMAT_TAR. */
  readonly formatByte: number;
  /** What follows the common fields of an entry. */
  readonly tail: (entry: EntryToWrite, minor: number) => Buffer;
}

/** Header and TOC, and where in them the tail of each entry stands. @throws UsageError for what cannot be written. */
export function headToWrite(
  options: ArchiveToWrite,
  { formatByte, tail }: FormatOfHead,
): { head: Buffer; tails: ReadonlyMap<number, number> } {
  const minor = minorToWrite(options);
  check(options, minor);
  const header = headerBytes({
    minor,
    formatByte,
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
    const bytes = storedBytes(entry) ?? entryBytes(entry, hasData(entry), minor);
    const tailBytes = tail(entry, minor);
    tails.set(entry.dumpId, length + bytes.length);
    parts.push(bytes, tailBytes);
    length += bytes.length + tailBytes.length;
  }
  return { head: Buffer.concat(parts, length), tails };
}

/** The archive version 1.`minor` that `options` ask for. */
export function minorToWrite(options: ArchiveToWrite): number {
  return options.minor ?? 14;
}

export function hasData(entry: EntryToWrite): boolean {
  return entry.data !== undefined || entry.largeObjects !== undefined;
}

/** The entries with data in the order in which their data is written. */
export function entriesWithData({ entries, dataOrder = [] }: ArchiveToWrite): readonly EntryToWrite[] {
  const place = new Map(dataOrder.map((dumpId, at) => [dumpId, at]));
  const placeOf = (entry: EntryToWrite) => place.get(entry.dumpId) ?? dataOrder.length;
  return entries.filter(hasData).sort((one, other) => placeOf(one) - placeOf(other));
}

/** The entry's bytes as an archive had them, where there are any. */
function storedBytes({ raw }: EntryToWrite): Buffer | null {
  return raw === undefined || raw.length === 0 ? null : raw;
}

/** @throws UsageError when `object` of `entry` has no OID. */
export function checkLargeObject(entry: EntryToWrite, object: LargeObjectToWrite): void {
  if (!Number.isInteger(object.oid) || object.oid <= 0 || object.oid > 0xffff_ffff) {
    throw refuse("bad_entry", `large object ${object.oid} of dump ID ${entry.dumpId}`);
  }
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
    const raw = storedBytes(entry);
    if (raw !== null && !fits(entry, raw, minor)) {
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
