/**
 * One table's rule: from what was written to what it means (model.ts). What cannot be right is reported with its path:
 * a retention without legal basis, an anonymisation that changes nothing, rows that cannot be compared with the cut-off.
 */

import { readJsonPath } from "./json-path.ts";
import type { ColumnChange, KeyMatch, NoTime, RuleAction, TableRule, ViaReference } from "./model.ts";
import { columnName, readTableName } from "./names.ts";
import type { RawChange, RawColumns, RawMatch, RawRule, RawVia } from "./schema.ts";

type Report = (path: readonly PropertyKey[], message: string) => void;

/** Art. 17(3) lists the only grounds on which an erasure may be refused. */
const LEGAL_BASIS = /Art\. ?17\(3\)/;

export class RuleReader {
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  rule(raw: RawRule): TableRule {
    const match = this.#matches(raw.match ?? {});
    const via = this.#vias(raw.via);
    const viaOnly = match.length === 0;
    if (viaOnly && via.length === 0) {
      this.#report([], "a rule needs match or via; hint: write unaffected for a table without personal data");
    }
    const action = this.#action(raw, viaOnly);
    const rule: TableRule = {
      kind: "rule",
      match,
      via,
      scope: viaOnly ? null : (raw.scope ?? "identity"),
      createdAt: raw.created_at === undefined ? null : columnName(raw.created_at),
      noTime: this.#noTime(raw, action, viaOnly),
      action,
      set: this.#changes(raw.set, ["set"]),
      pendingSet: this.#changes(raw.pending?.set, ["pending", "set"]),
      basis: raw.basis ?? null,
      retainFor: raw.for ?? null,
      largeObjects: this.largeObjects(raw.large_objects),
      columns: this.columns(raw.columns),
    };
    this.#checkViaOnly(raw, viaOnly);
    this.#checkAction(rule);
    return rule;
  }

  columns(raw: RawColumns | undefined): ReadonlyMap<string, string> | null {
    if (raw === undefined) {
      return null;
    }
    // A plain list declares columns without saying what they hold.
    const pairs = isList(raw) ? raw.map((column) => [column, "declared"] as const) : Object.entries(raw);
    return this.#unique(pairs, ["columns"]);
  }

  largeObjects(raw: readonly string[] | undefined): readonly string[] {
    return [...new Set((raw ?? []).map(columnName))].sort();
  }

