/** Values by which rows refer to each other: bytes compared as they stand, and short enough to be a key. */
import { isNull } from "../copy/fields.ts";
import { PolicyRefused } from "../errors.ts";
import type { RowView } from "./row-view.ts";
import type { TablePlan } from "./table-plan.ts";

/** Bytes of a value by which rows are referred to, at most: an index holds far less, the scan kernel twice as much. */
export const longestKey = 1024 * 1024;

/** What a row refers to by these fields; `null` when that is nothing: MATCH SIMPLE, a NULL in any column. */
export function referringValues(row: RowView, fields: readonly number[]): readonly Buffer[] | null {
  // no row can be known by a longer value: see below
  if (fields.some((field) => row.length(field) > longestKey)) return null;
  const values = fields.map((field) => row.raw(field));
  return values.some(isNull) ? null : values;
}

/** What others refer to a row by; `null` when nothing can. @throws PolicyRefused (`value_too_long`). */
export function referredValues(row: RowView, fields: readonly number[], plan: TablePlan): readonly Buffer[] | null {
  const long = fields.find((field) => row.length(field) > longestKey);
  if (long !== undefined) {
    throw new PolicyRefused(
      `table ${plan.label}: a row that goes is referred to by column ${plan.columns[long]}, which holds ${row.length(long)} bytes`,
      { code: "value_too_long", hint: "let via name a column that is a key: at most 1 MiB of it can be followed" },
    );
  }
  const values = fields.map((field) => row.raw(field));
  return values.some(isNull) ? null : values;
}
