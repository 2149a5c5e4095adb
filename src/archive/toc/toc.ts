/**
 * One TOC entry: reading, decoding and writing. Mirrors ReadToc, WriteToc and _guessTocSection of PostgreSQL 15 to 18
 * (pg_backup_archiver.c); gates look like `minor >= 14`.
 *
 * Invariants: NULL and "" stay apart; an entry read and written again at the same version is byte-identical.
 */

import { damagedAt } from "../damage.ts";
import type { Section, TocEntry } from "../model.ts";
import type { Cursor, StoredOffset } from "./cursor.ts";
import type { TextDecoding } from "./encoding.ts";
import { intBytes, stringBytes, type TextToWrite } from "./primitives.ts";

/** An entry as stored, texts undecoded. */
export interface RawEntry {
  readonly dumpId: number;
  readonly hasData: boolean;
  readonly catalogOid: number;
  readonly oid: number;
  readonly tag: Buffer;
  readonly desc: string;
  readonly section: Section;
  readonly defn: Buffer | null;
  readonly dropStmt: Buffer | null;
  readonly copyStmt: Buffer | null;
  readonly namespace: Buffer | null;
  readonly tablespace: Buffer | null;
  readonly tableam: Buffer | null;
  readonly relkind: string | null;
  readonly owner: Buffer | null;
  readonly withOids: boolean;
  readonly dependencies: readonly number[];
  readonly raw: Buffer;
  /** Tail of a custom archive's entry, else `null`. */
  readonly stored: StoredOffset | null;
  /** Tail of a directory's or tar's entry, else `null`. */
  readonly fileName: Buffer | null;
  /** Absolute offset of the entry's first byte. */
  readonly start: number;
}

/** What follows the common fields of an entry. */
export type TailKind = "offset" | "file-name";

const SECTIONS: readonly Section[] = ["none", "pre-data", "data", "post-data"];
const LARGEST_OID = 0xffff_ffff;

/** Reads one entry. @throws ArchiveDamaged (and Shortage while bytes are missing). */
export function readEntry(cursor: Cursor, buffer: Buffer, minor: number, tail: TailKind): RawEntry {
  const start = cursor.offset;
  const first = cursor.position;
  const dumpId = cursor.int();
  if (dumpId <= 0) {
    throw damagedAt("bad_toc", `dump ID ${dumpId}`, start);
  }
  const hasData = cursor.int() !== 0;
  const catalogOid = readDecimal(cursor);
  const oid = readDecimal(cursor);
  const tag = cursor.string() ?? Buffer.alloc(0);
  const desc = (cursor.string() ?? Buffer.alloc(0)).toString("latin1");
  const section = minor >= 11 ? readSection(cursor) : guessSection(desc);
  const defn = cursor.string();
  const dropStmt = cursor.string();
  const copyStmt = cursor.string();
  const namespace = cursor.string();
  const tablespace = cursor.string();
  const tableam = minor >= 14 ? cursor.string() : null;
  const relkind = minor >= 16 ? readRelkind(cursor) : null;
  const owner = cursor.string();
  const withOids = cursor.string()?.equals(TRUE) ?? false;
  const dependencies = readDependencies(cursor);
  const raw = buffer.subarray(first, cursor.position);
  const stored = tail === "offset" ? cursor.storedOffset() : null;
  const fileName = tail === "file-name" ? cursor.string() : null;
  if (stored !== null && (stored.state === 3) === hasData) {
    throw damagedAt("bad_toc", `entry of dump ID ${dumpId} contradicts itself on having data`, start);
  }
  // In a toc.dat nothing else contradicts the flag, and the rows would be missing without a word.
  if (!hasData && DATA_ENTRIES.has(desc)) {
    throw damagedAt("bad_toc", `entry of dump ID ${dumpId} is ${desc} and has no data`, start);
  }
  return {
    dumpId,
    hasData,
    catalogOid,
    oid,
    tag,
    desc,
    section,
    defn,
    dropStmt,
    copyStmt,
    namespace,
    tablespace,
    tableam,
    relkind,
    owner,
    withOids,
    dependencies,
    raw,
    stored,
    fileName,
    start,
  };
}

const TRUE = Buffer.from("true");
/** What pg_dump writes only with a function that dumps the data. */
const DATA_ENTRIES: ReadonlySet<string> = new Set(["TABLE DATA", "BLOBS"]);

/** OIDs and dependencies are decimal text in strings. */
function parseDecimal(text: Buffer, start: number): number {
  let value = 0;
  for (const digit of text) {
    if (digit < 0x30 || digit > 0x39 || value > LARGEST_OID) {
      throw damagedAt("bad_toc", "a number that is none", start);
    }
    value = value * 10 + digit - 0x30;
  }
  if (text.length === 0 || value > LARGEST_OID) {
    throw damagedAt("bad_toc", "a number that is none", start);
  }
  return value;
}

function readDecimal(cursor: Cursor): number {
  const start = cursor.offset;
  return parseDecimal(cursor.string() ?? Buffer.alloc(0), start);
}

