/**
 * Names of tables and columns as people write them: SQL's rules for reading (scan.l: unquoted parts fold to lower case,
 * quoted parts are exact and may hold anything but NUL), pg_dump's rules for writing (fmtId: quoted only where needed).
 */

import { PolicyRefused } from "../errors.ts";
import type { TableName } from "./model.ts";

/** Words that must be quoted when used as a name: every keyword of PostgreSQL 18 that is not "unreserved" (kwlist.h). */
const QUOTED_WORDS = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char
  character check coalesce collate collation column concurrently constraint create cross current_catalog current_date
  current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do
  else end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike
  in initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg json_exists
  json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like
  limit localtime localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset
  on only or order out outer overlaps overlay placing position precision primary real references returning right row
  select session_user setof similar smallint some substring symmetric system_user table tablesample then time timestamp to
  trailing treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes
  xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`.split(/\s+/),
);

export type NameReading =
  | { readonly ok: true; readonly name: TableName }
  | { readonly ok: false; readonly problem: string };

/** Reads `schema.table` as SQL would, blanks around the dot allowed. */
export function readTableName(text: string): NameReading {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    const part = readPart(text, at);
    if (part === undefined) {
      return { ok: false, problem: notAName(text) };
    }
    parts.push(part.value);
    at = part.end;
    if (at === text.length) {
      break;
    }
    if (text[at] !== ".") {
      return { ok: false, problem: notAName(text) };
    }
    at += 1;
  }
  const [schema, name] = parts;
  if (schema === undefined || name === undefined) {
    return {
      ok: false,
      problem: `a table's name needs its schema; hint: write public.${quoteIdentifier(parts[0] ?? "")}`,
    };
  }
  return parts.length === 2
    ? { ok: true, name: { schema, name } }
    : { ok: false, problem: "a table's name has two parts, schema and table; hint: quote a part that holds a dot" };
}

/** @throws PolicyRefused (`bad_name`) when the text is not `schema.table`. */
export function parseTableName(text: string): TableName {
  const reading = readTableName(text);
  if (!reading.ok) {
    throw new PolicyRefused(reading.problem, { code: "bad_name" });
  }
  return reading.name;
}

/** A column's name is taken as it stands; `"…"` around it is SQL quoting, so that both ways of writing mean the same. */
export function columnName(text: string): string {
  return /^"(?:[^"]|"")+"$/s.test(text) ? text.slice(1, -1).replaceAll('""', '"') : text;
}

/** Quotes where SQL needs it, as pg_dump does. */
export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !QUOTED_WORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** `schema.table`, quoted where SQL needs it. {@link readTableName} reads it back. */
export function formatTableName(name: TableName): string {
  return `${quoteIdentifier(name.schema)}.${quoteIdentifier(name.name)}`;
}

/** For messages: one line whatever the name holds. */
export function tableLabel(name: TableName): string {
  return oneLine(formatTableName(name));
}

/** For messages: a column's name on one line, quoted where SQL needs it. */
export function columnLabel(name: string): string {
  return oneLine(quoteIdentifier(name));
}

export function sameTable(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.name === b.name;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}

function readPart(text: string, from: number): { value: string; end: number } | undefined {
  const quoted = /\s*"((?:[^"\0]|"")+)"\s*/y;
  const plain = /\s*([A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_$\u0080-\u{10ffff}]*)\s*/uy;
  for (const pattern of [quoted, plain]) {
    pattern.lastIndex = from;
    const inner = pattern.exec(text)?.[1];
    if (inner !== undefined) {
      // Only ASCII letters fold: PostgreSQL leaves others alone in a multi-byte encoding.
      const value = pattern === quoted ? inner.replaceAll('""', '"') : inner.replace(/[A-Z]/g, (c) => c.toLowerCase());
      return { value, end: pattern.lastIndex };
    }
  }
  return undefined;
}

function notAName(text: string): string {
  const hint = text.includes('"')
    ? `inside quotes, a quote is written twice; YAML wants single quotes around the whole: '"My Schema"."My Table"'`
    : `quote what is not a plain word: '"My Schema"."My Table"'`;
  return `not a name as SQL writes it; hint: ${hint}`;
}
