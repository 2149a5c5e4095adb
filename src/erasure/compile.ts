/** Turns a covered dump into table plans: names into field indexes, edges into shared sets of parent keys. */
import { randomBytes } from "node:crypto";
import { type CharacterLength, escapeField } from "../copy/fields.ts";
import { maxProbes, type RowKernel } from "../copy/row-kernel.ts";
import { PolicyRefused } from "../errors.ts";
import { type ColumnChange, type Coverage, type CoveredTable, type TableName, tableKey } from "../policy/model.ts";
import { formatTableName } from "../policy/names.ts";
import { parentsFirst } from "./closure.ts";
import { OrdinalLists, ParentKeys } from "./parent-keys.ts";
import type { FieldChange, KeyColumn, TablePlan } from "./table-plan.ts";
import type { TimeKind } from "./zoned-time.ts";

export interface CompiledPlan {
  /** By dump ID of the TABLE DATA entry. */
  readonly tables: ReadonlyMap<number, TablePlan>;
  /** Table plans in the order they must be read to find what goes, parents first; a group of several is a cycle. */
  readonly order: readonly (readonly TablePlan[])[];
  /** Every set of parent keys, under a name for the plan's digest. */
  readonly parents: ReadonlyMap<string, ParentKeys>;
}

export interface CompileOptions {
  readonly kernel: RowKernel;
  readonly encode: (text: string) => Buffer;
  readonly characterLength: CharacterLength | undefined;
  /** The dump holds large objects. */
  readonly largeObjects: boolean;
}

export function compilePlan(coverage: Coverage, options: CompileOptions): CompiledPlan {
  const parents = new Map<string, ParentKeys>();
  const lists = new OrdinalLists();
  for (const edge of coverage.edges) {
    const name = parentName(edge.parent, edge.referenced);
    if (!parents.has(name)) parents.set(name, new ParentKeys(edge.referenced, options.kernel, randomBytes(16), lists));
  }
  const groups = groupsOf(coverage);
  const groupOf = new Map(groups.flatMap((group, n) => group.map((name) => [name, n] as const)));
  const tables = new Map<number, TablePlan>();
  for (const covered of coverage.tables.values()) {
    tables.set(covered.dumpId, compileTable(covered, coverage, parents, groupOf, options));
  }
  const byOwner = new Map<string, TablePlan[]>();
  for (const plan of tables.values()) {
    const owner = tableKey(plan.covered.ruleOf);
    byOwner.set(owner, [...(byOwner.get(owner) ?? []), plan]);
  }
  const order = groups
    .map((group) => group.flatMap((name) => byOwner.get(name) ?? []))
    .filter((group) => group.length > 0);
  return { tables, order, parents };
}

function parentName(parent: TableName, referenced: readonly string[]): string {
  return JSON.stringify([tableKey(parent), ...referenced]);
}

function groupsOf(coverage: Coverage): readonly (readonly string[])[] {
  const graph = new Map<string, Set<string>>();
  for (const covered of coverage.tables.values()) graph.set(tableKey(covered.ruleOf), new Set());
  for (const { child, parent } of coverage.edges) {
    const references = graph.get(tableKey(child));
    if (references && graph.has(tableKey(parent))) references.add(tableKey(parent));
  }
  return parentsFirst(graph);
}

function compileTable(
  covered: CoveredTable,
  coverage: Coverage,
  parents: ReadonlyMap<string, ParentKeys>,
  groupOf: ReadonlyMap<string, number>,
  options: CompileOptions,
): TablePlan {
  const rule = covered.rule.kind === "rule" ? covered.rule : null;
  const fields = fieldsOf(covered);
  const owner = tableKey(covered.ruleOf);
  const subject = coverage.policy.subject;
  const edges = coverage.edges.filter((edge) => rule && tableKey(edge.child) === owner);
  const exposed = new Map(
    coverage.edges
      .filter((edge) => tableKey(edge.parent) === owner)
      .map((edge) => [parentName(edge.parent, edge.referenced), edge.referenced] as const),
  );
  return {
    dumpId: covered.dumpId,
    label: formatTableName(covered.name),
    columns: covered.copyColumns,
    covered,
    kind: covered.rule.kind,
    rule,
    keys: (rule?.match ?? []).map(
      (match): KeyColumn => ({
        type: match.type,
        field: fields(match.column),
        path: match.path,
        when: Object.entries(match.when).map(([column, text]) => ({
          field: fields(column),
          raw: escapeField(options.encode(text), options.characterLength),
        })),
      }),
    ),
    edges: edges.map((edge) => ({
      fields: edge.columns.map(fields),
      parents: parents.get(parentName(edge.parent, edge.referenced))!,
      cyclic: groupOf.get(tableKey(edge.parent)) === groupOf.get(owner),
    })),
    exposes: rule
      ? [...exposed].map(([name, columns]) => ({ fields: columns.map(fields), keys: parents.get(name)! }))
      : [],
    createdAt: rule?.createdAt ? { field: fields(rule.createdAt), kind: timeKind(covered, rule.createdAt) } : null,
    set: compileChanges(rule?.set, fields),
    pendingSet: compileChanges(rule?.pendingSet, fields),
    ...largeObjectFields(covered, fields, options),
    subject:
      subject && tableKey(subject.table) === owner
        ? subject.keys.map(({ type, column }) => ({ type, field: fields(column) }))
        : [],
  };
}

function largeObjectFields(
  { rule, name, oidColumns }: CoveredTable,
  fields: (column: string) => number,
  options: CompileOptions,
): Pick<TablePlan, "largeObjects" | "references"> {
  if (!options.largeObjects || rule.kind === "skip_data") return { largeObjects: [], references: [] };
  const declared = (rule.largeObjects ?? []).map(fields);
  const references = [...new Set([...declared, ...oidColumns.map(fields)])].sort((a, b) => a - b);
  if (references.length > maxProbes) {
    throw new PolicyRefused(
      `table ${formatTableName(name)} has ${references.length} columns that may refer to large objects, ${maxProbes} are possible`,
      { code: "too_many_keys", hint: "dump such a table by itself" },
    );
  }
  return { largeObjects: rule.kind === "rule" ? declared : [], references };
}

function compileChanges(
  set: ReadonlyMap<string, ColumnChange> | undefined,
  fields: (column: string) => number,
): FieldChange[] {
  return [...(set ?? [])].map(([column, change]) => ({ field: fields(column), change }));
}

/** Column name to field index. Coverage has checked the names against the table; COPY may still leave one out. */
function fieldsOf(covered: CoveredTable): (column: string) => number {
  return (column) => {
    const field = covered.copyColumns.indexOf(column);
    if (field >= 0) return field;
    throw new PolicyRefused(
      `table ${formatTableName(covered.name)}: column ${column} is not among the data of the dump`,
      {
        code: "column_without_data",
        hint: "a generated column is never dumped: name the columns it is made of",
      },
    );
  };
}

function timeKind(covered: CoveredTable, column: string): TimeKind {
  const type = covered.columns.get(column)?.type ?? "";
  if (/^date$/i.test(type)) return "date";
  return /with time zone|timestamptz/i.test(type) ? "timestamptz" : "timestamp";
}
