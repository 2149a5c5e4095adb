/**
 * Chains of references inside a cycle of tables, followed in one reading whatever the order of the rows: every row that
 * refers to a parent is remembered by its keys alone, and the moment a parent goes, all that hang on it go too.
 *
 * Memory is bounded: beyond `referenceBudget` rows are no longer remembered, and further rounds must do.
 */
import type { RowBatch } from "../copy/row-batches.ts";
import type { Matcher } from "./matcher.ts";
import { type Outcome, outcomeBehindParent, stricter } from "./outcome.ts";
import { joinFields, type ParentFate, type ParentKeys } from "./parent-keys.ts";
import { referredValues, referringValues } from "./reference-values.ts";
import { candidateRows, type RowView } from "./row-view.ts";
import type { TablePlan } from "./table-plan.ts";

/** Bytes of remembered references, estimated. */
const referenceBudget = 64 * 1024 * 1024;
/** What a remembered row costs beside its keys. */
const rowOverhead = 200;

interface WaitingRow {
  readonly plan: TablePlan;
  /** The keys this row leaves behind when it goes. */
  readonly exposes: readonly { readonly keys: ParentKeys; readonly values: readonly Buffer[] }[];
}

export class ReferenceChains {
  private readonly matcher: Matcher;
  private readonly waiting = new Map<ParentKeys, Map<string, WaitingRow[]>>();
  private spent = 0;

  constructor(matcher: Matcher) {
    this.matcher = matcher;
  }

  /** Remembers the batch's rows that refer to parents along cyclic edges. */
  follow(batch: RowBatch, plan: TablePlan): void {
    for (const { row } of candidateRows(batch)) {
      if (this.spent < referenceBudget) this.wait(row, plan);
    }
  }

  /** Follows the news that a row went (or waits): its children, their children, until nothing is new. */
  parentGoes(keys: ParentKeys, values: readonly Buffer[]): void {
    const news: { keys: ParentKeys; values: readonly Buffer[] }[] = [{ keys, values }];
    for (let next = news.pop(); next; next = news.pop()) {
      const fate = next.keys.get(next.values);
      const children = this.waiting.get(next.keys)?.get(keyText(next.values));
      if (!fate || !children) continue;
      for (const child of children) news.push(...this.childGoes(child, fate));
    }
  }

  private wait(row: RowView, plan: TablePlan): void {
    const exposes = plan.exposes.flatMap(({ fields, keys }) => {
      const values = referredValues(row, fields, plan);
      return values === null ? [] : [{ keys, values: values.map((value) => Buffer.from(value)) }];
    });
    if (exposes.length === 0) return;
    for (const edge of plan.edges) {
      const values = edge.cyclic ? referringValues(row, edge.fields) : null;
      if (values === null) continue;
      const child = { plan, exposes };
      this.put(edge.parents, values, child);
      const fate = edge.parents.get(values);
      if (fate) for (const { keys, values: exposed } of this.childGoes(child, fate)) this.parentGoes(keys, exposed);
    }
  }

  private put(parents: ParentKeys, values: readonly Buffer[], row: WaitingRow): void {
    const key = keyText(values);
    const byKey = this.waiting.get(parents) ?? new Map<string, WaitingRow[]>();
    this.waiting.set(parents, byKey);
    const rows = byKey.get(key);
    if (rows) rows.push(row);
    else byKey.set(key, [row]);
    this.spent +=
      rowOverhead + key.length + row.exposes.reduce((sum, { values: exposed }) => sum + joinFields(exposed).length, 0);
  }

  /** Puts down what a child leaves behind; returns what of it is news. */
  private childGoes(child: WaitingRow, fate: ParentFate): { keys: ParentKeys; values: readonly Buffer[] }[] {
    const { rule } = child.plan;
    if (!rule) return [];
    let outcome: Outcome = "none";
    const ordinals: number[] = [];
    for (const ordinal of fate.ordinals) {
      const view = this.matcher.context.views[ordinal];
      const one = view ? outcomeBehindParent(rule, view, fate.goes) : "none";
      if (one === "none") continue;
      if (stricter(one, outcome)) {
        outcome = one;
        ordinals.length = 0;
      }
      if (one === outcome) ordinals.push(ordinal);
    }
    if (outcome !== "delete" && outcome !== "pending") return [];
    return child.exposes.filter(({ keys, values }) => keys.add(values, { goes: outcome === "delete", ordinals }));
  }
}

function keyText(values: readonly Buffer[]): string {
  return joinFields(values).toString("latin1");
}
