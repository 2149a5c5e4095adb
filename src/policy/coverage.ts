/**
 * Does the policy cover the dump? Every table classified, every column it names there and fit for what is done with it,
 * every new column noticed, no foreign key left dangling (DESIGN §2.3, §4).
 *
 * Invariant: the answer is a Coverage or one refusal with every problem; there is no partial cover.
 */

import type { Archive } from "../archive/model.ts";
import { advise } from "./advice.ts";
import { checkLargeObjectColumns, checkRuleColumns, columnExists } from "./check-columns.ts";
import { classifyTables, type DumpTables, type ParseCopy } from "./dump-tables.ts";
import { findEdges } from "./erasure-edges.ts";
import { readForeignKeys } from "./foreign-keys.ts";
import { holdsLargeObjects } from "./large-object-columns.ts";
import type { Coverage, CoveredTable, ErasureEdge, Policy } from "./model.ts";
import { namedColumns } from "./named-columns.ts";
import { columnLabel, tableLabel } from "./names.ts";
import { Problems } from "./problems.ts";
import { DumpSchema } from "./table-definition.ts";

export interface CoverageOptions {
  /** The operator's zone for timestamps without zone; the policy's own comes first. */
  readonly timezone: string | null;
  readonly parseCopy: ParseCopy;
}

/**
 * Compares a policy with a dump's table of contents; no data is read.
 * @throws PolicyRefused (`policy_coverage`) listing every problem; (`foreign_key_unreadable`) naming a dump ID.
 */
export async function coverPolicy(
  policy: Policy,
  archive: Pick<Archive, "toc">,
  options: CoverageOptions,
): Promise<Coverage> {
  const { toc } = archive;
  const [schema, foreignKeys] = await Promise.all([DumpSchema.read(toc), readForeignKeys(toc)]);
  const problems = new Problems(policy);
  for (const dumpId of schema.unreadableAttachments) {
    problems.addGeneral(
      `the partition of dump ID ${dumpId} cannot be read`,
      "the dump may come from a newer PostgreSQL than this tool knows",
    );
  }
  const tables = classifyTables(policy, toc, schema, options.parseCopy, problems);
  const largeObjects = holdsLargeObjects(toc);
  const checks = { policy, schema, problems, timezone: policy.timezone ?? options.timezone, largeObjects };
  const readable = tables.covered.filter((table) => checkFormat(toc, table, problems));
  for (const table of readable) {
    if (table.rule.kind === "rule") {
      checkRuleColumns(checks, table, table.rule);
    } else {
      checkLargeObjectColumns(checks, table);
    }
  }
  checkSubject(policy, tables, problems);
  checkNames(policy, readable, problems);
  const edges = findEdges({ tables, foreignKeys, types: schema.types, problems });
  for (const table of readable) {
    checkDrift(policy, table, edges, problems);
  }
  problems.refuse();
  return {
    policy,
    tables: new Map(tables.covered.map((table) => [table.dumpId, table])),
    edges,
    foreignKeys,
    advice: advise({ policy, schema, tables, edges, largeObjects }),
  };
}

/** Rows of INSERT statements cannot be filtered yet: only tables that are loaded or skipped whole may come as such. */
function checkFormat(toc: Archive["toc"], table: CoveredTable, problems: Problems): boolean {
  const inserts = toc.some((entry) => entry.dumpId === table.dumpId && entry.copyStmt === null);
  if (inserts && table.rule.kind === "rule") {
    problems.add(
      table.name,
      "has a rule, and its data are INSERT statements, which cannot be filtered yet",
      "make the backup without --inserts",
    );
  }
  return !inserts;
}

/** Names can be taken out of a text only when somebody says what they are. */
function checkNames(policy: Policy, tables: readonly CoveredTable[], problems: Problems): void {
  if (policy.subject?.keys.some(({ type }) => type === "name" || type === "names")) return;
  for (const { rule, ruleOf } of tables) {
    const changes = rule.kind === "rule" ? [...rule.set.values(), ...rule.pendingSet.values()] : [];
    if (changes.some((change) => change.kind === "redact" && change.what.includes("names"))) {
      problems.add(
        ruleOf,
        "redacts names, and subject does not say which column holds them",
        "subject: { name: <column>, … }",
      );
    }
  }
}

function checkSubject(policy: Policy, tables: DumpTables, problems: Problems): void {
  const subject = policy.subject;
  if (subject === null) {
    return;
  }
  const members = tables.membersOf(subject.table);
  if (members.length === 0) {
    problems.add(
      subject.table,
      "is the subject table and has no data in this dump",
      "without it, no identifier leads to another",
    );
  }
  for (const member of members) {
    for (const { type, column } of subject.keys) {
      columnExists(problems, member, column, `subject.${type}`);
    }
  }
}

/** A table whose columns are listed is listed whole: a new column may hold personal data that no rule knows of. */
function checkDrift(policy: Policy, table: CoveredTable, edges: readonly ErasureEdge[], problems: Problems): void {
  if (table.rule.kind === "skip_data" || table.rule.columns === null) {
    return;
  }
  for (const column of table.rule.columns.keys()) {
    if (!table.columns.has(column)) {
      problems.add(table.ruleOf, `has no column ${columnLabel(column)} (columns)`, "take it out of the list");
    }
  }
  const named = namedColumns(policy, table, edges);
  for (const column of table.copyColumns.filter((name) => !named.has(name))) {
    problems.add(
      table.ruleOf,
      `has a column ${columnLabel(column)} that its rule does not name`,
      `decide what it holds, then list it under columns of ${tableLabel(table.ruleOf)}`,
    );
  }
}
