/**
 * The SQL of TOC entries, parsed by PostgreSQL's own grammar (libpg-query, PostgreSQL 18, WebAssembly).
 *
 * Invariant: only definitions that pg_dump writes for tables, types and constraints are parsed, one entry at a time, and
 * what cannot be parsed is said to be so (`undefined`), never guessed at. The parser's own message is not passed on: it
 * quotes the statement.
 */

import type { ColumnDef, Node, RangeVar, TypeName } from "libpg-query";
import type { TocEntry } from "../archive/model.ts";
import type { TableName } from "./model.ts";
import { formatTableName, quoteIdentifier } from "./names.ts";

export type { ColumnDef, Constraint, CreateStmt, Node } from "libpg-query";

export interface DdlParser {
  /** The statements of an entry's definition; `undefined` when they cannot be parsed. */
  statements(entry: TocEntry): readonly Node[] | undefined;
}

let loading: Promise<typeof import("libpg-query")> | undefined;

/** Loads the WebAssembly module once, about 35 ms. */
export async function loadDdlParser(): Promise<DdlParser> {
  loading ??= import("libpg-query").then(async (module) => {
    await module.loadModule();
    return module;
  });
  const { parseSync } = await loading;
  return {
    statements: (entry) => {
      try {
        return (parseSync(entry.defn ?? "").stmts ?? []).flatMap((raw) => (raw.stmt === undefined ? [] : [raw.stmt]));
      } catch (error) {
        if (error instanceof Error) {
          return undefined;
        }
        throw error;
      }
    },
  };
}

/** A table as a statement names it. Dumps of before 2018 leave the schema out: it is the entry's own. */
export function tableOf(range: RangeVar | undefined, entry: TocEntry): TableName {
  return { schema: range?.schemaname ?? entry.namespace ?? "", name: range?.relname ?? "" };
}

export function textsOf(nodes: readonly Node[] | undefined): string[] {
  return (nodes ?? []).flatMap((node) => ("String" in node ? [node.String.sval ?? ""] : []));
}

/** Built-in types by their internal name, as pg_dump spells them. */
const SPELLING: Readonly<Record<string, string>> = {
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  bool: "boolean",
  varchar: "character varying",
  bpchar: "character",
  varbit: "bit varying",
  timestamptz: "timestamp with time zone",
  timestamp: "timestamp without time zone",
  timetz: "time with time zone",
  time: "time without time zone",
};

/** A type as pg_dump writes it: `character varying(10)`, `timestamp(3) without time zone`, `sales.email`, `text[]`. */
export function typeText(type: TypeName | undefined): string | null {
  const names = textsOf(type?.names);
  const last = names.at(-1);
  if (last === undefined) {
    return null;
  }
  const builtIn = names[0] === "pg_catalog" || (names.length === 1 && last !== "char");
  const base = builtIn ? builtInName(last) : names.map(quoteIdentifier).join(".");
  // The grammar encodes the fields of an interval as a number: of no use here.
  const modifiers = last === "interval" ? [] : (type?.typmods ?? []).flatMap(integerOf);
  const suffix = modifiers.length === 0 ? "" : `(${modifiers.join(",")})`;
  const modified = base.endsWith(" time zone") ? base.replace(" ", `${suffix} `) : `${base}${suffix}`;
  return (type?.arrayBounds?.length ?? 0) > 0 ? `${modified}[]` : modified;
}

/** `numeric` and its like are keywords, and are written bare all the same; `"char"` alone is not the type of that keyword. */
function builtInName(name: string): string {
  return SPELLING[name] ?? (/^[a-z][a-z0-9_]*$/.test(name) && name !== "char" ? name : quoteIdentifier(name));
}

function integerOf(node: Node): number[] {
  return "A_Const" in node && node.A_Const.ival !== undefined ? [node.A_Const.ival.ival ?? 0] : [];
}

/** Names a user-defined type as {@link typeText} would. */
export function typeNameText(name: TableName): string {
  return formatTableName(name);
}

/** Column definitions among the elements of a CREATE TABLE. */
export function columnDefsOf(elements: readonly Node[] | undefined): ColumnDef[] {
  return (elements ?? []).flatMap((node) => ("ColumnDef" in node ? [node.ColumnDef] : []));
}

/** The commands of the ALTER TABLE statements among an entry's statements, each with its table. */
export function alterations(statements: readonly Node[] | undefined, entry: TocEntry) {
  return (statements ?? []).flatMap((statement) => {
    if (!("AlterTableStmt" in statement)) {
      return [];
    }
    const table = tableOf(statement.AlterTableStmt.relation, entry);
    return (statement.AlterTableStmt.cmds ?? []).flatMap((node) =>
      "AlterTableCmd" in node ? [{ table, command: node.AlterTableCmd }] : [],
    );
  });
}
