/**
 * The archive's header: reading and writing. Mirrors ReadHead and WriteHead of PostgreSQL 15 to 18
 * (pg_backup_archiver.c). Versions 1.10 (PostgreSQL 8.0) to 1.16 (PostgreSQL 17 to 19).
 *
 * The time of the dump has no zone: it is the wall clock of the machine that ran pg_dump.
 */

import { damagedAt, unsupported } from "../damage.ts";
import type { ArchiveCompression, ArchiveHeader, LocalTime } from "../model.ts";
import type { Cursor, NumberSizes } from "./cursor.ts";
import { intBytes, stringBytes, type TextToWrite } from "./primitives.ts";

/** First bytes of every archive and of a directory archive's toc.dat. */
export const MAGIC = Buffer.from("PGDMP", "latin1");
export const OLDEST_MINOR = 10;
export const NEWEST_MINOR = 16;

/** Format byte on disk; tar and directory archives both say 3. */
export const FORMAT_CUSTOM = 1;
export const FORMAT_TAR = 3;

const ALGORITHMS: readonly ArchiveCompression[] = ["none", "gzip", "lz4", "zstd"];

/** The header without what only some formats tell: strings are still bytes, for the encoding is not known yet. */
export interface RawHeader extends NumberSizes {
  readonly minor: number;
  readonly formatByte: number;
  readonly compression: ArchiveCompression;
  readonly compressionLevel: number | null;
  readonly createdAt: LocalTime;
  readonly database: Buffer;
  readonly serverVersion: Buffer;
  readonly dumpVersion: Buffer;
}

/** Reads the header up to the TOC's count. @throws ArchiveDamaged (and Shortage while bytes are missing). */
export function readHeader(cursor: Cursor): RawHeader {
  const start = cursor.offset;
  if (!cursor.bytes(MAGIC.length).equals(MAGIC)) {
    throw damagedAt("unsupported_format", "no archive header", start);
  }
  const minor = readVersion(cursor);
  const sizes = readSizes(cursor);
  cursor.sizes = sizes;
  const formatByte = cursor.byte();
  const compression = minor >= 15 ? readAlgorithm(cursor) : readLevel(cursor);
  const createdAt = readTime(cursor);
  return {
    minor,
    ...sizes,
    formatByte,
    ...compression,
    createdAt,
    database: cursor.string() ?? Buffer.alloc(0),
    serverVersion: cursor.string() ?? Buffer.alloc(0),
    dumpVersion: cursor.string() ?? Buffer.alloc(0),
  };
}

function readVersion(cursor: Cursor): number {
  const major = cursor.byte();
  const minor = cursor.byte();
  cursor.byte(); // revision: always 0, and no reader has ever looked at it
  if (major !== 1 || minor > NEWEST_MINOR) {
    throw unsupported(
      "unsupported_version",
      `archive version ${major}.${minor} is newer than 1.${NEWEST_MINOR}, the newest known`,
      "use a newer release of sanitize, or dump with pg_dump 19 or older",
    );
  }
  if (minor < OLDEST_MINOR) {
    throw unsupported(
      "unsupported_version",
      `archive version ${major}.${minor} is older than 1.${OLDEST_MINOR}, the oldest known`,
      "dump the database again with pg_dump of PostgreSQL 9.0 or newer",
    );
  }
  return minor;
}

function readSizes(cursor: Cursor): NumberSizes {
  const start = cursor.offset;
  const intSize = cursor.byte();
  const offsetSize = cursor.byte();
  if (intSize < 1 || intSize > 8) {
    throw damagedAt("bad_header", `integer size ${intSize}`, start);
  }
  if (offsetSize !== 4 && offsetSize !== 8) {
    throw damagedAt("bad_header", `offset size ${offsetSize}`, start + 1);
  }
  return { intSize, offsetSize };
}

interface Compression {
  readonly compression: ArchiveCompression;
  readonly compressionLevel: number | null;
}

function readAlgorithm(cursor: Cursor): Compression {
  const start = cursor.offset;
  const code = cursor.byte();
  const compression = ALGORITHMS[code];
  if (compression === undefined) {
    throw damagedAt("unsupported_compression", `unknown compression ${code}`, start);
  }
  return { compression, compressionLevel: null };
}

/** Up to 1.14 only a level is stored: zlib's, -1 for its default, 0 for none. */
function readLevel(cursor: Cursor): Compression {
  const start = cursor.offset;
  const level = cursor.int();
  if (level < -1 || level > 9) {
    throw damagedAt("bad_header", `compression level ${level}`, start);
  }
  return { compression: level === 0 ? "none" : "gzip", compressionLevel: level };
}

function readTime(cursor: Cursor): LocalTime {
  const start = cursor.offset;
  const fields = Array.from({ length: 7 }, () => cursor.int());
  const [second, minute, hour, day, month, year, isDst] = fields as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // A leap second is legal in struct tm.
  const sound =
    second >= 0 &&
    second <= 60 &&
    minute >= 0 &&
    minute <= 59 &&
    hour >= 0 &&
    hour <= 23 &&
    day >= 1 &&
    day <= 31 &&
    month >= 0 &&
    month <= 11 &&
    year >= 70 &&
    year <= 8099;
  if (!sound) {
    throw damagedAt("bad_header", "impossible time of dump", start);
  }
  return {
    year: year + 1900,
    month: month + 1,
    day,
    hour,
    minute,
    second,
    isDst: isDst < 0 ? null : isDst > 0,
  };
}

/** The public header, its strings decoded. */
export function decodeHeader(
  raw: RawHeader,
  format: ArchiveHeader["format"],
  decode: (bytes: Buffer) => string,
): ArchiveHeader {
  const { formatByte: _formatByte, ...rest } = raw;
  return {
    ...rest,
    format,
    version: `1.${raw.minor}`,
    database: decode(raw.database),
    serverVersion: decode(raw.serverVersion),
    dumpVersion: decode(raw.dumpVersion),
  };
}

/** What the writer puts into a header; always intSize 4, offSize 8. */
export interface HeaderToWrite {
  readonly minor: number;
  /** FORMAT_CUSTOM or FORMAT_TAR. */
  readonly formatByte: number;
  readonly compression: ArchiveCompression;
  /** zlib's level as stored up to 1.14; -1 is its default. */
  readonly level: number;
  readonly createdAt: LocalTime;
  readonly database: TextToWrite;
  readonly serverVersion: TextToWrite;
  readonly dumpVersion: TextToWrite;
}

/** The header's bytes, up to the TOC's count. */
export function headerBytes(header: HeaderToWrite): Buffer {
  const at = header.createdAt;
  const time = [at.second, at.minute, at.hour, at.day, at.month - 1, at.year - 1900];
  return Buffer.concat([
    MAGIC,
    Buffer.from([1, header.minor, 0, 4, 8, header.formatByte]),
    header.minor >= 15
      ? Buffer.from([ALGORITHMS.indexOf(header.compression)])
      : intBytes(header.compression === "none" ? 0 : header.level),
    ...time.map(intBytes),
    intBytes(at.isDst === null ? -1 : Number(at.isDst)),
    stringBytes(header.database),
    stringBytes(header.serverVersion),
    stringBytes(header.dumpVersion),
  ]);
}
