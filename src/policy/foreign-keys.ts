/**
 * The dump's foreign keys, from the FK CONSTRAINT entries (dumpConstraint of pg_dump.c):
 * `ALTER TABLE [ONLY] s.t ADD CONSTRAINT n FOREIGN KEY (a, b) REFERENCES s.p(x, y) …`.
 *
 * Invariant: an unreadable foreign key refuses the run whatever it joins, since a row it protects could be left dangling.
 */

import type { TocEntry } from "../archive/model.ts";
import { PolicyRefused } from "../errors.ts";
import { alterations, type Constraint, type DdlParser, loadDdlParser, tableOf, textsOf } from "./ddl-statement.ts";
import type { ForeignKey, TableName } from "./model.ts";

const ON_DELETE = ["a", "r", "c", "n", "d"] as const;

/** All foreign keys, in the order of the dump. @throws PolicyRefused (`foreign_key_unreadable`) naming the dump ID. */
export async function readForeignKeys(toc: readonly TocEntry[]): Promise<ForeignKey[]> {
  const entries = toc.filter((entry) => entry.desc === "FK CONSTRAINT");
  if (entries.length === 0) {
    return [];
  }
  const parser = await loadDdlParser();
  return entries.map((entry) => readForeignKey(parser, entry));
}

function readForeignKey(parser: DdlParser, entry: TocEntry): ForeignKey {
  for (const { table, command } of alterations(parser.statements(entry), entry)) {
    if (
      command.def !== undefined &&
      "Constraint" in command.def &&
      command.def.Constraint.contype === "CONSTR_FOREIGN"
    ) {
      const key = foreignKeyOf(table, command.def.Constraint, entry);
      if (key.columns.length > 0 && key.columns.length === key.referenced.length) {
        return key;
      }
    }
  }
  throw new PolicyRefused(`the foreign key of dump ID ${entry.dumpId} cannot be read`, {
    code: "foreign_key_unreadable",
    hint: "the dump may come from a newer PostgreSQL than this tool knows; without the key, dangling rows cannot be ruled out",
  });
}

function foreignKeyOf(child: TableName, constraint: Constraint, entry: TocEntry): ForeignKey {
  return {
    name: constraint.conname ?? "",
    child,
    columns: textsOf(constraint.fk_attrs),
    parent: tableOf(constraint.pktable, entry),
    referenced: textsOf(constraint.pk_attrs),
    onDelete: ON_DELETE.find((action) => action === constraint.fk_del_action) ?? "a",
    matchFull: constraint.fk_matchtype === "f",
  };
}
