/**
 * Cuts a table's COPY text into batches of whole rows and scans each as it is cut. What flows on is bytes with row ends,
 * never an object a row.
 *
 * Invariants: the batches' bytes, joined, are the input up to the `\.` line; a batch never ends inside a row, but for
 * the parts of long rows where those are asked for; rows with
 * too few or too many fields, bytes behind `\.` and a missing `\.` are errors, as they are for PostgreSQL's own
 * CopyGetData and NextCopyFrom (copyfromparse.c).
 */
import { ArchiveDamaged } from "../errors.ts";
import { LongRow } from "./long-row.ts";
import { maxScanBytes, type Probe, type RowKernel, type ScanResult } from "./row-kernel.ts";

export interface RowBatch {
  /** Whole rows, newlines included; empty for a long row. With `inParts` perhaps a part of one. */
  readonly bytes: Buffer;
  /** Rows that end in this batch. */
  readonly rows: number;
  /** Offset behind each row's newline. */
  readonly ends: Uint32Array;
  /** (row, start, end, probe bits) of each row that may match. */
  readonly candidates: Uint32Array;
  /** Number of the batch's first row in its table, from 1. */
  readonly firstRow: number;
  /** One row that did not fit a batch. Always to be examined by every probe. */
  readonly longRow: LongRow | null;
}

export interface RowLayout {
  /** For messages: the table's name as SQL writes it. */
  readonly table: string;
  /** Number of fields in each row. */
  readonly columns: number;
  /** Asked of each row; read anew for every batch, so that tag tables may grow meanwhile. */
  readonly probes: readonly Probe[];
  /** Nobody looks at fields: a row that does not fit a batch comes piece by piece instead of being held. */
  readonly inParts?: boolean;
}

const tab = 9;
const newline = 10;
/** Bytes fed to the kernel at once; also what is passed on at once. */
const sliceBytes = 256 * 1024;
/** A row that has not ended after this many bytes is kept as chunks. */
const longRowBytes = maxScanBytes - sliceBytes;
/** So many pieces of a row, of so few bytes each, are joined. */
const manyPieces = 1024;
const smallPiece = 16 * 1024;
/** PostgreSQL holds a COPY line in one allocation (MaxAllocSize of memutils.h). */
const maxRowBytes = 0x3fffffff;

const noNumbers = new Uint32Array(0);

/** Batches of whole rows of one table. @throws ArchiveDamaged with the table, the row's number and the byte offset. */
export async function* rowBatches(
  data: AsyncIterable<Buffer>,
  layout: RowLayout,
  kernel: RowKernel,
): AsyncGenerator<RowBatch> {
  const cutter = new RowCutter(layout, kernel);
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; at += sliceBytes) yield* cutter.push(chunk.subarray(at, at + sliceBytes));
  }
  cutter.finish();
}

class RowCutter {
  private readonly layout: RowLayout;
  private readonly kernel: RowKernel;
  /** Bytes of a row that has not ended yet. */
  private carry: Buffer[] = [];
  private carried = 0;
  /** Of the carry: pieces, and their bytes, that need not be joined any more. */
  private joined = 0;
  private joinedBytes = 0;
  /** Of a long row that is passed on in parts: bytes and separators so far. */
  private passed = 0;
  private separators = 0;
  private row = 1;
  /** Offset in the table's data of the first byte not yet passed on. */
  private offset = 0;
  private ended = false;

  constructor(layout: RowLayout, kernel: RowKernel) {
    this.layout = layout;
    this.kernel = kernel;
  }

  *push(slice: Buffer): Generator<RowBatch> {
    if (this.ended) {
      this.checkTail(slice);
      return;
    }
    if (this.passed > 0 || this.carried > longRowBytes) {
      const end = slice.indexOf(newline) + 1;
      this.keep(end === 0 ? slice : slice.subarray(0, end));
      if (this.layout.inParts) yield* this.passOn();
      else if (end > 0) yield this.takeLongRow();
      if (end === 0) return;
      slice = slice.subarray(end);
    }
    if (this.carried > 0) {
      // the row that was cut goes by itself, so that the many whole ones behind it need not be copied
      const first = slice.indexOf(newline) + 1;
      this.keep(first === 0 ? slice : slice.subarray(0, first));
      if (first === 0) return;
      const row = Buffer.concat(this.carry, this.carried);
      this.drop();
      yield* this.scan(row);
      slice = slice.subarray(first);
      if (this.ended) {
        this.checkTail(slice);
        return;
      }
    }
    const end = slice.lastIndexOf(newline) + 1;
    this.keep(slice.subarray(end));
    if (end > 0) yield* this.scan(slice.subarray(0, end));
  }

