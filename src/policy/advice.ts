/** What a careful reader would remark on a policy that covers its dump. Never refuses a run. */

import { type DumpTables, distinctOwners } from "./dump-tables.ts";
import { largeObjectAdvice } from "./large-object-columns.ts";
import type { CoveredTable, ErasureEdge, Policy } from "./model.ts";
import { namedColumns } from "./named-columns.ts";
import { columnLabel, sameTable, tableLabel } from "./names.ts";
import { looksPersonal, type PersonalKind, wordsOf } from "./personal-columns.ts";
import type { DumpSchema } from "./table-definition.ts";

export interface AdviceInput {
  readonly policy: Policy;
  readonly schema: DumpSchema;
  readonly tables: DumpTables;
  readonly edges: readonly ErasureEdge[];
  /** The dump holds large objects. */
  readonly largeObjects: boolean;
}

/** One line for each remark, in the order of the dump; what concerns large objects last. */
export function advise(input: AdviceInput): string[] {
  const ofTables = distinctOwners(input.tables.covered).flatMap((table) => [
    ...personalColumns(input, table),
    ...changedKeys(input, table),
    ...movedPartitions(input, table),
    ...looseComparisons(input, table),
  ]);
  return [...ofTables, ...(input.largeObjects ? largeObjectAdvice(input.tables) : [])];
}

/** In a table whose rows are deleted whole, only a key by which more rows could be found matters. */
function personalColumns(input: AdviceInput, table: CoveredTable): string[] {
  if (table.rule.kind === "skip_data") {
    return [];
  }
  const named = namedColumns(input.policy, table, input.edges);
  const guesses = table.copyColumns.flatMap((column) => {
    const kind = looksPersonal(column, input.schema.types.facts(table.columns.get(column)?.type ?? null).kind);
    return kind === undefined ? [] : [{ column, kind }];
  });
  const matters = (kind: PersonalKind): boolean =>
    table.rule.kind !== "rule" || table.rule.action !== "delete" || kind === "email" || kind === "phone";
  return guesses
    .filter(
      ({ column, kind }) => !named.has(column) && matters(kind) && (wordsOf(column) !== "name" || guesses.length > 1),
    )
    .map(
      ({ column, kind }) =>
        `${tableLabel(table.ruleOf)} column ${columnLabel(column)} looks like personal data (${kind}) and no rule names it`,
    );
}

function changedKeys(input: AdviceInput, table: CoveredTable): string[] {
  const { rule } = table;
  if (rule.kind !== "rule") {
    return [];
  }
  return input.schema.uniqueKeys(table.name).flatMap((key) => {
    const kinds = key.columns.flatMap((column) => rule.set.get(column)?.kind ?? []);
    const apart = kinds.includes("null") && !key.nullsNotDistinct;
    return kinds.length === 0 || apart
      ? []
      : [
          `${tableLabel(table.ruleOf)} changes part of the unique key ${columnLabel(key.name)}: two changed rows could collide when it is built`,
        ];
  });
}

function movedPartitions(input: AdviceInput, table: CoveredTable): string[] {
  const { rule } = table;
  if (rule.kind !== "rule") {
    return [];
  }
  const keys = new Set(
    input.schema.ancestors(table.name).flatMap((name) => input.schema.table(name)?.partitionKey ?? []),
  );
  return [...rule.set.keys()]
    .filter((column) => keys.has(column))
    .map(
      (column) =>
        `${tableLabel(table.ruleOf)} changes column ${columnLabel(column)} of its partition key: a row may no longer fit its partition`,
    );
}

/** Edges compare texts; PostgreSQL may call different texts equal. */
function looseComparisons(input: AdviceInput, table: CoveredTable): string[] {
  return input.edges
    .filter((edge) => sameTable(edge.child, table.ruleOf))
    .flatMap((edge) =>
      edge.columns.map((column) => ({
        column,
        facts: input.schema.types.facts(table.columns.get(column)?.type ?? null),
        edge,
      })),
    )
    .filter(({ facts }) => facts.kind === "number" || facts.base?.endsWith("citext") === true)
    .map(
      ({ column, facts, edge }) =>
        `${tableLabel(table.ruleOf)} column ${columnLabel(column)} refers to ${tableLabel(edge.parent)} as ${facts.base}: equal values written differently are not followed`,
    );
}
