/**
 * Which class of the policy each table with data falls under. A partition takes its own, or that of the nearest
 * partitioned table above it.
 *
 * Invariant: identity is the TABLE DATA entry's namespace and tag, which are exact; a COPY into the partition root
 * (`--load-via-partition-root`) still belongs to the leaf it was read from.
 */

import type { TocEntry } from "../archive/model.ts";
import { type ColumnDefinition, type CoveredTable, type Policy, type TableName, tableKey } from "./model.ts";
import { sameTable, tableLabel } from "./names.ts";
import type { Problems } from "./problems.ts";
import type { DumpSchema } from "./table-definition.ts";

/** Reads a COPY statement (copy/statement.ts); `schema` is empty when the statement names none. */
export type ParseCopy = (statement: string) => { schema: string; table: string; columns: readonly string[] };

/** The tables of a dump that have data, classified; and by every name that stands for them. */
export class DumpTables {
  readonly covered: readonly CoveredTable[];
  readonly #members = new Map<string, CoveredTable[]>();
  readonly #schema: DumpSchema;

  constructor(covered: readonly { table: CoveredTable; ancestors: readonly TableName[] }[], schema: DumpSchema) {
    this.#schema = schema;
    this.covered = covered.map(({ table }) => table);
    for (const { table, ancestors } of covered) {
      for (const name of [table.name, ...ancestors]) {
        const members = this.#members.get(tableKey(name)) ?? [];
        members.push(table);
        this.#members.set(tableKey(name), members);
      }
    }
  }

  /** Tables with data that a name stands for: the table itself, or all partitions below it. */
  membersOf(name: TableName): readonly CoveredTable[] {
    return this.#members.get(tableKey(name)) ?? [];
  }

  /** The tables whose rule governs the data a name stands for, each once. */
  ownersOf(name: TableName): readonly CoveredTable[] {
    return distinctOwners(this.membersOf(name));
  }

  /** The name stands for something in the dump, with or without data. */
  has(name: TableName): boolean {
    return this.#members.has(tableKey(name)) || this.#schema.has(name);
  }
}

/** One table for each rule owner, in order. */
export function distinctOwners(tables: readonly CoveredTable[]): readonly CoveredTable[] {
  return [...new Map(tables.map((table) => [tableKey(table.ruleOf), table])).values()];
}

/** Classifies every TABLE DATA entry; reports tables the policy does not know, and tables the dump does not know. */
export function classifyTables(
  policy: Policy,
  toc: readonly TocEntry[],
  schema: DumpSchema,
  parseCopy: ParseCopy,
  problems: Problems,
): DumpTables {
  const covered: { table: CoveredTable; ancestors: readonly TableName[] }[] = [];
  const known = new Set<string>();
  const unclassified = new Unclassified();
  for (const entry of toc.filter(({ desc }) => desc === "TABLE DATA")) {
    const name = { schema: entry.namespace ?? "", name: entry.tag };
    const copy = entry.copyStmt === null ? null : parseCopy(entry.copyStmt);
    const ancestors = withCopyTarget(schema.ancestors(name), name, copy, entry);
    for (const each of [name, ...ancestors]) {
      known.add(tableKey(each));
    }
    const owner = [name, ...ancestors].find((each) => policy.tables.has(tableKey(each)));
    const rule = owner && policy.tables.get(tableKey(owner))?.rule;
    if (owner === undefined || rule === undefined) {
      unclassified.add(name, ancestors);
      continue;
    }
    covered.push({ table: coverTable(entry, name, rule, owner, copy?.columns ?? [], schema), ancestors });
  }
  unclassified.report(problems);
  for (const { name } of policy.tables.values()) {
    if (!known.has(tableKey(name)) && !schema.has(name)) {
      problems.add(name, "is in the policy and not in the dump", "take it out, or correct its name");
    }
  }
  return new DumpTables(covered, schema);
}

function coverTable(
  entry: TocEntry,
  name: TableName,
  rule: CoveredTable["rule"],
  ruleOf: TableName,
  copyColumns: readonly string[],
  schema: DumpSchema,
): CoveredTable {
  const columns = new Map(schema.table(name)?.columns.map((column) => [column.name, behindDomain(column, schema)]));
  for (const column of copyColumns) {
    if (!columns.has(column)) {
      columns.set(column, { name: column, type: null, notNull: false, generated: false });
    }
  }
  const oidColumns = copyColumns.filter(
    (column) => schema.types.facts(columns.get(column)?.type ?? null).kind === "oid",
  );
  return { dumpId: entry.dumpId, name, copyColumns, columns, oidColumns, rule, ruleOf };
}

/** A column of a domain is read and compared as what stands behind the domain. */
function behindDomain(column: ColumnDefinition, schema: DumpSchema): ColumnDefinition {
  const facts = schema.types.facts(column.type);
  return { ...column, type: facts.full ?? column.type, notNull: column.notNull || facts.notNull };
}

/** A data-only dump has no TABLE ATTACH entries, but a COPY into the root still names it. */
function withCopyTarget(
  ancestors: readonly TableName[],
  name: TableName,
  copy: { schema: string; table: string } | null,
  entry: TocEntry,
): readonly TableName[] {
  if (copy === null) {
    return ancestors;
  }
  const target = { schema: copy.schema === "" ? (entry.namespace ?? "") : copy.schema, name: copy.table };
  return [name, ...ancestors].some((each) => sameTable(each, target)) ? ancestors : [...ancestors, target];
}

/** Tables that the policy does not know, the partitions of one table together. */
class Unclassified {
  readonly #tables = new Map<string, { name: TableName; leaves: TableName[] }>();

  add(leaf: TableName, ancestors: readonly TableName[]): void {
    const name = ancestors.at(-1) ?? leaf;
    const table = this.#tables.get(tableKey(name)) ?? { name, leaves: [] };
    table.leaves.push(...(ancestors.length === 0 ? [] : [leaf]));
    this.#tables.set(tableKey(name), table);
  }

  report(problems: Problems): void {
    for (const { name, leaves } of this.#tables.values()) {
      if (leaves.length === 0) {
        problems.add(name, "is in the dump and not in the policy", "classify it: a rule, unaffected or skip_data");
        continue;
      }
      const shown = leaves.slice(0, 3).map(tableLabel).join(", ");
      const more = leaves.length > 3 ? ` and ${leaves.length - 3} more` : "";
      problems.add(
        name,
        `has partitions in the dump that are not in the policy (${shown}${more})`,
        "classify it, or each of them: a rule, unaffected or skip_data",
      );
    }
  }
}
