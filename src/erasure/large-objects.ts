/** When a row's large objects go: with the row, or when a rule takes the reference out of it. */
import type { Outcome } from "./outcome.ts";
import type { TablePlan } from "./table-plan.ts";

/** @returns true when the OIDs in the table's large object columns are no longer referred to by the row. */
export function rewritesLargeObject(plan: TablePlan, outcome: Outcome): boolean {
  if (plan.largeObjects.length === 0) return false;
  if (outcome === "delete") return true;
  const changes =
    outcome === "anonymise" || outcome === "retain" ? plan.set : outcome === "pending" ? plan.pendingSet : [];
  return changes.some(({ field }) => plan.largeObjects.includes(field));
}
