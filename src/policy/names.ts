/**
 * Names of tables and columns as people write them: SQL's rules for reading (scan.l: unquoted parts fold to lower case,
 * quoted parts are exact and may hold anything but NUL), pg_dump's rules for writing (fmtId: quoted only where needed).
 */

import { quoteIdentifier } from "../archive/sql/identifiers.ts";
import { PolicyRefused } from "../errors.ts";
import type { TableName } from "./model.ts";

export { quoteIdentifier };

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
