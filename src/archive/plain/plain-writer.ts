/**
 * Writes a plain SQL script for psql, as `pg_restore -f -` makes one of an archive. Mirrors RestoreArchive's text output,
 * _doSetFixedOutputState, _printTocEntry and StartRestoreLO of PostgreSQL 18 (pg_backup_archiver.c, pg_backup_null.c).
 *
 * Invariants: items come in the order given; no `\restrict` lines, which an older psql does not know; nothing but a closing
 * COPY line begins with a backslash at statement level, for psql would run it; names in comments stay on their line. Memory
 * holds one statement, one piece of rows or 16 KiB of a large object.
 */

import { ArchiveDamaged } from "../../errors.ts";
import type { LargeObject } from "../model.ts";
import { tokens } from "../sql/tokens.ts";

/** Bytes of a large object that one `lowrite` carries. */
const LARGE_OBJECT_PIECE = 16_384;
/** Small pieces are joined to at least this many bytes. */
const OUTPUT_BYTES = 64 * 1024;
/** Its entry, wherever it stands. */
const SEARCH_PATH = { dumpId: 0, desc: "SEARCHPATH" };
/** INV_WRITE of libpq-fs.h. */
const WRITE_MODE = 131_072;

/** What the comment in front of an item says. It is for people: nobody may parse it. */
export interface ScriptHeading {
  readonly dumpId: number;
  readonly tag: string;
  readonly desc: string;
  readonly namespace: string | null;
  readonly owner: string | null;
  readonly tablespace: string | null;
}

/** `settings` are SETs that take effect from this item on; statements end with a semicolon. */
export type ScriptItem = { readonly heading: ScriptHeading; readonly settings: readonly string[] } & (
  | { readonly kind: "statements"; readonly statements: readonly string[] }
  | {
      readonly kind: "rows";
      /** The whole `COPY … FROM stdin;`. */
      readonly copyStmt: string;
      /** A comment in front of it, `-- load via partition root …`, or `null`. */
      readonly note: string | null;
      /** COPY text without the closing `\.` line. Called once. */
      readonly data: () => AsyncIterable<Buffer>;
    }
  | {
      readonly kind: "large-objects";
      /** True where no statement made the objects: archives up to 1.11. */
      readonly create: boolean;
      readonly objects: () => AsyncIterable<LargeObject>;
    }
);

export interface ScriptToWrite {
  /** PostgreSQL's name of the encoding that rows are in and `encode` writes. */
  readonly encoding: string;
  readonly encode: (text: string) => Buffer;
  readonly standardConformingStrings: boolean;
  /** Defn of the SEARCHPATH entry; `null` where each item sets its own path. */
  readonly searchPath: string | null;
  readonly serverVersion: string;
  readonly dumpVersion: string;
  /** When the snapshot was taken; written as `-- Started on … UTC`, rounded down to the second. */
  readonly startedAt: Date;
  readonly items: Iterable<ScriptItem>;
}

