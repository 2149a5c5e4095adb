/**
 * How the INSERTs of one table become COPY text: the COPY statement they are given, and what each head must say. Mirrors
 * dumpTableData_copy (pg_dump.c) for the form of the statement.
 *
 * Invariant: every value goes to the column it was written for, or the table is refused; all statements of a table agree.
 */

import type { ArchiveDamaged } from "../../errors.ts";
import { damagedStream, unsupported } from "../damage.ts";
import type { TocEntry } from "../model.ts";
import { quoteIdentifier, quoteQualified } from "../sql/identifiers.ts";
import { type InsertHead, parseInsertHead } from "./insert-head.ts";
import { insertTarget, type RowShape } from "./row-columns.ts";

export interface InsertPlan {
  /** `COPY s.t (a, b) FROM stdin;\n` */
  readonly copyStmt: string;
  /** For messages, one line. */
  readonly table: string;
  /** See InsertRowsOptions. @throws ArchiveDamaged `insert_statement`, `insert_columns`. */
  readonly accept: (head: string, where: string) => Uint8Array | null;
}

/**
 * The plan for an entry. `shape` is what the dump's CREATE TABLE says, `first` reads the head of the first statement,
 * `null` where there is none: asked for only when the shape does not settle the columns.
 * @throws ArchiveDamaged `insert_columns` when nothing settles them.
 */
export async function insertPlan(
  entry: TocEntry,
  shape: RowShape | null,
  first: () => Promise<string | null>,
): Promise<InsertPlan> {
  const target = insertTarget(entry);
  const table = quoteQualified(entry.namespace, entry.tag).replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
  const named = shape?.certain === true ? null : await firstColumns(entry, table, shape, first);
  const columns = named ?? shape!.columns.filter((column) => !column.generated).map((column) => column.name);
  const positions = named === null ? shape!.columns.map((column) => (column.generated ? 0 : 1)) : null;
  const list = columns.length === 0 ? "" : `(${columns.map(quoteIdentifier).join(", ")})`;
  return {
    copyStmt: `COPY ${quoteQualified(target.schema, target.name)} ${list} FROM stdin;\n`,
    table,
    accept: (text, where) => {
      const head = headFor(entry, text, where);
      if (head.defaultValues && columns.length === 0) return null;
      const byName = head.columns?.join("\0") === columns.join("\0") && head.columns.length === columns.length;
      if (byName) return new Uint8Array(columns.length).fill(1);
      if (head.columns === null && !head.defaultValues && positions !== null) return Uint8Array.from(positions);
      throw otherColumns(table);
    },
  };
}

/** The columns that the first statement names, or what follows from there being none. */
async function firstColumns(
  entry: TocEntry,
  table: string,
  shape: RowShape | null,
  first: () => Promise<string | null>,
): Promise<readonly string[]> {
  const text = await first();
  const known = shape?.columns.filter((column) => !column.generated).map((column) => column.name);
  if (text === null) return known ?? [];
  const head = headFor(entry, text, `row 1 of table ${table}`);
  if (head.defaultValues) return [];
  if (head.columns === null) throw unknownColumns(table, shape === null);
  if (known !== undefined && known.toSorted().join("\0") !== head.columns.toSorted().join("\0")) {
    throw otherColumns(table);
  }
  return head.columns;
}

function headFor(entry: TocEntry, text: string, where: string): InsertHead {
  const head = parseInsertHead(text);
  const target = insertTarget(entry);
  if (head === null) throw damagedStream("insert_statement", "an INSERT that pg_dump does not write", where);
  // Dumps of before 2018 leave the schema out.
  if (head.target.name !== target.name || (head.target.schema ?? target.schema) !== target.schema) {
    throw damagedStream("insert_statement", "an INSERT into another table", where);
  }
  return head;
}

function unknownColumns(table: string, notCreated: boolean): ArchiveDamaged {
  const why = notCreated ? "the dump does not create it" : "its order may differ from that of its CREATE TABLE";
  return unsupported(
    "insert_columns",
    `rows of table ${table} stand without names of columns, and ${why}`,
    "make the backup with pg_dump -Fc, or with --column-inserts",
  );
}

function otherColumns(table: string): ArchiveDamaged {
  return unsupported(
    "insert_columns",
    `INSERTs of table ${table} do not all name the columns of its CREATE TABLE in one order`,
    "make the backup with pg_dump -Fc, without --inserts",
  );
}
