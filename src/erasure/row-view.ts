/** The two kinds of row as the examiner and the rewriter see them. */
import { fieldOffsets } from "../copy/fields.ts";
import type { LongRow } from "../copy/long-row.ts";
import type { RowBatch } from "../copy/row-batches.ts";
import { candidateWords } from "../copy/row-kernel.ts";

/** Access to one row's raw fields, short row or long. */
export interface RowView {
  /** Bytes of a field. Costs nothing, whatever the field holds. */
  length(field: number): number;
  /** Raw bytes of a field; of a long row a copy. */
  raw(field: number): Buffer;
}

/** The rows of a batch that the scan could not rule out, each with its number in the table. */
export function* candidateRows(
  batch: RowBatch,
): Generator<{ readonly row: ShortRowView | LongRowView; readonly number: number }> {
  if (batch.longRow) {
    yield { row: new LongRowView(batch.longRow), number: batch.firstRow };
    return;
  }
  const { bytes, candidates, firstRow } = batch;
  for (let at = 0; at < candidates.length; at += candidateWords) {
    yield {
      row: new ShortRowView(bytes, candidates[at + 1]!, candidates[at + 2]!),
      number: firstRow + candidates[at]!,
    };
  }
}

/** A row inside a batch; `offsets` are its fields' starts and one past its newline. */
export class ShortRowView implements RowView {
  readonly offsets: readonly number[];
  readonly bytes: Buffer;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.offsets = fieldOffsets(bytes, start, end);
  }

  length(field: number): number {
    return this.offsets[field + 1]! - 1 - this.offsets[field]!;
  }

  raw(field: number): Buffer {
    return this.bytes.subarray(this.offsets[field]!, this.offsets[field + 1]! - 1);
  }

  slices(start: number, end: number): Iterable<Buffer> {
    return start < end ? [this.bytes.subarray(start, end)] : [];
  }
}

/** A row that came in chunks: fields are put together only when asked for. */
export class LongRowView implements RowView {
  readonly offsets: readonly number[];
  private readonly row: LongRow;

  constructor(row: LongRow) {
    this.row = row;
    this.offsets = row.offsets;
  }

  length(field: number): number {
    return this.row.fieldLength(field);
  }

  raw(field: number): Buffer {
    return this.row.field(field);
  }

  slices(start: number, end: number): Iterable<Buffer> {
    return this.row.slices(start, end);
  }
}
