import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../errors.ts";
import { escapeField, fieldOffsets, nullField, unescapeField } from "./fields.ts";
import { type RowBatch, rowBatches } from "./row-batches.ts";
import { RowKernel } from "./row-kernel.ts";

const kernel = new RowKernel();

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function collect(bytes: Buffer, columns: number, sizes: readonly number[], inParts = false): Promise<RowBatch[]> {
  const batches: RowBatch[] = [];
  for await (const batch of rowBatches(cut(bytes, sizes), { table: "t", columns, probes: [], inParts }, kernel))
    batches.push(batch);
  return batches;
}

function bytesOf(batches: readonly RowBatch[]): Buffer {
  return Buffer.concat(
    batches.flatMap((batch) => (batch.longRow ? [...batch.longRow.slices(0, batch.longRow.length)] : [batch.bytes])),
  );
}

const field = fc.oneof(
  fc.constant(null),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\\", "\\.", "\\N", "\t", "\n", "\r\n", "\b\f\v", "\u2028", "😀", "\\\\."),
);
const table = fc
  .integer({ min: 1, max: 5 })
  .chain((columns) =>
    fc.tuple(
      fc.constant(columns),
      fc.array(fc.array(field, { minLength: columns, maxLength: columns }), { maxLength: 30 }),
    ),
  );
const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

function copyText(rows: readonly (readonly (string | null)[])[]): Buffer {
  return Buffer.concat(
    rows.flatMap((row) => [
      ...row.flatMap((value, n) => [
        Buffer.from(n === 0 ? "" : "\t"),
        value === null ? nullField : escapeField(Buffer.from(value)),
      ]),
      Buffer.from("\n"),
    ]),
  );
}

const end = Buffer.from("\\.\n\n\n");

describe("row batches", () => {
  it("are the input's bytes and rows, wherever the chunks are cut", async () => {
    await fc.assert(
      fc.asyncProperty(table, chunkSizes, async ([columns, rows], sizes) => {
        const text = copyText(rows);
        const batches = await collect(Buffer.concat([text, end]), columns, sizes);
        expect(bytesOf(batches).equals(text)).toBe(true);
        expect(batches.reduce((sum, batch) => sum + batch.rows, 0)).toBe(rows.length);
        let expected = 1;
        for (const batch of batches) {
          expect(batch.firstRow).toBe(expected);
          expected += batch.rows;
          expect(batch.ends.at(-1)).toBe(batch.bytes.length);
        }
      }),
    );
  });

  it("hold fields that read back as what was written", () => {
    fc.assert(
      fc.property(table, ([, rows]) => {
        const text = copyText(rows);
        let start = 0;
        for (const row of rows) {
          const stop = text.indexOf(10, start) + 1;
          const offsets = fieldOffsets(text, start, stop);
          const read = row.map((_, n) => text.subarray(offsets[n]!, offsets[n + 1]! - 1));
          expect(offsets).toHaveLength(row.length + 1);
          expect(
            read.map((raw) => (raw.equals(nullField) ? null : unescapeField(Buffer.from(raw)).toString())),
          ).toEqual(row);
          start = stop;
        }
      }),
    );
  });

  it("refuse data that was cut anywhere", async () => {
    const whole = Buffer.concat([Buffer.from("1\ta\n2\tb\n"), end]);
    for (let length = 0; length < whole.length - 2; length++) {
      await expect(collect(whole.subarray(0, length), 2, [3])).rejects.toThrow(ArchiveDamaged);
    }
  });

  it.each([
    ["1\n", "row_too_short", "row 1, byte 0"],
    ["1\t2\n1\t2\t3\n", "row_too_long", "row 2, byte 4"],
    ["1\t2\n\\.\nx", "data_after_end", "row 2"],
    ["1\t2\n", "data_truncated", "row 2, byte 4"],
  ])("say what is wrong and where: %j", async (text, code, where) => {
    const error = await collect(Buffer.from(text), 2, [7]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ArchiveDamaged);
    expect(error).toMatchObject({ code, message: expect.stringContaining(where) as string });
  });

  it("count the rows of a table without columns", async () => {
    const batches = await collect(Buffer.concat([Buffer.from("\n\n\n"), end]), 0, [1]);
    expect(batches.reduce((sum, batch) => sum + batch.rows, 0)).toBe(3);
  });

  it("pass a row on that is longer than any batch, as it came", async () => {
    const long = "x".repeat(5 * 1024 * 1024);
    const text = Buffer.from(`1\ta\n2\t${long}\n3\tb\n`);
    const batches = await collect(Buffer.concat([text, end]), 2, [256 * 1024, 70_001]);
    expect(bytesOf(batches).equals(text)).toBe(true);
    const row = batches.find((batch) => batch.longRow)!.longRow!;
    expect(row.fields).toBe(2);
    expect(row.field(0).toString()).toBe("2");
    expect(row.fieldLength(1)).toBe(long.length);
    await expect(collect(Buffer.from(`2\t${long}\tz\n`), 2, [262_144])).rejects.toMatchObject({ code: "row_too_long" });
  });

  it("pass such a row on in parts, where nobody looks at its fields, and count it once", async () => {
    const long = "x".repeat(5 * 1024 * 1024);
    const text = Buffer.from(`1\ta\n2\t${long}\n3\tb\n4\t${long}\n5\t${long}\n`);
    for (const sizes of [[256 * 1024, 70_001], [262_144 * 3 + 1], [4096, 1]]) {
      const batches = await collect(Buffer.concat([text, end]), 2, sizes, true);
      expect(bytesOf(batches).equals(text)).toBe(true);
      expect(batches.some((batch) => batch.longRow)).toBe(false);
      expect(batches.reduce((sum, batch) => sum + batch.rows, 0)).toBe(5);
      expect(Math.max(...batches.map((batch) => batch.bytes.length))).toBeLessThan(2 * 1024 * 1024);
      const rows = batches.filter((batch) => batch.rows > 0);
      expect(rows.reduce((next, batch) => (batch.firstRow === next ? next + batch.rows : -1), 1)).toBe(6);
    }
  });

  it.each([
    [`1\ta\n2\t${"x".repeat(4_000_000)}\tz\n`, "row_too_long", "row 2, byte 4"],
    [`1\ta\n${"x".repeat(4_000_000)}\n`, "row_too_short", "row 2, byte 4"],
    [`1\ta\n${"\t".repeat(4_000_000)}\n`, "row_too_long", "row 2, byte 4"],
    [`1\ta\n2\t${"x".repeat(4_000_000)}`, "data_truncated", "row 2, byte 4"],
  ])("refuse a long row of the wrong shape, held or not: %#", async (text, code, where) => {
    for (const inParts of [true, false]) {
      const refused = expect(collect(Buffer.from(text), 2, [65_536], inParts)).rejects;
      await refused.toMatchObject({ code, message: expect.stringContaining(where) as string });
    }
  });

  it("join the crumbs of a long row", async () => {
    const text = Buffer.from(`1\t${"x".repeat(3_000_000)}\n`);
    const [batch] = await collect(Buffer.concat([text, end]), 2, [7]);
    const slices = [...batch!.longRow!.slices(0, text.length)];
    expect(slices.length).toBeLessThan(2000);
    expect(Buffer.concat(slices).equals(text)).toBe(true);
  });
});
