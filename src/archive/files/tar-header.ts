/**
 * One header of a tar file and what PAX records say beside it: POSIX ustar, PAX and GNU's long names. Mirrors
 * _tarGetHeader and read_tar_number of PostgreSQL 15 to 18 (pg_backup_tar.c, tar.c), which know plain ustar only.
 *
 * Invariants: a header counts only with its checksum right; no message quotes a name.
 */

import { damagedAt } from "../damage.ts";

export const TAR_BLOCK_BYTES = 512;

/** What a member is, as far as anyone here must know. */
export type MemberKind = "file" | "directory" | "records" | "common-records" | "long-name" | "long-link" | "other";

export interface TarHeader {
  /** As stored: with any directory in front. */
  readonly name: string;
  readonly kind: MemberKind;
  /** Bytes of content. */
  readonly size: number;
  /** The fields in which pg_dump writes as no other program does. */
  readonly byPgDump: boolean;
}

const KINDS: ReadonlyMap<string, MemberKind> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["5", "directory"],
  ["x", "records"],
  ["g", "common-records"],
  ["L", "long-name"],
  ["K", "long-link"],
]);

const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;
/** User 04000 and group 02000, a blank behind each number. */
const PG_DUMP_OWNER = "0004000 0002000 ";

/** `block` is a header's 512 bytes, found at `offset` of the file. @throws ArchiveDamaged (`bad_member`) */
export function parseTarHeader(block: Buffer, offset: number): TarHeader {
  const field = (start: number, end: number): Buffer => block.subarray(start, end);
  if (numberIn(field(CHECKSUM_AT, CHECKSUM_END), offset) !== checksumOf(block)) {
    throw damagedAt("bad_member", "wrong checksum of a tar member's header", offset);
  }
  const posix = field(257, 263).toString("latin1") === "ustar\0";
  const prefix = posix ? textIn(field(345, 500)) : "";
  const name = textIn(field(0, 100));
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    kind: KINDS.get(String.fromCharCode(block[156]!)) ?? "other",
    size: numberIn(field(124, 136), offset),
    byPgDump: posix && field(108, 124).toString("latin1") === PG_DUMP_OWNER && textIn(field(265, 297)) === "postgres",
  };
}

/** The sum of the header's bytes, with blanks in the place of the sum. */
export function checksumOf(block: Buffer): number {
  let sum = 0;
  for (let index = 0; index < TAR_BLOCK_BYTES; index++) {
    sum += index >= CHECKSUM_AT && index < CHECKSUM_END ? 0x20 : block[index]!;
  }
  return sum;
}

/** Text up to the first NUL. */
function textIn(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? field.length : end);
}

/** Octal digits among blanks and NULs, or base 256 where the first bit is set: sizes from 8 GiB on. */
function numberIn(field: Buffer, offset: number): number {
  if ((field[0]! & 0x80) === 0) {
    const text = textIn(field).trim();
    if (!/^[0-7]*$/.test(text)) {
      throw damagedAt("bad_member", "a number that is none in a tar member's header", offset);
    }
    return text === "" ? 0 : Number.parseInt(text, 8);
  }
  let value = field[0]! & 0x7f;
  for (const byte of field.subarray(1)) {
    value = value * 256 + byte;
  }
  if (!Number.isSafeInteger(value)) {
    throw damagedAt("bad_member", "impossible number in a tar member's header", offset);
  }
  return value;
}

/** What PAX records say of the member that follows them. */
export interface PaxRecords {
  readonly path: string | null;
  readonly size: number | null;
  /** The content is stored with its holes left out. */
  readonly sparse: boolean;
}

/** `content` is that of a member of kind `records`: lines `<length> <key>=<value>\n`. @throws ArchiveDamaged */
export function parsePaxRecords(content: Buffer, offset: number): PaxRecords {
  let path: string | null = null;
  let size: number | null = null;
  let sparse = false;
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(0x20, at);
    const digits = content.toString("latin1", at, Math.max(at, blank));
    const end = at + (/^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : Number.NaN);
    const equals = content.indexOf(0x3d, blank);
    // Also false for what is no number.
    if (!(end <= content.length && equals > blank && equals < end && content[end - 1] === 0x0a)) {
      throw damagedAt("bad_member", "records of a tar member that are none", offset);
    }
    const key = content.toString("utf8", blank + 1, equals);
    const value = content.toString("utf8", equals + 1, end - 1);
    if (key === "path") {
      path = value;
    } else if (key === "size") {
      size = /^[0-9]{1,15}$/.test(value) ? Number(value) : Number.NaN;
    } else if (key.startsWith("GNU.sparse.")) {
      sparse = true;
    }
    at = end;
  }
  if (Number.isNaN(size)) {
    throw damagedAt("bad_member", "impossible size in a tar member's records", offset);
  }
  return { path, size, sparse };
}
