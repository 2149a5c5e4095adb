/**
 * Along which references erasure travels, and whether it leaves any row dangling.
 *
 * Every `via`, and every foreign key to a table that may lose rows, becomes an edge between rule owners. A foreign key
 * whose child would keep pointing at a deleted row refuses the policy: the constraint could not be restored.
 */

import { columnExists } from "./check-columns.ts";
import type { TypeCatalog } from "./column-types.ts";
import { checkChangedKeys, columnPairs, danglingProblem, mayLoseRows } from "./dangling.ts";
import { type DumpTables, distinctOwners } from "./dump-tables.ts";
import {
  type CoveredTable,
  type ErasureEdge,
  type ForeignKey,
  type TableClass,
  type TableName,
  tableKey,
  type ViaReference,
} from "./model.ts";
import { columnLabel, sameTable, tableLabel } from "./names.ts";
import type { Problems } from "./problems.ts";
import { checkReferenceTexts } from "./reference-texts.ts";

export interface EdgeInput {
  readonly tables: DumpTables;
  readonly foreignKeys: readonly ForeignKey[];
  readonly types: TypeCatalog;
  readonly problems: Problems;
}

/** All edges, each once; `via` before the foreign key that says the same. Reports what would dangle. */
export function findEdges(input: EdgeInput): ErasureEdge[] {
  const edges = new EdgeSet();
  for (const owner of distinctOwners(input.tables.covered)) {
    if (owner.rule.kind === "rule") {
      for (const via of owner.rule.via) {
        addVia(input, edges, owner, via);
      }
    }
  }
  for (const key of input.foreignKeys) {
    addForeignKey(input, edges, key);
    checkChangedKeys(input.tables, input.problems, key);
  }
  checkReferenceTexts(edges.list, input.tables, input.types, input.problems);
  // A refused reference leaves a gap that is no second problem.
  if (input.problems.count === 0) {
    checkReachable(input, edges.list);
  }
  return edges.list;
}

class EdgeSet {
  readonly #edges = new Map<string, ErasureEdge>();

  add(edge: ErasureEdge): void {
    const key = JSON.stringify([
      tableKey(edge.child),
      tableKey(edge.parent),
      columnPairs(edge.columns, edge.referenced),
    ]);
    if (!this.#edges.has(key)) {
      this.#edges.set(key, edge);
    }
  }