  private drop(): void {
    this.carry = [];
    this.carried = 0;
    this.joined = 0;
    this.joinedBytes = 0;
  }

  finish(): void {
    if (this.ended) return;
    throw this.damaged(
      "data_truncated",
      "its data ends without the closing \\. line",
      "the backup was cut off: use another one",
    );
  }

  private keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.carry.push(bytes);
    this.carried += bytes.length;
    if (this.carry.length - this.joined >= manyPieces) this.joinSmall();
    if (this.passed + this.carried > maxRowBytes) {
      throw this.damaged(
        "row_too_wide",
        "the row is larger than the 1 GiB that PostgreSQL accepts",
        "check the backup",
      );
    }
  }

  /** A row in crumbs would cost more for the crumbs than for their bytes. */
  private joinSmall(): void {
    const bytes = this.carried - this.joinedBytes;
    if (bytes < manyPieces * smallPiece) this.carry.push(Buffer.concat(this.carry.splice(this.joined), bytes));
    this.joined = this.carry.length;
    this.joinedBytes = this.carried;
  }

  private *scan(bytes: Buffer): Generator<RowBatch> {
    while (bytes.length > 0) {
      const result = this.kernel.scan(bytes, this.layout.columns, this.layout.probes);
      const firstRow = this.row;
      const marker = result.ended ? endMarkerBytes : 0;
      const rowBytes = bytes.subarray(0, result.consumed - marker);
      this.row += result.rows;
      this.offset += result.consumed;
      if (result.rows > 0) yield batch(rowBytes, firstRow, result);
      if (result.fault) throw this.wrongShape(result.fault);
      bytes = bytes.subarray(result.consumed);
      if (result.ended) {
        this.ended = true;
        this.checkTail(bytes);
        this.checkTail(Buffer.concat(this.carry));
        return;
      }
    }
  }

  private takeLongRow(): RowBatch {
    const expected = Math.max(this.layout.columns, 1);
    const longRow = new LongRow(this.carry, expected);
    this.drop();
    if (longRow.fields !== expected || this.layout.columns === 0) {
      throw this.wrongShape(longRow.fields < expected ? "short" : "long");
    }
    this.offset += longRow.length;
    return { bytes: Buffer.alloc(0), rows: 1, ends: noNumbers, candidates: noNumbers, firstRow: this.row++, longRow };
  }

  /** What is there of a long row. The part with its newline counts as the row. */
  private *passOn(): Generator<RowBatch> {
    const parts = this.carry;
    this.drop();
    for (const bytes of parts) {
      this.passed += bytes.length;
      for (let at = bytes.indexOf(tab); at >= 0 && this.separators < this.layout.columns; ) {
        this.separators++;
        at = bytes.indexOf(tab, at + 1);
      }
      const part = { bytes, ends: noNumbers, candidates: noNumbers, firstRow: this.row, longRow: null };
      if (bytes.at(-1) !== newline) {
        yield { ...part, rows: 0 };
        continue;
      }
      const fields = this.separators + 1;
      if (fields !== this.layout.columns) throw this.wrongShape(fields < this.layout.columns ? "short" : "long");
      this.offset += this.passed;
      this.row++;
      this.passed = 0;
      this.separators = 0;
      yield { ...part, rows: 1, ends: Uint32Array.of(bytes.length) };
    }
  }

  /** Behind `\.` pg_dump writes empty lines only. */
  private checkTail(bytes: Buffer): void {
    for (const byte of bytes) {
      if (byte !== newline)
        throw this.damaged("data_after_end", "there are bytes behind the closing \\. line", "check the backup");
    }
  }

  private wrongShape(fault: "short" | "long"): ArchiveDamaged {
    const than = fault === "short" ? "fewer" : "more";
    return this.damaged(
      fault === "short" ? "row_too_short" : "row_too_long",
      `the row has ${than} fields than the ${this.layout.columns} columns of its COPY statement`,
      "the archive is damaged or was edited: use another backup",
    );
  }

  private damaged(code: string, what: string, hint: string): ArchiveDamaged {
    const where = `table ${this.layout.table}, row ${this.row}, byte ${this.offset} of its data`;
    return new ArchiveDamaged(`${where}: ${what}`, { code, hint });
  }
}

/** `\.` and its newline. */
const endMarkerBytes = 3;

function batch(bytes: Buffer, firstRow: number, result: ScanResult): RowBatch {
  return { bytes, rows: result.rows, ends: result.ends, candidates: result.candidates, firstRow, longRow: null };
}
