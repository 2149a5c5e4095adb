/** What the policy does with one table, in sentences: `policy explain`. */

import {
  type ColumnChange,
  type Coverage,
  type CoveredTable,
  type TableName,
  type TableRule,
  tableKey,
} from "./model.ts";
import { columnLabel, sameTable, tableLabel } from "./names.ts";

/** Plain text, one fact a line. Names no row's content: `set` values are shown as they stand in the policy. */
export function explainTable(coverage: Coverage, name: TableName): string {
  const tables = [...coverage.tables.values()].filter(
    (table) => sameTable(table.name, name) || sameTable(table.ruleOf, name),
  );
  const table = tables[0];
  if (table === undefined) {
    const known = coverage.policy.tables.has(tableKey(name));
    return known
      ? `${tableLabel(name)} has no data in this dump.`
      : `${tableLabel(name)} is neither in the policy nor in the dump.`;
  }
  const position = coverage.policy.tables.get(tableKey(table.ruleOf))?.position;
  const lines = [
    `${tableLabel(name)}${position === undefined ? "" : ` (${position})`}`,
    ...ownership(tables, name),
    ...classLines(coverage, table),
  ];
  const advice = coverage.advice.filter((remark) => remark.startsWith(`${tableLabel(table.ruleOf)} `));
  return [...lines, ...advice.map((remark) => `Note: ${remark}.`)].join("\n");
}

function ownership(tables: readonly CoveredTable[], name: TableName): string[] {
  const others = tables.filter((table) => !sameTable(table.name, name));
  const owner = tables[0]?.ruleOf ?? name;
  return [
    ...(sameTable(owner, name) ? [] : [`Takes the rule of ${tableLabel(owner)}, whose partition it is.`]),
    ...(others.length === 0
      ? []
      : [`Its rule governs the partitions ${others.map((table) => tableLabel(table.name)).join(", ")}.`]),
  ];
}

function classLines(coverage: Coverage, table: CoveredTable): string[] {
  const { rule } = table;
  const edges = coverage.edges.filter((edge) => sameTable(edge.child, table.ruleOf));
  const below = coverage.edges.filter((edge) => sameTable(edge.parent, table.ruleOf));
  if (rule.kind === "skip_data") {
    return ["Only its structure is restored; none of its rows are."];
  }
  if (rule.kind === "unaffected") {
    return ["Every row is restored as it is."];
  }
  return [
    ...rule.match.map(
      (match) =>
        `A row matches a request when ${match.type} equals ${columnLabel(match.column)}${match.path === null ? "" : ` at ${pathText(match.path)}`}` +
        `${Object.entries(match.when)
          .map(([column, text]) => ` and ${columnLabel(column)} is '${text}'`)
          .join("")}.`,
    ),
    ...edges.map(
      (edge) =>
        `A row is met when ${edge.columns.map(columnLabel).join(", ")} refers to a row of ${tableLabel(edge.parent)} (${edge.referenced.map(columnLabel).join(", ")}) that goes (${edge.origin}).`,
    ),
    ...timeLines(rule),
    ...actionLines(rule),
    ...(below.length === 0
      ? []
      : [`Rows of ${[...new Set(below.map((edge) => tableLabel(edge.child)))].join(", ")} follow.`]),
  ];
}

function timeLines(rule: TableRule): string[] {
  if (rule.match.length === 0) {
    return [];
  }
  const without = { erase: "counts as the person's", keep: "is kept", fail: "stops the run" }[rule.noTime];
  const scope = `Scope: ${rule.scope ?? "that of the row it refers to"}.`;
  return rule.createdAt === null
    ? [`There is no time to compare with the cut-off: a matching row ${without}.`, scope]
    : [
        `Only rows whose ${columnLabel(rule.createdAt)} is not after the cut-off match; one without a time ${without}.`,
        scope,
      ];
}

function actionLines(rule: TableRule): string[] {
  const changes = [...rule.set].map(([column, change]) => `  ${columnLabel(column)}: ${changeText(change)}`);
  const pending = [...rule.pendingSet].map(([column, change]) => `  ${columnLabel(column)}: ${changeText(change)}`);
  const verb = {
    delete: "Such a row is not restored.",
    anonymise: "Such a row is restored with these changes:",
    retain: `Such a row is retained: ${rule.basis ?? ""}${rule.retainFor === null ? "" : `, for ${rule.retainFor}`}${changes.length > 0 ? ", with these changes:" : "."}`,
  }[rule.action];
  return [
    verb,
    ...changes,
    ...(pending.length === 0
      ? []
      : ["While a request is still pending, the row is restored with these changes:", ...pending]),
    ...(rule.largeObjects.length === 0
      ? []
      : [
          `Large objects named by ${rule.largeObjects.map(columnLabel).join(", ")} go with it, unless a row that stays refers to them.`,
        ]),
  ];
}

function changeText(change: ColumnChange): string {
  switch (change.kind) {
    case "null":
      return "null";
    case "value":
      return `the fixed value ${JSON.stringify(change.value)}`;
    case "truncate":
      return `cut to the ${change.unit}`;
    case "redact":
      return `free of ${change.what.join(", ")}`;
  }
}

function pathText(path: readonly (string | number)[]): string {
  return `$${path.map((step) => (typeof step === "number" ? `[${step}]` : `.${/^\w+$/.test(step) ? step : JSON.stringify(step)}`)).join("")}`;
}
