/**
 * What may stand in policy.yaml (DESIGN §4), as a closed schema: an unknown key, form or unit is refused. Names, defaults
 * and rules that span several keys are load.ts's. Kept free of transforms so that the editors' JSON Schema is complete.
 */

import type { ZodType, z } from "zod";

/** Scopes a request can have (DESIGN §5): a rule with any other scope would never be met. */
export const SCOPES = ["identity", "provider_contact", "reviews", "uploads"] as const;

/** The scope that takes effect only thirty days after the request: until then its rows are pending, and loaded. */
export const DEFERRED_SCOPE = "provider_contact";

/** The scope that is anonymised by default: only there can a request ask for deletion instead. */
export const ANONYMISED_SCOPE = "reviews";

export const TRUNCATE_UNITS = ["year", "quarter", "month", "week", "day", "hour"] as const;
export const REDACT_KINDS = ["email", "phone", "names"] as const;

export type RawMatch =
  | string
  | {
      readonly column: string;
      readonly path?: string | undefined;
      readonly when?: Readonly<Record<string, RawWhen>> | undefined;
    };
export type RawWhen = string | number | boolean;
export type RawChange =
  | null
  | { readonly value: string | number | boolean | null }
  | { readonly truncate: (typeof TRUNCATE_UNITS)[number] }
  | { readonly redact: readonly (typeof REDACT_KINDS)[number][] };
export type RawVia =
  | string
  | {
      readonly columns?: readonly string[] | undefined;
      readonly references: string;
      readonly referenced?: readonly string[] | undefined;
    };
export type RawColumns = readonly string[] | Readonly<Record<string, string>>;

export interface RawRule {
  readonly match?: Readonly<Record<string, RawMatch | readonly RawMatch[]>> | undefined;
  readonly via?: RawVia | readonly RawVia[] | undefined;
  readonly scope?: (typeof SCOPES)[number] | undefined;
  readonly created_at?: string | undefined;
  readonly no_time?: "erase" | "keep" | "fail" | undefined;
  readonly action?: "delete" | "anonymise" | "retain" | undefined;
  readonly set?: Readonly<Record<string, RawChange>> | undefined;
  readonly pending?: { readonly set: Readonly<Record<string, RawChange>> } | undefined;
  readonly basis?: string | undefined;
  readonly for?: string | undefined;
  readonly columns?: RawColumns | undefined;
  readonly large_objects?: readonly string[] | undefined;
  readonly keep_for?: undefined;
}
export interface RawUnaffected {
  readonly unaffected: true;
  readonly columns?: RawColumns | undefined;
  readonly large_objects?: readonly string[] | undefined;
}
export type RawTable = "unaffected" | "skip_data" | RawUnaffected | RawRule;

export interface RawPolicy {
  readonly version: 1;
  readonly timezone?: string | undefined;
  readonly controller?: string | undefined;
  readonly subject?: { readonly table: string; readonly [type: string]: string | readonly string[] } | undefined;
  readonly tables: Readonly<Record<string, RawTable>>;
}

/** The schema of policy.yaml. */
export function policySchema(zod: typeof z): ZodType<RawPolicy> {
  const name = zod.string().min(1, "must not be empty");
  const keyType = zod.string().regex(/^[a-z][a-z0-9_]*$/, "a key type is written like account_id");
  const columns = zod.union([zod.array(name), zod.record(name, name)], {
    error: "expected a list of columns, or a mapping from column to what it holds",
  });
  return zod.strictObject({
    version: zod.literal(1),
    timezone: name.optional(),
    controller: name.optional(),
    subject: zod
      .object({ table: name })
      .catchall(zod.union([name, zod.array(name).min(1)], { error: "expected a column or a list of columns" }))
      .optional(),
    tables: zod.record(
      name,
      zod.union(
        [
          zod.literal("unaffected"),
          zod.literal("skip_data"),
          zod.strictObject({
            unaffected: zod.literal(true),
            columns: columns.optional(),
            large_objects: zod.array(name).min(1).optional(),
          }),
          ruleSchema(zod, keyType, name, columns),
        ],
        { error: "expected a rule (match or via), unaffected, or skip_data" },
      ),
    ),
  });
}

function ruleSchema(
  zod: typeof z,
  keyType: z.ZodString,
  name: z.ZodString,
  columns: ZodType<RawColumns>,
): ZodType<RawRule> {
  const match = zod.union(
    [
      name,
      zod.strictObject({
        column: name,
        path: name.optional(),
        when: zod.record(name, zod.union([zod.string(), zod.number(), zod.boolean()])).optional(),
      }),
    ],
    { error: "expected a column, or { column: …, path: …, when: { … } }" },
  );
  const via = zod.union(
    [
      name,
      zod.strictObject({
        columns: zod.array(name).min(1).optional(),
        references: name,
        referenced: zod.array(name).min(1).optional(),
      }),
    ],
    { error: "expected a table, or { columns: […], references: schema.table, referenced: […] }" },
  );
  const changes = changeSchema(zod, name);
  return zod.strictObject({
    match: zod
      .record(
        keyType,
        zod.union([match, zod.array(match).min(1)], { error: "expected a column, a mapping, or a list" }),
      )
      .optional(),
    via: zod
      .union([via, zod.array(via).min(1)], { error: "expected a table, a mapping, or a list of these" })
      .optional(),
    scope: zod.enum(SCOPES).optional(),
    created_at: name.optional(),
    no_time: zod.enum(["erase", "keep", "fail"]).optional(),
    action: zod.enum(["delete", "anonymise", "retain"]).optional(),
    set: changes.optional(),
    pending: zod.strictObject({ set: changes }).optional(),
    basis: name.optional(),
    for: name.optional(),
    columns: columns.optional(),
    large_objects: zod.array(name).min(1).optional(),
    keep_for: zod.undefined({ error: "keep_for is not yet supported" }).optional(),
  });
}

function changeSchema(zod: typeof z, name: z.ZodString): ZodType<Readonly<Record<string, RawChange>>> {
  return zod.record(
    name,
    zod.union(
      [
        zod.null(),
        zod.strictObject({
          value: zod.union([zod.string(), zod.number(), zod.boolean(), zod.null()], {
            error: "expected a text, a number, true, false or null",
          }),
        }),
        zod.strictObject({ truncate: zod.enum(TRUNCATE_UNITS) }),
        zod.strictObject({ redact: zod.array(zod.enum(REDACT_KINDS)).min(1) }),
      ],
      { error: "expected null, { value: … }, { truncate: month } or { redact: [email, phone, names] }" },
    ),
  );
}
