/** The policy as the rest of the program sees it: names resolved, defaults filled in, positions for messages. */

/** A schema-qualified name, parts unquoted. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** How one kind of key is found in a row. */
export interface KeyMatch {
  /** Key type: `account_id`, `email`, `phone` or a custom one the ledger holds. */
  readonly type: string;
  readonly column: string;
  /** A path into a json/jsonb column (`$.user.id`), else `null`. */
  readonly path: readonly (string | number)[] | null;
  /** Other columns that must equal these texts for the key to count (polymorphic references). */
  readonly when: Readonly<Record<string, string>>;
}

/** `via`: rows go with the row they refer to. */
export interface ViaReference {
  readonly references: TableName;
  /** Referencing columns; `null`: those of the dump's own foreign key to that table. */
  readonly columns: readonly string[] | null;
  readonly referenced: readonly string[] | null;
}

export type RedactKind = "email" | "phone" | "names";
export type ColumnChange =
  | { readonly kind: "value"; readonly value: string | number | boolean }
  | { readonly kind: "null" }
  | { readonly kind: "truncate"; readonly unit: "year" | "quarter" | "month" | "week" | "day" | "hour" }
  | { readonly kind: "redact"; readonly what: readonly RedactKind[] };

export type RuleAction = "delete" | "anonymise" | "retain";
export type NoTime = "erase" | "keep" | "fail";

export interface TableRule {
  readonly kind: "rule";
  readonly match: readonly KeyMatch[];
  readonly via: readonly ViaReference[];
  /** Default `identity`; for a rule that only has `via`, `null`: it takes the outcome of its parent. */
  readonly scope: string | null;
  readonly createdAt: string | null;
  readonly noTime: NoTime;
  /** `null` for a rule that only has `via`: delete with the parent. */
  readonly action: RuleAction;
  readonly set: ReadonlyMap<string, ColumnChange>;
  /** What is set on rows of a request whose scope is still pending. */
  readonly pendingSet: ReadonlyMap<string, ColumnChange>;
  /** Legal basis of `retain`. */
  readonly basis: string | null;
  /** How long `retain` holds, as written (`7y`). */
  readonly retainFor: string | null;
  /** Columns holding OIDs of large objects that go with the row, or with the reference when `set` changes it. */
  readonly largeObjects: readonly string[];
  /** When present, the whole list of the table's columns beyond those the rule names: anything else is drift. */
  readonly columns: ReadonlyMap<string, string> | null;
}

export type TableClass =
  | TableRule
  | {
      readonly kind: "unaffected";
      readonly columns: ReadonlyMap<string, string> | null;
      /** Columns, beyond those of type oid and lo, whose large objects stay because these rows do. */
      readonly largeObjects?: readonly string[];
    }
  | { readonly kind: "skip_data" };

/** Where identifiers of a person are resolved into each other. */
export interface SubjectTable {
  readonly table: TableName;
  readonly keys: readonly { readonly type: string; readonly column: string }[];
}

export interface Policy {
  /** `sha256:` and 64 hex digits over the policy's canonical content: layout and comments do not count. */
  readonly digest: string;
  readonly subject: SubjectTable | null;
  /** IANA zone in which timestamps without zone are read; `null`: the operator's `source.timezone`. */
  readonly timezone: string | null;
  readonly controller: string | null;
  /** By {@link tableKey}. */
  readonly tables: ReadonlyMap<
    string,
    { readonly name: TableName; readonly rule: TableClass; readonly position: string }
  >;
}

/** An unambiguous map key for a table: its name as pg_dump would quote it, always quoted. */
export function tableKey(name: TableName): string {
  return `"${name.schema.replaceAll('"', '""')}"."${name.name.replaceAll('"', '""')}"`;
}

/** A column as the dump's own CREATE TABLE (or COPY column list) declares it. */
export interface ColumnDefinition {
  readonly name: string;
  /** Type as written by pg_dump, schema and modifiers included, for example `timestamp with time zone`; `null` if unknown. */
  readonly type: string | null;
  readonly notNull: boolean;
  /** Part of the table but never of COPY. */
  readonly generated: boolean;
}

export interface ForeignKey {
  readonly name: string;
  readonly child: TableName;
  readonly columns: readonly string[];
  readonly parent: TableName;
  readonly referenced: readonly string[];
  /** `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default (pg_constraint.confdeltype). */
  readonly onDelete: "a" | "r" | "c" | "n" | "d";
  /** MATCH FULL. */
  readonly matchFull: boolean;
}

/** One table with data in the dump, and what the policy says of it. */
export interface CoveredTable {
  /** TABLE DATA entry's dump ID. */
  readonly dumpId: number;
  readonly name: TableName;
  /** Columns of the COPY statement, in order. */
  readonly copyColumns: readonly string[];
  /** By name, domains replaced by what stands behind them; types may be `null` when the dump holds no CREATE TABLE for it. */
  readonly columns: ReadonlyMap<string, ColumnDefinition>;
  /** Those of the COPY statement whose type is oid or lo: they may refer to large objects whatever a rule says. */
  readonly oidColumns: readonly string[];
  readonly rule: TableClass;
  /** Table whose rule applies: itself, or the partitioned ancestor that the policy names. */
  readonly ruleOf: TableName;
}

/**
 * A reference along which erasure travels: when a row of `parent` is deleted, rows of `child` whose `columns` equal its
 * `referenced` columns meet the child's rule. From `via`, or from a foreign key to a table that may lose rows.
 */
export interface ErasureEdge {
  readonly child: TableName;
  readonly columns: readonly string[];
  readonly parent: TableName;
  readonly referenced: readonly string[];
  readonly origin: "via" | "foreign key";
}

/** A policy found to cover a dump. */
export interface Coverage {
  readonly policy: Policy;
  /** By dump ID of the TABLE DATA entry. */
  readonly tables: ReadonlyMap<number, CoveredTable>;
  readonly edges: readonly ErasureEdge[];
  readonly foreignKeys: readonly ForeignKey[];
  /** Things worth a look that do not refuse the run: columns that look personal and that no rule names. */
  readonly advice: readonly string[];
}
