/**
 * Decides one row exactly. The scan kernel only says that a row may match; here its keys are brought into canonical form,
 * looked up by HMAC, held against the request's cut-off and against the rows that go.
 *
 * Invariant: no value of a row leaves this file except into `Decision` (ordinals of requests, never values).
 */
import type { CharacterLength } from "../copy/fields.ts";
import { isNull, unescapeField } from "../copy/fields.ts";
import { ArchiveDamaged, PolicyRefused } from "../errors.ts";
import { canonicalise } from "../ledger/canonical.ts";
import type { TombstoneIndex } from "../ledger/tombstone-index.ts";
import { type Outcome, outcomeBehindParent, outcomeOf, type RequestView, stricter } from "./outcome.ts";
import { referringValues } from "./reference-values.ts";
import type { RowView } from "./row-view.ts";
import type { EdgeColumns, KeyColumn, ProbeMeaning, TablePlan } from "./table-plan.ts";
import { instantOf } from "./zoned-time.ts";

export interface Decision {
  readonly outcome: Outcome;
  /** Requests that brought the outcome about, ascending. */
  readonly ordinals: readonly number[];
  /** Requests one of whose own keys the row holds, whatever came of it. */
  readonly direct: readonly number[];
}

export interface MatchContext {
  /** What the ledger holds. */
  readonly index: TombstoneIndex;
  /**
   * Other identifiers of the same people, learnt from the subject table. Not asked of the subject table itself: two
   * accounts that share a telephone are two people.
   */
  readonly resolved: TombstoneIndex;
  readonly views: readonly (RequestView | null)[];
  /** Zone for timestamps without one. */
  readonly zone: string;
  /** Turns the dump's bytes into text. */
  readonly decode: (bytes: Buffer) => string;
  readonly characterLength: CharacterLength | undefined;
}

/** A canonical form is short: longer values cannot be an identifier. */
export const longestIdentifier = 4096;

const untouched: Decision = { outcome: "none", ordinals: [], direct: [] };

/** @param rowNumber from 1, for messages. @throws PolicyRefused (`no_time`) for a matching row without a time under `fail`. */
export function examineRow(
  row: RowView,
  rowNumber: number,
  plan: TablePlan,
  suspects: Iterable<ProbeMeaning>,
  context: MatchContext,
): Decision {
  const rule = plan.rule;
  if (!rule) return untouched;
  const verdict = new Verdict();
  let time: number | null | undefined;
  for (const suspect of suspects) {
    if ("edge" in suspect) {
      examineEdge(row, suspect.edge, verdict, (view, goes) => outcomeBehindParent(rule, view, goes), context);
      continue;
    }
    for (const ordinal of ordinalsOf(row, suspect.key, plan, rowNumber, context)) {
      const view = context.views[ordinal];
      if (!view) continue;
      if (rule.action !== "retain" || plan.createdAt) {
        if (time === undefined) time = timeOf(row, plan, rowNumber, context);
        if (time === null ? rule.noTime === "keep" : time > view.cutoff) continue;
        if (time === null && rule.noTime === "fail") throw noTime(plan, rowNumber);
      }
      verdict.add(outcomeOf(rule, view), ordinal);
      verdict.direct.add(ordinal);
    }
  }
  return verdict.decision();
}

class Verdict {
  readonly direct = new Set<number>();
  private outcome: Outcome = "none";
  private ordinals = new Set<number>();

  add(outcome: Outcome, ordinal: number): void {
    if (stricter(outcome, this.outcome)) {
      this.outcome = outcome;
      this.ordinals = new Set([ordinal]);
    } else if (outcome === this.outcome) this.ordinals.add(ordinal);
  }

  decision(): Decision {
    if (this.outcome === "none") return untouched;
    const ascending = (numbers: Set<number>): number[] => [...numbers].sort((a, b) => a - b);
    return { outcome: this.outcome, ordinals: ascending(this.ordinals), direct: ascending(this.direct) };
  }
}

