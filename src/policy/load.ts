/**
 * policy.yaml -> Policy: names resolved, defaults filled in, rules that span several keys checked.
 *
 * Invariants: fails closed and all at once; the digest depends on what the policy says, never on layout, comments or order.
 */

import { createHash } from "node:crypto";
import { PolicyRefused } from "../errors.ts";
import { countOf, issueList } from "./issue-list.ts";
import { type Policy, type SubjectTable, type TableClass, type TableName, tableKey } from "./model.ts";
import { columnName, readTableName } from "./names.ts";
import { RuleReader } from "./rule-reader.ts";
import { policySchema, type RawPolicy, type RawTable } from "./schema.ts";
import { readYamlDocument, type YamlDocument } from "./yaml-document.ts";

/**
 * Reads a policy. `fileName` is shown in positions.
 * @throws PolicyRefused (`policy_invalid`) listing every issue as `file:line:column path: message`.
 */
export async function loadPolicy(text: string, fileName: string): Promise<Policy> {
  const refuse = (issues: readonly string[]) =>
    new PolicyRefused(issueList(`the policy has ${countOf(issues.length, "problem")}`, issues), {
      code: "policy_invalid",
      hint: `correct ${fileName}, then run: sanitize policy check`,
    });
  const document = await readYamlDocument({ text, fileName, schema: policySchema, refuse });
  const issues: string[] = [];
  const raw = document.value;
  const tables = readTables(document, issues);
  const content = {
    version: raw.version,
    subject: readSubject(document, issues),
    timezone: readTimeZone(document, issues),
    controller: raw.controller ?? null,
  };
  if (issues.length > 0) {
    throw refuse(issues);
  }
  const classes = Object.fromEntries([...tables].map(([key, { rule }]) => [key, rule]));
  return { ...content, tables, digest: digestOf({ ...content, tables: classes }) };
}

type Tables = Map<string, { name: TableName; rule: TableClass; position: string }>;

function readTables(document: YamlDocument<RawPolicy>, issues: string[]): Tables {
  const tables: Tables = new Map();
  for (const [key, entry] of Object.entries(document.value.tables)) {
    const path = ["tables", key];
    const reading = readTableName(key);
    if (!reading.ok) {
      issues.push(document.issue(path, reading.problem));
      continue;
    }
    const earlier = tables.get(tableKey(reading.name));
    if (earlier !== undefined) {
      issues.push(document.issue(path, `names the same table as ${earlier.position}`));
      continue;
    }
    const rule = readClass(entry, (inner, message) => issues.push(document.issue([...path, ...inner], message)));
    tables.set(tableKey(reading.name), { name: reading.name, rule, position: document.positionOf(path, "key") });
  }
  return tables;
}

function readClass(entry: RawTable, report: (path: readonly PropertyKey[], message: string) => void): TableClass {
  if (entry === "skip_data") {
    return { kind: "skip_data" };
  }
  const reader = new RuleReader(report);
  if (entry === "unaffected") {
    return { kind: "unaffected", columns: null };
  }
  if (!("unaffected" in entry)) {
    return reader.rule(entry);
  }
  const largeObjects = reader.largeObjects(entry.large_objects);
  return {
    kind: "unaffected",
    columns: reader.columns(entry.columns),
    ...(largeObjects.length === 0 ? {} : { largeObjects }),
  };
}

function readSubject(document: YamlDocument<RawPolicy>, issues: string[]): SubjectTable | null {
  const subject = document.value.subject;
  if (subject === undefined) {
    return null;
  }
  const { table, ...keys } = subject;
  const reading = readTableName(table);
  if (!reading.ok) {
    issues.push(document.issue(["subject", "table"], reading.problem));
    return null;
  }
  for (const type of Object.keys(keys).filter((key) => !/^[a-z][a-z0-9_]*$/.test(key))) {
    issues.push(document.issue(["subject", type], "a key type is written like account_id"));
  }
  const columns = Object.entries(keys).flatMap(([type, names]) =>
    (typeof names === "string" ? [names] : names).map((column) => ({ type, column: columnName(column) })),
  );
  if (columns.length === 0) {
    issues.push(
      document.issue(["subject"], "names no key; hint: add account_id, email or phone with the column that holds it"),
    );
  }
  return { table: reading.name, keys: columns };
}

function readTimeZone(document: YamlDocument<RawPolicy>, issues: string[]): string | null {
  const zone = document.value.timezone;
  if (zone === undefined) {
    return null;
  }
  if (!isTimeZone(zone)) {
    issues.push(document.issue(["timezone"], "unknown time zone; hint: use an IANA name such as Europe/Amsterdam"));
  }
  return zone;
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) {
      return false;
    }
    throw error;
  }
}

function digestOf(content: unknown): string {
  return `sha256:${createHash("sha256").update(canonical(content)).digest("hex")}`;
}

/** JSON with sorted keys; lists are sorted too, since no list of a policy has an order that matters but pairs of columns. */
function canonical(value: unknown): string {
  if (value instanceof Map) {
    return canonical(Object.fromEntries(value));
  }
  if (Array.isArray(value)) {
    const items = value.map(canonical);
    // Texts keep their order: columns pair up with the columns they reference, paths are steps.
    return `[${(value.every((item) => typeof item === "object") ? items.sort() : items).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
