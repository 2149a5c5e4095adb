/**
 * One table's part of the plan, compiled: which fields are asked what, what is set where, which keys its rows leave behind
 * for their children. Everything is by field index of this table's COPY statement.
 */
import type { FieldForm, Probe } from "../copy/row-kernel.ts";
import type { ColumnChange, CoveredTable, TableRule } from "../policy/model.ts";
import type { ParentKeys } from "./parent-keys.ts";
import type { TimeKind } from "./zoned-time.ts";

export interface KeyColumn {
  /** Key type of the ledger. */
  readonly type: string;
  readonly field: number;
  readonly path: readonly (string | number)[] | null;
  /** Raw COPY bytes other fields must have for this key to count. */
  readonly when: readonly { readonly field: number; readonly raw: Buffer }[];
}

export interface EdgeColumns {
  readonly fields: readonly number[];
  readonly parents: ParentKeys;
  /** The parent may be reached from this table again: keys may appear while the table is being read. */
  readonly cyclic: boolean;
}

/** Referenced columns of this table and the set their values go into. */
export interface ExposedKeys {
  readonly fields: readonly number[];
  readonly keys: ParentKeys;
}

export interface FieldChange {
  readonly field: number;
  readonly change: ColumnChange;
}

export interface SubjectColumn {
  readonly type: string;
  readonly field: number;
}

export interface TablePlan {
  readonly dumpId: number;
  /** As SQL writes it, for messages and reports. */
  readonly label: string;
  readonly columns: readonly string[];
  readonly covered: CoveredTable;
  readonly kind: "rule" | "unaffected" | "skip_data";
  /** The rule, when `kind` is `rule`. */
  readonly rule: TableRule | null;
  readonly keys: readonly KeyColumn[];
  readonly edges: readonly EdgeColumns[];
  readonly exposes: readonly ExposedKeys[];
  readonly createdAt: { readonly field: number; readonly kind: TimeKind } | null;
  readonly set: readonly FieldChange[];
  readonly pendingSet: readonly FieldChange[];
  /** Fields whose large objects go with the row; empty in a dump that holds none. */
  readonly largeObjects: readonly number[];
  /** Fields that may refer to large objects, those included: whatever the rule, ascending; empty where no row comes back. */
  readonly references: readonly number[];
  /** When this is the subject table: the fields that hold identifiers of the person. */
  readonly subject: readonly SubjectColumn[];
}

/** What a set bit of a candidate means. */
export type ProbeMeaning = { readonly key: KeyColumn } | { readonly edge: EdgeColumns };

/** The kernel's questions for a table and what their bits mean, in the same order. */
export interface ProbeSet {
  readonly probes: readonly Probe[];
  readonly meanings: readonly ProbeMeaning[];
}

const forms: Readonly<Record<string, FieldForm>> = { account_id: "account_id", email: "email", phone: "phone" };

/** How the kernel reads a column for a key: values inside JSON it cannot see, so every row with one is a candidate. */
export function formOf(key: KeyColumn): FieldForm {
  return key.path ? "present" : (forms[key.type] ?? "text");
}
