/**
 * A row too long for the scan kernel's input area (1.5 MiB and more, up to PostgreSQL's own limit of 1 GiB - 1): kept as
 * the chunks it came in, never joined.
 */
const tab = 9;

export class LongRow {
  /** Bytes, the newline included. */
  readonly length: number;
  private chunks: readonly Buffer[];
  /** Offset of each field's start and, last, one past the newline: as `fieldOffsets` gives for a short row. */
  readonly offsets: readonly number[];

  /**
   * `chunks` joined are the row, its newline at the end. Fields beyond `mostFields` are counted as one more: a damaged row
   * may be nothing but separators.
   */
  constructor(chunks: readonly Buffer[], mostFields: number) {
    this.chunks = chunks;
    const offsets = [0];
    let base = 0;
    for (const chunk of chunks) {
      for (let at = chunk.indexOf(tab); at >= 0 && offsets.length <= mostFields; at = chunk.indexOf(tab, at + 1)) {
        offsets.push(base + at + 1);
      }
      base += chunk.length;
    }
    offsets.push(base);
    this.offsets = offsets;
    this.length = base;
  }

  /** Forgets the bytes, once they have been passed on: what was taken as slices lives as long as each of those. */
  release(): void {
    this.chunks = [];
  }

  get fields(): number {
    return this.offsets.length - 1;
  }

  /** Bytes of field `index`, without separator. */
  fieldLength(index: number): number {
    return this.offsets[index + 1]! - this.offsets[index]! - 1;
  }

  /** One field's raw bytes, copied together. */
  field(index: number): Buffer {
    return Buffer.concat([...this.slices(this.offsets[index]!, this.offsets[index + 1]! - 1)]);
  }

  /** The row's bytes `[start, end)` as they came. */
  *slices(start: number, end: number): Generator<Buffer> {
    let base = 0;
    for (const chunk of this.chunks) {
      const from = Math.max(start - base, 0);
      const to = Math.min(end - base, chunk.length);
      if (from < to) yield chunk.subarray(from, to);
      base += chunk.length;
      if (base >= end) return;
    }
  }
}
