/**
 * Rewrites the fields of one row that a rule sets. All other fields leave as the bytes they came in.
 */
import { type CharacterLength, escapeField, nullField } from "../copy/fields.ts";
import type { ColumnChange } from "../policy/model.ts";
import { textOf } from "./examine.ts";
import { redactText } from "./redact.ts";
import type { RowView } from "./row-view.ts";
import type { FieldChange } from "./table-plan.ts";
import { truncateTime } from "./truncate-time.ts";

export interface RewriteContext {
  readonly decode: (bytes: Buffer) => string;
  /** The reverse of `decode`. @throws PolicyRefused when the dump's encoding lacks a character. */
  readonly encode: (text: string) => Buffer;
  readonly characterLength: CharacterLength | undefined;
  /** Zone whose months and days times are cut down to. */
  readonly zone: string;
  /** Names of the people whose requests met this row. */
  readonly names: readonly string[];
}

export interface RewritableRow extends RowView {
  readonly offsets: readonly number[];
  slices(start: number, end: number): Iterable<Buffer>;
}

/** The row's bytes with the changes applied, newline included. */
export function rewriteRow(row: RewritableRow, changes: readonly FieldChange[], context: RewriteContext): Buffer[] {
  const pieces: Buffer[] = [];
  let from = row.offsets[0]!;
  for (const { field, change } of [...changes].sort((a, b) => a.field - b.field)) {
    for (const slice of row.slices(from, row.offsets[field]!)) pieces.push(slice);
    pieces.push(changedField(row, field, change, context));
    from = row.offsets[field + 1]! - 1;
  }
  for (const slice of row.slices(from, row.offsets.at(-1)!)) pieces.push(slice);
  return pieces;
}

/** What a field becomes. One that is replaced whole is not looked at: it may be most of a gigabyte. */
function changedField(row: RowView, field: number, change: ColumnChange, context: RewriteContext): Buffer {
  const write = (text: string): Buffer => escapeField(context.encode(text), context.characterLength);
  switch (change.kind) {
    case "null":
      return nullField;
    case "value":
      return write(String(change.value));
    case "truncate": {
      const text = textOf(row, field, context);
      return text === null ? nullField : write(truncateTime(text, change.unit, context.zone));
    }
    case "redact": {
      const text = textOf(row, field, context);
      if (text === null) return nullField;
      const redacted = redactText(text, change.what, context.names);
      return redacted === text ? row.raw(field) : write(redacted);
    }
  }
}
