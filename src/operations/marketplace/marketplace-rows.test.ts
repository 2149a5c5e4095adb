import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { makePeople } from "./marketplace-people.ts";
import { MarketplaceRows, rowCounts } from "./marketplace-rows.ts";
import { copyColumns, type MarketplaceTable, marketplaceTableNames } from "./marketplace-tables.ts";

const snapshot = new Date("2026-11-20T02:30:00Z");
const people = makePeople(snapshot);

async function read(table: MarketplaceTable, seed = 1, rows = 20_000): Promise<{ text: string; batches: number[] }> {
  const generator = new MarketplaceRows(people, rowCounts(rows, people), seed, snapshot);
  const batches: Buffer[] = [];
  for await (const batch of generator.table(table)) {
    batches.push(batch);
  }
  return { text: Buffer.concat(batches).toString("utf8"), batches: batches.map((batch) => batch.length) };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

describe("the marketplace's rows", () => {
  test.each(marketplaceTableNames)(
    "%s: as many rows as announced, each with all its columns, then COPY's end",
    async (table) => {
      const { text } = await read(table);
      expect(text.endsWith("\n\\.\n\n\n")).toBe(true);
      const lines = text.slice(0, -"\\.\n\n\n".length).split("\n").slice(0, -1);
      expect(lines).toHaveLength(rowCounts(20_000, people)[table] + people.lines[table].length);
      const widths = new Set(lines.map((line) => line.split("\t").length));
      expect([...widths]).toEqual([copyColumns(table).length]);
    },
  );

  test("the same seed gives the same bytes, another one others", async () => {
    expect(digest((await read("leads")).text)).toBe(digest((await read("leads")).text));
    expect(digest((await read("leads", 2)).text)).not.toBe(digest((await read("leads")).text));
  });

  test("no two tables share a random stream", async () => {
    const generator = new MarketplaceRows(people, rowCounts(20_000, people), 1, snapshot);
    const firstTexts = await Promise.all(
      (["review_replies", "messages", "lead_notes"] as const).map(async (table) => {
        const { value } = await generator.table(table).next();
        return String(value)
          .split("\n", 200)
          .map((line) => line.split("\t").at(-1))
          .join();
      }),
    );
    expect(new Set(firstTexts).size).toBe(3);
  });

  test("batches are of a size that suits a socket", async () => {
    const { batches } = await read("events", 1, 200_000);
    expect(batches.length).toBeGreaterThan(10);
    expect(Math.max(...batches)).toBeLessThan(320 * 1024);
    expect(Math.min(...batches.slice(0, -1))).toBeGreaterThanOrEqual(256 * 1024);
  });

  test("the total is what was asked for", () => {
    for (const rows of [2_000, 200_000, 1_234_567]) {
      const counts = rowCounts(rows, people);
      const known = Object.values(people.lines).reduce((sum, lines) => sum + lines.length, 0);
      expect(Object.values(counts).reduce((sum, count) => sum + count, known)).toBe(rows);
    }
  });

  test("texts hold what a parser of COPY trips over", async () => {
    const { text } = await read("messages", 1, 200_000);
    const traps = ["\\\\.\t", "\\\\N\t", "\tNULL\t", "\t\\N\t", "\\r\\n", "\\t", "C:\\\\cursus", '"doen!"', "👍", "½"];
    expect(traps.filter((trap) => !text.includes(trap))).toEqual([]);
  });
});