  #action(raw: RawRule, viaOnly: boolean): RuleAction {
    if (raw.action === undefined && !viaOnly) {
      this.#report([], "a rule with match needs an action: delete, anonymise or retain");
    }
    return raw.action ?? "delete";
  }

  /**
   * A retained row that is not changed is the same whenever it was made, so no time is needed: it counts as the person's,
   * and the report shows it.
   */
  #noTime(raw: RawRule, action: RuleAction, viaOnly: boolean): NoTime {
    const untouched = action === "retain" && raw.set === undefined && raw.pending === undefined;
    if (viaOnly || raw.created_at !== undefined) {
      return raw.no_time ?? "fail";
    }
    if (raw.no_time === undefined && untouched) {
      return "erase";
    }
    if (raw.no_time === undefined || raw.no_time === "fail") {
      this.#report(
        raw.no_time === undefined ? [] : ["no_time"],
        "rows without a time column cannot be compared with the cut-off; hint: name created_at, or say no_time: erase or no_time: keep",
      );
    }
    return raw.no_time ?? "fail";
  }

  #checkViaOnly(raw: RawRule, viaOnly: boolean): void {
    for (const key of ["scope", "created_at", "no_time"] as const) {
      if (viaOnly && raw[key] !== undefined) {
        this.#report(
          [key],
          "a rule that only has via takes the scope and the time of its parent; hint: leave this out, or add match",
        );
      }
    }
  }

  #checkAction(rule: TableRule): void {
    if (rule.action === "retain" && !LEGAL_BASIS.test(rule.basis ?? "")) {
      this.#report(
        rule.basis === null ? [] : ["basis"],
        'retain needs a legal basis that names its ground; hint: basis: "Art. 17(3)(b) fiscal retention"',
      );
    }
    if (rule.action !== "retain" && (rule.basis !== null || rule.retainFor !== null)) {
      this.#report([rule.basis === null ? "for" : "basis"], "basis and for belong to action: retain only");
    }
    if (rule.action === "anonymise" && rule.set.size === 0) {
      this.#report([], "anonymise needs set: a row that stays as it is has not been anonymised");
    }
    if (rule.action === "delete" && rule.set.size > 0) {
      this.#report(
        ["set"],
        "set has no effect with action: delete; hint: did you mean anonymise, or pending: { set: … }?",
      );
    }
    if (rule.action === "retain" && rule.largeObjects.some((column) => !rule.set.has(column))) {
      const retained = "large objects go with deleted rows; this rule retains its rows";
      this.#report(["large_objects"], `${retained}, and set leaves the column as it is`);
    }
  }

  #matches(raw: NonNullable<RawRule["match"]>): KeyMatch[] {
    return Object.entries(raw).flatMap(([type, entry]) =>
      isList(entry)
        ? entry.map((item, index) => this.#match(type, item, ["match", type, index]))
        : [this.#match(type, entry, ["match", type])],
    );
  }

  #match(type: string, raw: RawMatch, at: readonly PropertyKey[]): KeyMatch {
    if (typeof raw === "string") {
      return { type, column: columnName(raw), path: null, when: {} };
    }
    const path = raw.path === undefined ? null : readJsonPath(raw.path);
    if (path === undefined) {
      this.#report([...at, "path"], 'not a path this tool reads; hint: $.user.id, $.items[0].id, $."odd key"');
    }
    const when = Object.entries(raw.when ?? {}).map(([column, text]) => [columnName(column), copyText(text)] as const);
    return { type, column: columnName(raw.column), path: path ?? null, when: Object.fromEntries(when) };
  }

  #vias(raw: RawRule["via"]): ViaReference[] {
    const entries = raw === undefined ? [] : isList(raw) ? raw : [raw];
    return entries.flatMap((entry, index) => {
      const via = this.#via(entry, isList(raw) ? ["via", index] : ["via"]);
      return via === undefined ? [] : [via];
    });
  }

  #via(raw: RawVia, at: readonly PropertyKey[]): ViaReference | undefined {
    const { references, columns, referenced } =
      typeof raw === "string" ? { references: raw, columns: undefined, referenced: undefined } : raw;
    const reading = readTableName(references);
    if (!reading.ok) {
      this.#report(typeof raw === "string" ? at : [...at, "references"], reading.problem);
      return undefined;
    }
    if (columns?.length !== referenced?.length) {
      this.#report(at, "columns and referenced belong together, one for one");
    }
    for (const [key, list] of Object.entries({ columns, referenced })) {
      if (list !== undefined && new Set(list.map(columnName)).size < list.length) {
        this.#report([...at, key], "names a column twice");
      }
    }
    return {
      references: reading.name,
      columns: columns?.map(columnName) ?? null,
      referenced: referenced?.map(columnName) ?? null,
    };
  }

  #changes(raw: RawRule["set"], at: readonly PropertyKey[]): ReadonlyMap<string, ColumnChange> {
    return this.#unique(
      Object.entries(raw ?? {}).map(([column, change]) => [column, readChange(change)] as const),
      at,
    );
  }

  /** `a` and `"a"` are the same column: naming it twice is a contradiction, not an override. */
  #unique<T>(pairs: readonly (readonly [string, T])[], at: readonly PropertyKey[]): ReadonlyMap<string, T> {
    const unique = new Map<string, T>();
    for (const [column, value] of pairs) {
      if (unique.has(columnName(column))) {
        this.#report([...at, column], "names a column twice");
      }
      unique.set(columnName(column), value);
    }
    return unique;
  }
}

function readChange(raw: RawChange): ColumnChange {
  if (raw === null || ("value" in raw && raw.value === null)) {
    return { kind: "null" };
  }
  if ("value" in raw) {
    return { kind: "value", value: raw.value ?? "" };
  }
  return "truncate" in raw
    ? { kind: "truncate", unit: raw.truncate }
    : { kind: "redact", what: [...new Set(raw.redact)].sort() };
}

/** As COPY text writes the value. */
function copyText(value: string | number | boolean): string {
  return typeof value === "boolean" ? (value ? "t" : "f") : String(value);
}

function isList<T, Other>(value: readonly T[] | Other): value is readonly T[] {
  return Array.isArray(value);
}
