/** Which columns of a table the policy speaks of: the others are drift, or worth a word of advice. */

import { declaredColumns } from "./large-object-columns.ts";
import type { CoveredTable, ErasureEdge, Policy, TableName, TableRule } from "./model.ts";
import { sameTable } from "./names.ts";

/** Every column of a table that the policy names: in its rule, in its column list, by an edge, or as the subject's key. */
export function namedColumns(policy: Policy, table: CoveredTable, edges: readonly ErasureEdge[]): ReadonlySet<string> {
  const { rule } = table;
  return new Set([
    ...edges.filter((edge) => sameTable(edge.child, table.ruleOf)).flatMap((edge) => edge.columns),
    ...(rule.kind === "rule" ? ruleColumns(rule) : []),
    ...declaredColumns(rule),
    ...(rule.kind === "skip_data" ? [] : (rule.columns?.keys() ?? [])),
    ...subjectColumns(policy, [table.name, table.ruleOf]),
  ]);
}

function subjectColumns({ subject }: Policy, names: readonly TableName[]): readonly string[] {
  return subject !== null && names.some((name) => sameTable(name, subject.table))
    ? subject.keys.map(({ column }) => column)
    : [];
}

function ruleColumns(rule: TableRule): readonly string[] {
  return [
    ...rule.match.flatMap((match) => [match.column, ...Object.keys(match.when)]),
    ...rule.via.flatMap((via) => via.columns ?? []),
    ...(rule.createdAt === null ? [] : [rule.createdAt]),
    ...rule.set.keys(),
    ...rule.pendingSet.keys(),
  ];
}
