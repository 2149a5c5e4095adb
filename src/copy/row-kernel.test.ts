import { describe, expect, it } from "vitest";
import { compileKernel } from "../../scripts/build-kernel.ts";
import { type Probe, RowKernel } from "./row-kernel.ts";
import { kernelBase64 } from "./row-kernel.wasm.ts";

const key = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");

function scan(text: string, columns: number, probes: readonly Probe[] = []) {
  return new RowKernel().scan(Buffer.from(text), columns, probes);
}

describe("the row scan kernel", () => {
  it("is what the committed source compiles to", async () => {
    expect(Buffer.from(await compileKernel("copy/row-kernel")).toString("base64")).toBe(kernelBase64);
  });

  it("computes SipHash-2-4 as its authors' test vectors say", () => {
    const kernel = new RowKernel();
    // low 32 bits of the reference outputs for the messages 00 01 02 … of 0, 1 and 15 bytes under key 00 … 0f
    expect(kernel.tag(Buffer.alloc(0), key)).toBe(0xdd0e0e31);
    expect(kernel.tag(Buffer.from([0]), key)).toBe(0x93dc67fd);
    expect(kernel.tag(Buffer.from([...Array(15).keys()]), key)).toBe(0x49be45e5);
  });

  it("finds row ends over block boundaries", () => {
    for (const width of [1, 14, 15, 16, 17, 31, 32, 33, 200]) {
      const row = `${"a".repeat(width)}\tb\n`;
      const result = scan(row.repeat(50), 2);
      expect(result.rows).toBe(50);
      expect(result.consumed).toBe(row.length * 50);
      expect([...result.ends]).toEqual(Array.from({ length: 50 }, (_, n) => (n + 1) * row.length));
      expect(result.fault).toBeNull();
    }
  });

  it("tells short rows from long ones and says where", () => {
    expect(scan("a\tb\na\n", 2)).toMatchObject({ rows: 1, consumed: 4, fault: "short" });
    expect(scan("a\tb\na\tb\tc\n", 2)).toMatchObject({ rows: 1, consumed: 4, fault: "long" });
    expect(scan("\n\nx\n", 0)).toMatchObject({ rows: 2, consumed: 2, fault: "long" });
  });

  it("takes an empty line for a row of one column and of none", () => {
    expect(scan("\n\n\n", 1)).toMatchObject({ rows: 3, fault: null });
    expect(scan("\n\n\n", 0)).toMatchObject({ rows: 3, fault: null });
  });

  it("ends at a line that is \\. and at nothing like it", () => {
    expect(scan("a\n\\\\.\n\\.x\n\\.\n\n\n", 1)).toMatchObject({ rows: 3, ended: true, consumed: 13 });
    expect(scan("\\.\n", 0)).toMatchObject({ rows: 0, ended: true, consumed: 3 });
    expect(scan("\\.\tb\n", 2)).toMatchObject({ rows: 1, ended: false });
  });

  it("names the rows whose value is in the table, and no others, at first, middle and last column", () => {
    const kernel = new RowKernel();
    const table = kernel.tagTable(Uint32Array.of(kernel.tag(Buffer.from("42"), key)));
    for (const column of [0, 1, 2]) {
      const row = (value: string): string => `${[0, 1, 2].map((n) => (n === column ? value : "7")).join("\t")}\n`;
      const text = row("41") + row("42") + row("421") + row("\\N") + row("42");
      const probes: Probe[] = [{ column, form: "exact", tagKey: key, table }];
      const { candidates } = kernel.scan(Buffer.from(text), 3, probes);
      expect([...candidates].filter((_, n) => n % 4 === 0)).toEqual([1, 4]);
    }
  });

  it("keeps probes apart by bit, several on one column included, in any order", () => {
    const kernel = new RowKernel();
    const of = (value: string) => kernel.tagTable(Uint32Array.of(kernel.tag(Buffer.from(value), key)));
    const probes: Probe[] = [
      { column: 1, form: "exact", tagKey: key, table: of("b") },
      { column: 0, form: "exact", tagKey: key, table: of("a") },
      { column: 1, form: "exact", tagKey: key, table: of("c") },
      { column: 0, form: "present", tagKey: key, table: null },
    ];
    const { candidates } = kernel.scan(Buffer.from("a\tb\n\\N\tc\n\\N\t\\N\n"), 2, probes);
    expect([...candidates].filter((_, n) => n % 4 === 3)).toEqual([0b1011, 0b0100]);
  });

  it("finds tags added later, through growth, and the tag zero", () => {
    const kernel = new RowKernel();
    const table = kernel.tagTable();
    const probes: Probe[] = [{ column: 0, form: "exact", tagKey: key, table }];
    for (let n = 0; n < 5000; n++) table.add(kernel.tag(Buffer.from(String(n)), key));
    const rows = Array.from({ length: 6000 }, (_, n) => `${n}\n`).join("");
    expect(kernel.scan(Buffer.from(rows), 1, probes).candidates.length / 4).toBe(5000);
    expect(table.size).toBe(5000);
    table.add(0);
    expect(kernel.scan(Buffer.from("5999\n"), 1, probes).candidates.length).toBe(0);
  });

  it("stops at its row limit and goes on from there", () => {
    const kernel = new RowKernel();
    const bytes = Buffer.from("\n".repeat(70_000));
    const first = kernel.scan(bytes, 1, []);
    expect(first.rows).toBe(65_536);
    expect(kernel.scan(bytes.subarray(first.consumed), 1, []).rows).toBe(70_000 - 65_536);
  });
});
