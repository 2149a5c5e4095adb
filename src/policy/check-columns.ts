/**
 * Whether the columns a rule names are in the dump and can bear what the rule does with them. Every check here prevents
 * a rule that would silently never match, or a restore that fails hours later inside COPY.
 */

import type { TypeFacts, TypeKind } from "./column-types.ts";
import { checkDeclaredColumns, checkLargeObjectRule, declaredColumns } from "./large-object-columns.ts";
import type { ColumnChange, CoveredTable, KeyMatch, Policy, TableRule } from "./model.ts";
import { columnLabel } from "./names.ts";
import type { Problems } from "./problems.ts";
import type { DumpSchema } from "./table-definition.ts";
import { valueProblem } from "./value-fit.ts";

export interface ColumnChecks {
  readonly policy: Policy;
  readonly schema: DumpSchema;
  readonly problems: Problems;
  /** The zone in which timestamps without zone are read, wherever it is declared. */
  readonly timezone: string | null;
  /** The dump holds large objects. */
  readonly largeObjects: boolean;
}

/** Checks all that one rule says of the columns of one table. */
export function checkRuleColumns(checks: ColumnChecks, table: CoveredTable, rule: TableRule): void {
  const definition = checks.schema.table(table.name);
  if (definition !== undefined && !definition.readable) {
    checks.problems.add(
      table.ruleOf,
      `has a rule, and its definition (dump ID ${definition.dumpId}) cannot be read`,
      "the dump may come from a newer PostgreSQL than this tool knows",
    );
    return;
  }
  const checker = new ColumnChecker(checks, table);
  for (const match of rule.match) {
    checker.match(match);
    checker.anonymised(match, rule);
  }
  checker.createdAt(rule.createdAt);
  for (const [column, change] of [...rule.set, ...rule.pendingSet]) {
    checker.change(column, change);
  }
  checkLargeObjectColumns(checks, table);
  checkLargeObjectRule(checks, table, rule);
  checkUniqueKeys(checks, table, rule);
}

/** Columns named in `large_objects`, of rules and of tables that are unaffected. */
export function checkLargeObjectColumns(checks: ColumnChecks, table: CoveredTable): void {
  const columns = declaredColumns(table.rule).filter((column) =>
    columnExists(checks.problems, table, column, "large_objects"),
  );
  checkDeclaredColumns(checks, table, columns);
}

class ColumnChecker {
  readonly #checks: ColumnChecks;
  readonly #table: CoveredTable;

  constructor(checks: ColumnChecks, table: CoveredTable) {
    this.#checks = checks;
    this.#table = table;
  }

  add(column: string, fact: string, hint?: string): void {
    this.#checks.problems.add(this.#table.ruleOf, `column ${columnLabel(column)} ${fact}`, hint);
  }

  facts(column: string): TypeFacts {
    return this.#checks.schema.types.facts(this.#table.columns.get(column)?.type ?? null);
  }

