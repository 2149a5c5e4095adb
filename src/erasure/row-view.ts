/** The two kinds of row as the examiner and the rewriter see them. */
import { fieldOffsets } from "../copy/fields.ts";
import type { LongRow } from "../copy/long-row.ts";
import type { RowView } from "./examine.ts";

/** A row inside a batch; `offsets` are its fields' starts and one past its newline. */
export class ShortRowView implements RowView {
  readonly offsets: readonly number[];
  readonly bytes: Buffer;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.offsets = fieldOffsets(bytes, start, end);
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

  raw(field: number): Buffer {
    return this.row.field(field);
  }

  slices(start: number, end: number): Iterable<Buffer> {
    return this.row.slices(start, end);
  }
}
