import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined, pieces } from "../../archive/testing/sources.ts";
import { CLOSING, LargeObjectSet, TableSet, withoutClosing } from "./fingerprint.ts";

describe("rows without their closing line", () => {
  it("are all that was before it, however the data is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("a\n", "\\.\n", "\n", "\\N\t\\\\.\n"), { maxLength: 20 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (rows, step, closed) => {
          const text = Buffer.from(rows.join(""));
          fc.pre(closed || !text.subarray(-CLOSING.length).equals(CLOSING));
          const data = closed ? Buffer.concat([text, CLOSING]) : text;
          expect((await joined(withoutClosing(pieces(data, step)))).equals(text)).toBe(true);
        },
      ),
    );
  });
});

describe("a set of tables", () => {
  const set = (tables: readonly (readonly [string, string])[]): TableSet => {
    const made = new TableSet();
    for (const [at, [key, rows]] of tables.entries()) {
      const table = made.table(key, at + 1);
      table.hash.update(rows);
      table.rows += rows.length;
    }
    return made;
  };
  const written = set([
    ["a", "1"],
    ["b", "23"],
    ["a", "4"],
  ]);

  it("takes tables of one key as one, in their order", () => {
    const joinedUp = set([
      ["b", "23"],
      ["a", "14"],
    ]);
    expect(written.difference(joinedUp)).toBeNull();
    expect(written.difference(written)).toBeNull();
    expect([written.size, written.dumpIdOf("a"), written.dumpIdOf("c")]).toEqual([2, 1, undefined]);
  });

  it.each([
    ["missing", [["a", "14"]], 2],
    [
      "rows",
      [
        ["a", "14"],
        ["b", "234"],
      ],
      2,
    ],
    [
      "bytes",
      [
        ["a", "41"],
        ["b", "23"],
      ],
      1,
    ],
  ] as const)("tells what differs: %s", (what, tables, dumpId) => {
    expect(written.difference(set(tables))).toEqual({ what, dumpId });
  });
});

describe("a set of large objects", () => {
  const set = async (objects: readonly (readonly [number, string])[]): Promise<LargeObjectSet> => {
    const made = new LargeObjectSet();
    for (const [oid, text] of objects) await joined(made.watch({ oid, data: pieces(Buffer.from(text), 2) }).data);
    return made;
  };

  it("is the same in any order, and another with any other content", async () => {
    const objects = [
      [1, "abc"],
      [2, ""],
      [4_000_000_000, "abc"],
    ] as const;
    const one = await set(objects);
    expect(one.equals(await set(objects.toReversed()))).toBe(true);
    expect([one.count, one.bytes]).toEqual([3, 6]);
    for (const other of [
      objects.slice(1),
      [...objects, [3, ""] as const],
      [[1, "abd"] as const, ...objects.slice(1)],
    ]) {
      expect(one.equals(await set(other))).toBe(false);
    }
  });
});
