/**
 * Which large objects a row refers to, and when it stops doing so: with the row, or when a rule takes the reference out
 * of it. OIDs are read as PostgreSQL reads them: 0 and NULL refer to nothing, and an integer column holds those from 2^31
 * on as negative numbers.
 *
 * Invariant: the search for what goes, the search for what stays and the filter's own count all ask here.
 */
import type { Outcome } from "./outcome.ts";
import type { RowView } from "./row-view.ts";
import type { TablePlan } from "./table-plan.ts";

/** Characters of an OID at most, its sign included. */
const longestOid = 11;

const none: readonly number[] = [];

/** Reference fields that still stand, as they came, in a row that met this outcome. */
export function fieldsKept(plan: TablePlan, outcome: Outcome): readonly number[] {
  if (plan.references.length === 0 || outcome === "delete") return none;
  const changes =
    outcome === "anonymise" || outcome === "retain" ? plan.set : outcome === "pending" ? plan.pendingSet : [];
  if (changes.length === 0) return plan.references;
  return plan.references.filter((field) => !changes.some((change) => change.field === field));
}

/** Declared fields whose large objects go because the row, or its reference, does. */
export function fieldsReleased(plan: TablePlan, outcome: Outcome): readonly number[] {
  // a pending request takes nothing away yet: coverage refuses pending changes of such columns
  if (plan.largeObjects.length === 0 || outcome === "none" || outcome === "pending") return none;
  const kept = fieldsKept(plan, outcome);
  return plan.largeObjects.filter((field) => !kept.includes(field));
}

/** OIDs that the rule itself writes into reference fields: a picture that stands for all who left. */
export function oidsWritten(plan: TablePlan): readonly number[] {
  return [...plan.set, ...plan.pendingSet].flatMap(({ field, change }) =>
    plan.references.includes(field) && change.kind === "value" ? (oidOf(Buffer.from(String(change.value))) ?? []) : [],
  );
}

/** The OID that a row's field holds, if any. */
export function oidAt(row: RowView, field: number): number | null {
  return row.length(field) > longestOid ? null : oidOf(row.raw(field));
}

/** The OID a raw field stands for; `null` for NULL, 0 and numbers that are none. */
export function oidOf(raw: Uint8Array): number | null {
  const negative = raw[0] === 0x2d;
  const start = negative ? 1 : 0;
  if (raw.length === start || raw.length > start + 10) return null;
  let value = 0;
  for (let at = start; at < raw.length; at++) {
    const digit = raw[at]! - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  if (negative) return value === 0 || value > 0x8000_0000 ? null : 0x1_0000_0000 - value;
  return value === 0 || value > 0xffff_ffff ? null : value;
}

/** The texts under which a column may hold an OID. */
export function textsOf(oid: number): readonly string[] {
  return oid < 0x8000_0000 ? [String(oid)] : [String(oid), String(oid - 0x1_0000_0000)];
}
