/**
 * Unique keys and NOT NULL constraints that stand in TOC entries of their own (CONSTRAINT, unique INDEX): dumpConstraint
 * and dumpIndex of pg_dump.c.
 */

import type { TocEntry } from "../archive/model.ts";
import { alterations, type Constraint, type DdlParser, tableOf, textsOf } from "./ddl-statement.ts";
import { type TableName, tableKey } from "./model.ts";

export interface UniqueKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly nullsNotDistinct: boolean;
  /** Holds for some rows only. */
  readonly partial: boolean;
}

export interface TableConstraints {
  readonly notNull: Set<string>;
  readonly unique: UniqueKey[];
}

/** Primary keys, unique keys and NOT NULL constraints that stand in entries of their own. What cannot be parsed adds none. */
export function readConstraints(toc: readonly TocEntry[], parser: DdlParser): Map<string, TableConstraints> {
  const byTable = new Map<string, TableConstraints>();
  const of = (table: TableName): TableConstraints => {
    const constraints = byTable.get(tableKey(table)) ?? { notNull: new Set<string>(), unique: [] };
    byTable.set(tableKey(table), constraints);
    return constraints;
  };
  for (const entry of toc) {
    if (entry.desc === "CONSTRAINT") {
      for (const { table, command } of alterations(parser.statements(entry), entry)) {
        if (command.def !== undefined && "Constraint" in command.def) {
          addConstraint(of(table), command.def.Constraint);
        }
      }
    } else if (entry.desc === "INDEX" && entry.defn?.startsWith("CREATE UNIQUE INDEX")) {
      addUniqueIndex(entry, parser, of);
    }
  }
  return byTable;
}

function addConstraint(constraints: TableConstraints, constraint: Constraint): void {
  const columns = textsOf(constraint.keys);
  if (constraint.contype === "CONSTR_PRIMARY" || constraint.contype === "CONSTR_NOTNULL") {
    for (const column of columns) {
      constraints.notNull.add(column);
    }
  }
  if (constraint.contype === "CONSTR_PRIMARY" || constraint.contype === "CONSTR_UNIQUE") {
    constraints.unique.push({
      name: constraint.conname ?? "",
      columns,
      nullsNotDistinct: constraint.nulls_not_distinct === true,
      partial: false,
    });
  }
}

function addUniqueIndex(entry: TocEntry, parser: DdlParser, of: (table: TableName) => TableConstraints): void {
  for (const statement of parser.statements(entry) ?? []) {
    if (!("IndexStmt" in statement)) {
      continue;
    }
    const index = statement.IndexStmt;
    const columns = (index.indexParams ?? []).map((node) => ("IndexElem" in node ? node.IndexElem.name : undefined));
    // An index over an expression tells nothing about single columns.
    if (columns.every((column) => column !== undefined)) {
      of(tableOf(index.relation, entry)).unique.push({
        name: index.idxname ?? "",
        columns,
        nullsNotDistinct: index.nulls_not_distinct === true,
        partial: index.whereClause !== undefined,
      });
    }
  }
}
