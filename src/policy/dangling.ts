/**
 * Which foreign keys the policy would leave pointing at nothing: the constraint could not be restored, hours into a run.
 */

import type { DumpTables } from "./dump-tables.ts";
import type { ColumnChange, CoveredTable, ForeignKey, TableClass, ViaReference } from "./model.ts";
import { columnLabel, sameTable, tableLabel } from "./names.ts";
import type { Problems } from "./problems.ts";
import { ANONYMISED_SCOPE, DEFERRED_SCOPE } from "./schema.ts";

/** What is wrong with a child's class, given that rows of `parent` may be deleted; `undefined` when nothing is. */
export function danglingProblem(
  tables: DumpTables,
  child: CoveredTable,
  parent: CoveredTable,
  key: ForeignKey,
): { fact: string; hint: string } | undefined {
  const columns = key.columns.map(columnLabel);
  const setNull = `action: anonymise with set: { ${columns.map((column) => `${column}: null`).join(", ")} }`;
  const rule = child.rule;
  if (rule.kind !== "rule") {
    const first =
      key.onDelete === "n" ? `via: ${tableLabel(parent.ruleOf)} with ${setNull}` : `via: ${tableLabel(parent.ruleOf)}`;
    return { fact: "", hint: `classify ${tableLabel(child.ruleOf)} with ${first}, or by match` };
  }
  const covered =
    rule.match.some((match) => match.path === null && key.columns.includes(match.column)) ||
    rule.via.some((via) => viaCovers(tables, via, parent, key));
  if (!covered) {
    return { fact: ", which its rule does not follow", hint: `add via: ${tableLabel(parent.ruleOf)}` };
  }
  if (rule.action !== "delete" && !letsGo(rule.set, key)) {
    return {
      fact: `, while action: ${rule.action} keeps the row and its reference`,
      hint: `set ${columns.join(", ")} to null or to a value`,
    };
  }
  if (
    rule.scope === DEFERRED_SCOPE &&
    !letsGo(rule.pendingSet, key) &&
    scopesOf(tables, parent).some((scope) => scope !== DEFERRED_SCOPE)
  ) {
    return {
      fact: `, while its own rows may still be pending (scope ${DEFERRED_SCOPE})`,
      hint: `pending: { set: { ${columns.map((column) => `${column}: null`).join(", ")} } }, or another value`,
    };
  }
  return undefined;
}

/** The scopes by which rows of a table may go: its own, or those of the tables it goes via. */
function scopesOf(tables: DumpTables, owner: CoveredTable, seen = new Set<CoveredTable>()): readonly string[] {
  if (owner.rule.kind !== "rule" || seen.has(owner)) {
    return [];
  }
  seen.add(owner);
  const parents = owner.rule.via.flatMap((via) => tables.ownersOf(via.references));
  const inherited = parents.flatMap((parent) => scopesOf(tables, parent, seen));
  return owner.rule.scope === null ? inherited : [owner.rule.scope, ...inherited];
}

function viaCovers(tables: DumpTables, via: ViaReference, parent: CoveredTable, key: ForeignKey): boolean {
  const reaches = tables.membersOf(via.references).some((member) => sameTable(member.ruleOf, parent.ruleOf));
  return (
    reaches &&
    (via.columns === null ||
      columnPairs(via.columns, via.referenced ?? []) === columnPairs(key.columns, key.referenced))
  );
}

/** The changed row no longer refers to the deleted one: a null anywhere (MATCH SIMPLE), else every column replaced. */
function letsGo(set: ReadonlyMap<string, ColumnChange>, key: ForeignKey): boolean {
  const kinds = key.columns.map((column) => set.get(column)?.kind);
  const everyColumn = kinds.every((kind) => kind === "null" || kind === "value");
  return (kinds.includes("null") && !key.matchFull) || everyColumn;
}

/** A change must neither break a reference half-way nor alter what others refer to. */
export function checkChangedKeys(tables: DumpTables, problems: Problems, key: ForeignKey): void {
  for (const child of tables.ownersOf(key.child)) {
    for (const set of changesOf(child.rule)) {
      const kinds = key.columns.map((column) => set.get(column)?.kind);
      if (kinds.some((kind) => kind === "truncate" || kind === "redact")) {
        problems.add(
          child.ruleOf,
          `truncates or redacts a column of its foreign key ${columnLabel(key.name)}`,
          "set null or a value",
        );
      }
      if (key.matchFull && kinds.includes("null") && !kinds.every((kind) => kind === "null")) {
        problems.add(
          child.ruleOf,
          `sets part of its foreign key ${columnLabel(key.name)} to null, which is MATCH FULL`,
          "set all of its columns to null",
        );
      }
    }
  }
  const referring = tables.membersOf(key.child).some((member) => member.rule.kind !== "skip_data");
  for (const parent of referring ? tables.ownersOf(key.parent) : []) {
    const changed = changesOf(parent.rule).flatMap((set) => key.referenced.filter((column) => set.has(column)));
    if (changed.length > 0) {
      problems.add(
        parent.ruleOf,
        `changes column ${columnLabel(changed[0] ?? "")}, which ${tableLabel(key.child)} refers to by ${columnLabel(key.name)}`,
        "leave out the change, or delete the row",
      );
    }
  }
}

function changesOf(rule: TableClass): readonly ReadonlyMap<string, ColumnChange>[] {
  return rule.kind === "rule" ? [rule.set, rule.pendingSet] : [];
}

/** Rows of the table may be missing after a run: deleted by the rule, or because a request asks for more than anonymising. */
export function mayLoseRows(rule: TableClass): boolean {
  if (rule.kind !== "rule") {
    return false;
  }
  return rule.action === "delete" || (rule.action === "anonymise" && rule.scope === ANONYMISED_SCOPE);
}

/** The pairs of a reference, whatever order they are written in. */
export function columnPairs(columns: readonly string[], referenced: readonly string[]): string {
  return JSON.stringify(columns.map((column, index) => JSON.stringify([column, referenced[index]])).sort());
}