  exists(column: string, use: string): boolean {
    return columnExists(this.#checks.problems, this.#table, column, use);
  }

  /** An anonymised row must not be found by the same key again. */
  anonymised(match: KeyMatch, rule: TableRule): void {
    const change = rule.set.get(match.column);
    if (rule.action === "anonymise" && change?.kind !== "null" && change?.kind !== "value") {
      const left = `is how match.${match.type} finds the row, and action: anonymise leaves it as it is`;
      this.add(match.column, left, `set: { ${columnLabel(match.column)}: null }, or a value`);
    }
  }

  match(match: KeyMatch): void {
    for (const column of Object.keys(match.when)) {
      this.exists(column, `match.${match.type}.when`);
    }
    if (!this.exists(match.column, `match.${match.type}`)) {
      return;
    }
    const { kind } = this.facts(match.column);
    for (const column of Object.keys(match.when)) {
      if (/^(?:character|bpchar)$/.test(this.facts(column).base ?? "")) {
        this.add(column, `is padded with blanks, so the text of match.${match.type}.when would never equal it`);
      }
    }
    if (match.path !== null && kind !== "json" && kind !== "unknown") {
      this.add(match.column, `is searched with a path for ${match.type} and is not json or jsonb`);
    }
    if (match.path === null && (kind === "json" || kind === "structured")) {
      const hint =
        kind === "json"
          ? 'name a path: { column: …, path: "$.user.id" }'
          : "match by another column, or via the row it belongs to";
      this.add(match.column, `holds more than one value, so ${match.type} would never equal it`, hint);
    }
  }

  createdAt(column: string | null): void {
    if (column === null || !this.exists(column, "created_at")) {
      return;
    }
    const { kind } = this.facts(column);
    if (kind === "unknown") {
      this.add(column, "is created_at, and the dump does not declare its type", "dump with the schema, or use no_time");
    } else if (!isTime(kind)) {
      this.add(column, "is created_at and is not a timestamp or date");
    } else if (kind !== "timestamptz" && this.#checks.timezone === null) {
      this.add(
        column,
        "is created_at and has no time zone, and none is declared",
        "set timezone in the policy or source.timezone in sanitize.yaml",
      );
    }
  }

  change(column: string, change: ColumnChange): void {
    if (!this.exists(column, "set")) {
      return;
    }
    const facts = this.facts(column);
    const { kind } = facts;
    const notNull = facts.notNull || this.#table.columns.get(column)?.notNull === true;
    if (change.kind === "null" && notNull) {
      this.add(column, "is set to null and is NOT NULL", "set: { value: … }, or delete the row");
    }
    if ((change.kind === "truncate" || change.kind === "redact") && kind === "unknown") {
      this.add(
        column,
        `is set to ${change.kind}, and the dump does not declare its type`,
        "dump with the schema, or set a value or null",
      );
    } else if (change.kind === "truncate" && !isTime(kind)) {
      this.add(column, "is truncated and is not a timestamp or date");
    } else if (change.kind === "truncate" && kind === "date" && change.unit === "hour") {
      this.add(column, "is truncated to the hour and is a date");
    } else if (change.kind === "redact" && kind !== "text") {
      this.add(column, "is redacted and is not a text", "set: null, or { value: … }");
    }
    const misfit = change.kind === "value" ? valueProblem(change.value, facts) : undefined;
    if (misfit !== undefined) {
      this.add(column, `is set to a value that is not ${misfit}`);
    }
  }
}

/** Reports a column that the table's data does not have. `use` says where the policy names it. */
export function columnExists(problems: Problems, table: CoveredTable, column: string, use: string): boolean {
  if (table.copyColumns.includes(column)) {
    return true;
  }
  if (table.columns.get(column)?.generated === true) {
    problems.add(
      table.ruleOf,
      `column ${columnLabel(column)} (${use}) is generated and never part of the data`,
      "name the columns it is made of",
    );
    return false;
  }
  const alike = table.copyColumns.find((name) => name.toLowerCase() === column.toLowerCase());
  problems.add(
    table.ruleOf,
    `has no column ${columnLabel(column)} (${use})`,
    alike === undefined ? undefined : `did you mean ${columnLabel(alike)}? Columns are written exactly`,
  );
  return false;
}

/** Two anonymised rows would get the same key, and the index could not be built after hours of loading. */
function checkUniqueKeys(checks: ColumnChecks, table: CoveredTable, rule: TableRule): void {
  for (const key of checks.schema.uniqueKeys(table.name)) {
    const allSet = key.columns.length > 0 && key.columns.every((column) => rule.set.get(column)?.kind === "value");
    if (allSet && !key.partial) {
      checks.problems.add(
        table.ruleOf,
        `sets every column of the unique key ${columnLabel(key.name)} to a fixed value, so that two such rows collide`,
        "set one of them to null, or delete the row",
      );
    }
  }
}

function isTime(kind: TypeKind): boolean {
  return kind === "timestamptz" || kind === "timestamp" || kind === "date";
}