function examineEdge(
  row: RowView,
  edge: EdgeColumns,
  verdict: Verdict,
  outcome: (view: RequestView, goes: boolean) => Outcome,
  context: MatchContext,
): void {
  const values = referringValues(row, edge.fields);
  const fate = values === null ? undefined : edge.parents.get(values);
  for (const ordinal of fate?.ordinals ?? []) {
    const view = context.views[ordinal];
    if (view) verdict.add(outcome(view, fate!.goes), ordinal);
  }
}

function ordinalsOf(
  row: RowView,
  key: KeyColumn,
  plan: TablePlan,
  rowNumber: number,
  context: MatchContext,
): readonly number[] {
  if (key.when.some(({ field, raw }) => row.length(field) !== raw.length || !row.raw(field).equals(raw))) return [];
  // an identifier is short, and no canonical form makes a long value one
  if (!key.path && row.length(key.field) > longestIdentifier) return [];
  const value = textOf(row, key.field, context);
  if (value === null) return [];
  const identifier = key.path ? atPath(value, key.path, plan, rowNumber) : value;
  return identifier === null ? [] : lookup(key.type, identifier, plan, context);
}

/** Requests that hold this identifier, whatever its spelling; each once. */
export function lookup(
  type: string,
  identifier: string,
  plan: TablePlan,
  context: Pick<MatchContext, "index" | "resolved">,
): readonly number[] {
  if (identifier.length > longestIdentifier) return [];
  const form = canonicalise(type, identifier);
  if (!form.ok) return [];
  const held = context.index.lookup(type, form.value);
  const learnt = plan.subject.length > 0 ? [] : context.resolved.lookup(type, form.value);
  return learnt.length === 0 ? held : [...new Set([...held, ...learnt])];
}

/** Bytes of a field beyond which it is not read as text or JSON: that takes many times its size of memory. */
const longestText = 64 * 1024 * 1024;

/** A field's text without escapes, or `null`. @throws PolicyRefused (`value_too_long`). */
export function textOf(
  row: RowView,
  field: number,
  context: Pick<MatchContext, "decode" | "characterLength">,
): string | null {
  if (row.length(field) > longestText) {
    throw new PolicyRefused(
      `a column that the policy reads as text or JSON holds ${row.length(field)} bytes, ${longestText} are possible`,
      {
        code: "value_too_long",
        hint: "set such a column to null instead of redacting it, or match by another one",
      },
    );
  }
  const raw = row.raw(field);
  return isNull(raw) ? null : context.decode(unescapeField(raw, context.characterLength));
}

function atPath(json: string, path: readonly (string | number)[], plan: TablePlan, rowNumber: number): string | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    // the parser's own message quotes the text
    throw new ArchiveDamaged(`table ${plan.label}, row ${rowNumber}: a json column holds no JSON`, {
      code: "json_invalid",
      hint: "check the backup; the column's type says that PostgreSQL accepted it",
      cause: cause instanceof Error ? cause.name : undefined,
    });
  }
  for (const step of path) {
    if (typeof value !== "object" || value === null) return null;
    value = Object.hasOwn(value, step) ? (value as Record<string | number, unknown>)[step] : undefined;
  }
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}

/** The row's time in microseconds, `null` where it has none. */
function timeOf(row: RowView, plan: TablePlan, rowNumber: number, context: MatchContext): number | null {
  if (!plan.createdAt) return null;
  const text = textOf(row, plan.createdAt.field, context);
  if (text === null) return null;
  const instant = instantOf(text, context.zone);
  if (instant !== null) return instant;
  throw new ArchiveDamaged(
    `table ${plan.label}, row ${rowNumber}: column ${plan.columns[plan.createdAt.field]} holds no timestamp`,
    {
      code: "time_invalid",
      hint: "created_at in the policy must name a timestamp or date column",
    },
  );
}

function noTime(plan: TablePlan, rowNumber: number): PolicyRefused {
  return new PolicyRefused(
    `table ${plan.label}, row ${rowNumber}: a row matches a request but has no time to hold against its cut-off`,
    {
      code: "no_time",
      hint: "say in the policy what is to become of such rows: no_time: erase, or no_time: keep",
    },
  );
}