/** The script's bytes. @throws ArchiveDamaged (`unsafe_statement`) for SQL that psql would take for a command of its own. */
export async function* writeScript(script: ScriptToWrite): AsyncGenerator<Buffer, void, undefined> {
  const held: Buffer[] = [];
  let length = 0;
  for await (const bytes of scriptPieces(script)) {
    held.push(bytes);
    length += bytes.length;
    if (length >= OUTPUT_BYTES) {
      yield held.length === 1 ? bytes : Buffer.concat(held, length);
      held.length = 0;
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(held, length);
}

async function* scriptPieces(script: ScriptToWrite): AsyncGenerator<Buffer, void, undefined> {
  const { encode } = script;
  yield encode(preamble(script));
  for (const item of script.items) {
    for (const setting of item.settings) yield encode(`${setting}\n\n`);
    yield encode(headingText(item.heading, item.kind !== "statements"));
    switch (item.kind) {
      case "statements":
        for (const statement of item.statements) {
          yield encode(`${checked(statement, item.heading, script.standardConformingStrings)}\n\n`);
        }
        yield encode("\n");
        break;
      case "rows":
        if (item.note !== null) yield encode(`${oneLine(item.note)}\n\n`);
        yield encode(`${checked(item.copyStmt, item.heading, script.standardConformingStrings).trimEnd()}\n`);
        yield* item.data();
        yield Buffer.from("\\.\n\n\n");
        break;
      case "large-objects":
        yield Buffer.from("BEGIN;\n\n");
        for await (const object of item.objects()) {
          yield* largeObjectText(object, item.create, script.standardConformingStrings);
        }
        yield Buffer.from("COMMIT;\n\n");
        break;
    }
  }
  yield Buffer.from("--\n-- PostgreSQL database dump complete\n--\n\n");
}

function preamble(script: ScriptToWrite): string {
  const strings = script.standardConformingStrings;
  const settings = [
    "SET statement_timeout = 0;",
    "SET lock_timeout = 0;",
    "SET idle_in_transaction_session_timeout = 0;",
    `SET client_encoding = '${script.encoding}';`,
    `SET standard_conforming_strings = ${strings ? "on" : "off"};`,
    ...(script.searchPath === null ? [] : [checked(script.searchPath, SEARCH_PATH, strings).trimEnd()]),
    "SET check_function_bodies = false;",
    "SET xmloption = content;",
    "SET client_min_messages = warning;",
    ...(strings ? [] : ["SET escape_string_warning = off;"]),
    "SET row_security = off;",
  ];
  return [
    "--\n-- PostgreSQL database dump\n--\n",
    `-- Dumped from database version ${oneLine(script.serverVersion)}`,
    `-- Dumped by pg_dump version ${oneLine(script.dumpVersion)}\n`,
    `-- Started on ${script.startedAt.toISOString().slice(0, 19).replace("T", " ")} UTC\n`,
    ...settings,
    "\n",
  ].join("\n");
}

function headingText(heading: ScriptHeading, isData: boolean): string {
  const { tag, desc, namespace, owner, tablespace } = heading;
  const where = tablespace ? `; Tablespace: ${oneLine(tablespace)}` : "";
  const name = `${isData ? "Data for " : ""}Name: ${oneLine(tag)}; Type: ${oneLine(desc)}`;
  return `--\n-- ${name}; Schema: ${oneLine(namespace ?? "-")}; Owner: ${oneLine(owner ?? "-")}${where}\n--\n\n`;
}

/** A name with a line end in it must not end the comment it stands in. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}

/**
 * A server never sees a backslash outside literals; psql would run what follows it. What never ends, has no semicolon at its
 * end or leaves a parenthesis open swallows the COPY behind it, and psql would run the rows.
 */
function checked(
  statement: string,
  heading: Pick<ScriptHeading, "dumpId" | "desc">,
  standardConformingStrings: boolean,
): string {
  const list = tokens(statement, { standardConformingStrings });
  const count = (sign: string) => list.reduce((sum, { text }) => sum + Number(text === sign), 0);
  const odd =
    list.some(({ kind, text }) => kind === "other" && (text.length > 1 || text === "\\")) ||
    list.findLast(({ kind }) => kind !== "space")?.text !== ";" ||
    count("(") !== count(")");
  if (odd) {
    throw new ArchiveDamaged(
      `the SQL of dump ID ${heading.dumpId} (${heading.desc}) would not stay one statement in psql`,
      {
        code: "unsafe_statement",
        hint: "write the copy with --format custom, and look at where this backup comes from",
      },
    );
  }
  return statement;
}

async function* largeObjectText(
  { oid, data }: LargeObject,
  create: boolean,
  standardConformingStrings: boolean,
): AsyncGenerator<Buffer, void, undefined> {
  const object = create ? `pg_catalog.lo_create('${oid}')` : `'${oid}'`;
  yield Buffer.from(`SELECT pg_catalog.lo_open(${object}, ${WRITE_MODE});\n`);
  const prefix = standardConformingStrings ? "\\x" : "\\\\x";
  for await (const piece of pieces(data)) {
    yield Buffer.from(`SELECT pg_catalog.lowrite(0, '${prefix}${piece.toString("hex")}');\n`, "latin1");
  }
  yield Buffer.from("SELECT pg_catalog.lo_close(0);\n\n");
}

/** Cuts and joins to full pieces, the last one shorter. */
async function* pieces(data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const bytes of data) {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + LARGE_OBJECT_PIECE - size);
      held.push(part);
      size += part.length;
      at += part.length;
      if (size === LARGE_OBJECT_PIECE) {
        yield held.length === 1 ? part : Buffer.concat(held, size);
        held = [];
        size = 0;
      }
    }
  }
  if (size > 0) yield Buffer.concat(held, size);
}
