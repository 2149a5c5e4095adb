/**
 * Columns that hold OIDs of large objects: what a rule says of them, and what a dump has that no rule speaks of. A large
 * object is bytes of a person like any other (a picture, a scanned passport), and nothing but such a column leads to it.
 *
 * Invariant: in a dump with large objects, no rule takes rows away without saying what becomes of those they refer to.
 */

import type { TocEntry } from "../archive/model.ts";
import { type DumpTables, distinctOwners } from "./dump-tables.ts";
import type { CoveredTable, TableRule } from "./model.ts";
import { columnLabel, tableLabel } from "./names.ts";
import type { Problems } from "./problems.ts";
import type { DumpSchema } from "./table-definition.ts";

export interface LargeObjectChecks {
  readonly schema: DumpSchema;
  readonly problems: Problems;
  /** The dump holds large objects. */
  readonly largeObjects: boolean;
}

/** The dump holds large objects. Archives up to 1.11 name them in their data alone. */
export function holdsLargeObjects(toc: readonly TocEntry[]): boolean {
  return toc.some(({ desc }) => desc === "BLOB" || desc === "BLOB METADATA" || desc === "BLOBS");
}

/** Types a declared column may have: those of OIDs, and the numbers that object mappers keep OIDs in. */
const OID_KINDS: ReadonlySet<string> = new Set(["oid", "integer", "unknown"]);

/** Reports columns that are named in `large_objects` and cannot hold OIDs. All of them are in the table. */
export function checkDeclaredColumns(checks: LargeObjectChecks, table: CoveredTable, columns: readonly string[]): void {
  for (const column of columns) {
    if (!OID_KINDS.has(checks.schema.types.facts(table.columns.get(column)?.type ?? null).kind)) {
      checks.problems.add(
        table.ruleOf,
        `column ${columnLabel(column)} is named in large_objects and does not hold OIDs`,
      );
    }
  }
}

/** Reports what a rule leaves open, or would leave behind unreachable. */
export function checkLargeObjectRule(checks: LargeObjectChecks, table: CoveredTable, rule: TableRule): void {
  for (const column of rule.largeObjects.filter((name) => rule.pendingSet.has(name))) {
    checks.problems.add(
      table.ruleOf,
      `pending: set changes column ${columnLabel(column)}, and nothing would lead to its large object when the time comes`,
      "leave the column as it is while the request is pending",
    );
  }
  if (!checks.largeObjects) {
    return;
  }
  for (const column of table.oidColumns) {
    const declared = rule.largeObjects.includes(column) || rule.columns?.has(column) === true;
    if (!declared && (rule.action !== "retain" || rule.set.has(column))) {
      checks.problems.add(
        table.ruleOf,
        `column ${columnLabel(column)} holds OIDs, the dump holds large objects, and the rule does not say whether they go with the row`,
        `large_objects: [${columnLabel(column)}], or list the column under columns if it holds none`,
      );
    }
  }
}

/** What a reader should know of large objects that stay. */
export function largeObjectAdvice(dumpTables: DumpTables): string[] {
  const tables = dumpTables.covered.filter(({ rule }) => rule.kind !== "skip_data");
  const reached = tables.some(({ rule, oidColumns }) => oidColumns.length > 0 || declaredColumns(rule).length > 0);
  const nowhere =
    "the dump holds large objects, and no column that a rule names or that is of type oid or lo leads to them";
  return [...(reached ? [] : [nowhere]), ...distinctOwners(tables).flatMap(stayingObjects)];
}

export function declaredColumns(rule: CoveredTable["rule"]): readonly string[] {
  return rule.kind === "skip_data" ? [] : (rule.largeObjects ?? []);
}

function stayingObjects({ rule, ruleOf, oidColumns }: CoveredTable): string[] {
  if (rule.kind === "unaffected") {
    return oidColumns
      .filter((column) => !declaredColumns(rule).includes(column) && rule.columns?.has(column) !== true)
      .map(
        (column) =>
          `${tableLabel(ruleOf)} column ${columnLabel(column)} holds OIDs: large objects that its rows refer to stay`,
      );
  }
  if (rule.kind === "skip_data" || rule.action !== "anonymise") {
    return [];
  }
  return rule.largeObjects
    .filter((column) => !rule.set.has(column))
    .map(
      (column) =>
        `${tableLabel(ruleOf)} column ${columnLabel(column)} is in large_objects and not in set: an anonymised row keeps its large object`,
    );
}