function readSection(cursor: Cursor): Section {
  const start = cursor.offset;
  const code = cursor.int();
  const section = SECTIONS[code - 1];
  if (section === undefined) {
    throw damagedAt("bad_toc", `section ${code}`, start);
  }
  return section;
}

/** Archives before 1.11 do not store the section. */
function guessSection(desc: string): Section {
  switch (desc) {
    case "COMMENT":
    case "ACL":
    case "ACL LANGUAGE":
      return "none";
    case "TABLE DATA":
    case "BLOBS":
    case "BLOB COMMENTS":
      return "data";
    case "CONSTRAINT":
    case "CHECK CONSTRAINT":
    case "FK CONSTRAINT":
    case "INDEX":
    case "RULE":
    case "TRIGGER":
      return "post-data";
    default:
      return "pre-data";
  }
}

function readRelkind(cursor: Cursor): string | null {
  const start = cursor.offset;
  const code = cursor.int();
  if (code === 0) {
    return null;
  }
  if (code < 0x21 || code > 0x7e) {
    throw damagedAt("bad_toc", `relation kind ${code}`, start);
  }
  return String.fromCharCode(code);
}

/** Ended by one NULL. Duplicates and IDs without an entry are normal. */
function readDependencies(cursor: Cursor): readonly number[] {
  const found: number[] = [];
  for (;;) {
    const start = cursor.offset;
    const text = cursor.string();
    if (text === null) {
      return found;
    }
    found.push(parseDecimal(text, start));
  }
}

/** The public entry, its texts decoded. */
export function decodeEntry(entry: RawEntry, decode: TextDecoding): TocEntry {
  const text = (bytes: Buffer | null) => (bytes === null ? null : decode(bytes));
  return {
    dumpId: entry.dumpId,
    hasData: entry.hasData,
    catalogOid: entry.catalogOid,
    oid: entry.oid,
    tag: decode(entry.tag),
    desc: entry.desc,
    section: entry.section,
    defn: text(entry.defn),
    dropStmt: text(entry.dropStmt),
    copyStmt: text(entry.copyStmt),
    namespace: text(entry.namespace),
    tablespace: text(entry.tablespace),
    tableam: text(entry.tableam),
    relkind: entry.relkind,
    owner: text(entry.owner),
    withOids: entry.withOids,
    dependencies: entry.dependencies,
    offset: entry.stored?.state === 2 ? entry.stored.position : null,
    raw: entry.raw,
  };
}

/** The fields of an entry to write. What is left out is NULL, 0, or empty. */
export interface EntryFields {
  /** Unique in the archive, > 0. */
  readonly dumpId: number;
  readonly desc: string;
  readonly tag: TextToWrite;
  readonly section: Section;
  readonly defn?: TextToWrite | null | undefined;
  readonly dropStmt?: TextToWrite | null | undefined;
  /** The whole `COPY … FROM stdin;\n`. */
  readonly copyStmt?: TextToWrite | null | undefined;
  readonly namespace?: TextToWrite | null | undefined;
  readonly tablespace?: TextToWrite | null | undefined;
  /** Stored from 1.14 on. */
  readonly tableam?: TextToWrite | null | undefined;
  /** pg_class.relkind as a letter; stored from 1.16 on. */
  readonly relkind?: string | null | undefined;
  readonly owner?: TextToWrite | null | undefined;
  readonly withOids?: boolean | undefined;
  readonly dependencies?: readonly number[] | undefined;
  readonly catalogOid?: number | undefined;
  readonly oid?: number | undefined;
}

/** An entry's bytes up to its format-specific tail, with an intSize of 4. */
export function entryBytes(entry: EntryFields, hasData: boolean, minor: number): Buffer {
  // pg_restore before 12 expects "" where newer ones write NULL.
  const old = (text: TextToWrite | null | undefined) => (minor <= 13 ? (text ?? "") : text);
  const parts = [
    intBytes(entry.dumpId),
    intBytes(hasData ? 1 : 0),
    stringBytes(String(entry.catalogOid ?? 0)),
    stringBytes(String(entry.oid ?? 0)),
    stringBytes(entry.tag),
    stringBytes(entry.desc),
  ];
  if (minor >= 11) {
    parts.push(intBytes(SECTIONS.indexOf(entry.section) + 1));
  }
  parts.push(
    stringBytes(old(entry.defn)),
    stringBytes(old(entry.dropStmt)),
    stringBytes(entry.copyStmt),
    stringBytes(entry.namespace),
    stringBytes(entry.tablespace),
  );
  if (minor >= 14) {
    parts.push(stringBytes(entry.tableam));
  }
  if (minor >= 16) {
    parts.push(intBytes(entry.relkind?.charCodeAt(0) ?? 0));
  }
  parts.push(stringBytes(old(entry.owner)), stringBytes(entry.withOids === true ? "true" : "false"));
  for (const dependency of entry.dependencies ?? []) {
    parts.push(stringBytes(String(dependency)));
  }
  parts.push(stringBytes(null));
  return Buffer.concat(parts);
}