  get list(): ErasureEdge[] {
    return [...this.#edges.values()];
  }
}

function addVia(input: EdgeInput, edges: EdgeSet, owner: CoveredTable, via: ViaReference): void {
  const { problems, tables } = input;
  const child = owner.ruleOf;
  const label = tableLabel(via.references);
  if (!tables.has(via.references)) {
    problems.add(child, `goes via ${label}, which is not in the dump`);
    return;
  }
  const parents = tables.ownersOf(via.references);
  for (const parent of parents) {
    const reason = neverErased(parent.rule);
    if (reason !== undefined) {
      problems.add(
        child,
        `goes via ${label}, whose rows are never erased: ${reason}`,
        `give ${label} a rule, or leave out via`,
      );
      return;
    }
  }
  const references =
    via.columns === null
      ? keysBetween(input, owner, via.references)
      : [{ columns: via.columns, referenced: via.referenced ?? [] }];
  if (references.length === 0 && parents.length > 0) {
    problems.add(
      child,
      `goes via ${label}, and no foreign key of the dump joins them`,
      `spell it out: via: { columns: […], references: ${label}, referenced: […] }`,
    );
  }
  for (const { columns, referenced } of references) {
    for (const parent of parents) {
      if (via.columns !== null) {
        checkSpelledOut(input, owner, parent, columns, referenced);
      }
      edges.add({ child, columns, parent: parent.ruleOf, referenced, origin: "via" });
    }
  }
}

/** Foreign keys from a rule owner's data to a table: declared on the table itself, its partitions, or the table above. */
function keysBetween(input: EdgeInput, owner: CoveredTable, references: TableName): readonly ForeignKey[] {
  const { tables } = input;
  const targets = new Set(tables.membersOf(references));
  return input.foreignKeys.filter(
    (key) =>
      tables.membersOf(key.child).some((member) => sameTable(member.ruleOf, owner.ruleOf)) &&
      (sameTable(key.parent, references) || tables.membersOf(key.parent).some((member) => targets.has(member))),
  );
}

function checkSpelledOut(
  input: EdgeInput,
  child: CoveredTable,
  parent: CoveredTable,
  columns: readonly string[],
  referenced: readonly string[],
): void {
  for (const [index, column] of columns.entries()) {
    const other = referenced[index] ?? "";
    if (!columnExists(input.problems, child, column, "via.columns")) {
      continue;
    }
    if (!parent.copyColumns.includes(other)) {
      input.problems.add(
        child.ruleOf,
        `goes via ${tableLabel(parent.ruleOf)}, which has no column ${columnLabel(other)} (via.referenced)`,
      );
      continue;
    }
    const kinds = [child.columns.get(column), parent.columns.get(other)].map(
      (each) => input.types.facts(each?.type ?? null).kind,
    );
    if (!kinds.includes("unknown") && kinds[0] !== kinds[1]) {
      input.problems.add(
        child.ruleOf,
        `goes via ${tableLabel(parent.ruleOf)} by columns of different types (${columnLabel(column)}, ${columnLabel(other)}): their texts would never be equal`,
      );
    }
  }
}

function addForeignKey(input: EdgeInput, edges: EdgeSet, key: ForeignKey): void {
  for (const child of input.tables.ownersOf(key.child)) {
    for (const parent of input.tables.ownersOf(key.parent)) {
      if (child.rule.kind === "skip_data") {
        continue;
      }
      if (parent.rule.kind === "skip_data") {
        input.problems.add(
          child.ruleOf,
          `refers to ${tableLabel(parent.ruleOf)} by ${columnLabel(key.name)}, and none of its rows are loaded (skip_data)`,
          `classify ${tableLabel(child.ruleOf)} as skip_data too`,
        );
      } else if (mayLoseRows(parent.rule)) {
        const problem = danglingProblem(input.tables, child, parent, key);
        if (problem !== undefined) {
          input.problems.add(
            child.ruleOf,
            `refers to ${tableLabel(parent.ruleOf)} by ${columnLabel(key.name)} (${key.columns.map(columnLabel).join(", ")}), and rows of ${tableLabel(parent.ruleOf)} may be deleted${problem.fact}`,
            problem.hint,
          );
        }
        edges.add({
          child: child.ruleOf,
          columns: key.columns,
          parent: parent.ruleOf,
          referenced: key.referenced,
          origin: "foreign key",
        });
      }
    }
  }
}

function neverErased(rule: TableClass): string | undefined {
  if (rule.kind !== "rule") {
    return `it is ${rule.kind}`;
  }
  if (rule.action === "retain") {
    return "its rule retains them";
  }
  // rows that are anonymised stay, and what hangs on them too, unless a request may ask for them to be deleted
  return mayLoseRows(rule) ? undefined : "its rule anonymises them, and no request can ask for more";
}

/** Rules that only go via each other, with no match anywhere above, would never meet a row. */
function checkReachable(input: EdgeInput, edges: readonly ErasureEdge[]): void {
  const owners = distinctOwners(input.tables.covered);
  const reached = new Set(owners.filter((owner) => isStart(input, owner.rule)).map((owner) => tableKey(owner.ruleOf)));
  const below = new Map<string, string[]>();
  for (const edge of edges) {
    below.set(tableKey(edge.parent), [...(below.get(tableKey(edge.parent)) ?? []), tableKey(edge.child)]);
  }
  const open = [...reached];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const child of below.get(next) ?? []) {
      if (!reached.has(child)) {
        reached.add(child);
        open.push(child);
      }
    }
  }
  for (const owner of owners) {
    if (owner.rule.kind === "rule" && !reached.has(tableKey(owner.ruleOf))) {
      input.problems.add(
        owner.ruleOf,
        "only goes via tables that no match leads to, so that its rows are never met",
        "add a match to this rule or to one above it",
      );
    }
  }
}

/** A rule that finds rows by itself; or whose parents have no data in this dump, so that nothing can be told. */
function isStart(input: EdgeInput, rule: TableClass): boolean {
  return (
    rule.kind === "rule" &&
    (rule.match.length > 0 || rule.via.some((via) => input.tables.membersOf(via.references).length === 0))
  );
}
