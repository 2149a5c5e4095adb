/** Writes a drafted policy as YAML that a person reads, comments included, and that load.ts accepts. */

import type { DraftTable } from "./draft-tables.ts";
import type { TableName } from "./model.ts";
import { columnName, formatTableName, quoteIdentifier, tableLabel } from "./names.ts";

export type DraftEntry =
  /** `lines` are `key: value` in flow style; `named` the columns they name. */
  | {
      readonly kind: "rule";
      readonly reason: string;
      readonly lines: readonly string[];
      readonly named: readonly string[];
    }
  | { readonly kind: "unaffected"; readonly reason: string }
  /** Written as comments only, the likeliest choice first. */
  | { readonly kind: "undecided"; readonly why: string; readonly choices: readonly string[] };

export interface DraftDocument {
  readonly subject: {
    readonly table: TableName;
    readonly keys: readonly (readonly [string, readonly string[]])[];
  } | null;
  /** Some time column of a rule has no zone. */
  readonly naiveTimes: boolean;
  readonly entries: readonly { readonly table: DraftTable; readonly entry: DraftEntry }[];
}

export function writeDraft(document: DraftDocument): string {
  const lines = [
    "# A draft, made from the dump's schema alone: no row was read. Read every line, decide what says DECIDE,",
    "# then run: sanitize policy check",
    "version: 1",
    ...(document.naiveTimes ? ["# DECIDE: times without zone are read in", "# timezone: Europe/Amsterdam"] : []),
    ...subjectLines(document.subject),
    "tables:",
    ...document.entries.flatMap(({ table, entry }) => entryLines(table, entry)),
  ];
  return `${lines.join("\n")}\n`;
}

function subjectLines(subject: DraftDocument["subject"]): string[] {
  if (subject === null) {
    return [
      "# DECIDE: no table looks like the people's. Name it, with the columns that identify them:",
      "# subject: { table: public.users, account_id: id, email: email }",
    ];
  }
  return [
    "subject: # where the identifiers of one person are resolved into each other",
    `  table: ${yamlTable(subject.table)}`,
    ...subject.keys.map(([type, columns]) => `  ${type}: ${yamlList(columns)}`),
  ];
}

function entryLines(table: DraftTable, entry: DraftEntry): string[] {
  const name = yamlTable(table.name);
  switch (entry.kind) {
    case "unaffected":
      return [`  ${name}: unaffected${entry.reason === "" ? "" : ` # ${entry.reason}`}`];
    case "undecided":
      return [
        `  # DECIDE: ${tableLabel(table.name)} ${entry.why}${entry.why.endsWith("?") ? "" : "."} One of:`,
        ...entry.choices.map((choice) => `  # ${name}: ${choice}`),
      ];
    case "rule": {
      const rest = table.columns.map((column) => column.name).filter((column) => !entry.named.includes(column));
      return [
        `  ${name}: # ${entry.reason}`,
        ...entry.lines.map((line) => `    ${line}`),
        `    columns: [${rest.map(yamlColumn).join(", ")}] # a column that is new must be added here, or to the rule`,
      ];
    }
  }
}

/** One column plainly, several as a list. */
export function yamlList(columns: readonly string[]): string {
  const written = columns.map(yamlColumn);
  return written.length === 1 ? (written[0] ?? "") : `[${written.join(", ")}]`;
}

export function yamlTable(name: TableName): string {
  return yamlText(formatTableName(name));
}

/** Columns stand as they are; one that looks like a quoted name is quoted as SQL does. */
export function yamlColumn(column: string): string {
  return yamlText(columnName(column) === column ? column : quoteIdentifier(column));
}

/** JSON's strings are YAML's. Words that YAML takes for something else are quoted too. */
function yamlText(text: string): string {
  return /^[A-Za-z_][\w.]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
