import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeCustomArchive } from "../archive/custom/custom-writer.ts";
import type { Archive } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import { copyOf, joined, memorySource } from "../archive/testing/sources.ts";
import { sanitised, type TinyTable, tinyArchive, tinyPlan } from "./testing/tiny-dump.ts";

const old = "2026-01-01 00:00:00+00";
const jan = { keys: { account_id: ["901"] } };

/** Accounts that an address tells from one another; orders of theirs; lines and notes that hang on orders; a cycle. */
const tables: Readonly<Record<string, TinyTable>> = {
  users: {
    name: "users",
    columns: ["id bigint NOT NULL", "email text", "created_at timestamp with time zone"],
    rows: Array.from({ length: 50 }, (_, n) => [880 + n, `user${880 + n}@voorbeeld.nl`, old]),
  },
  orders: {
    name: "orders",
    columns: ["id integer NOT NULL", "email text", "created_at timestamp with time zone"],
    rows: Array.from({ length: 200 }, (_, n) => [n, `user${880 + (n % 50)}@VOORBEELD.nl`, old]),
  },
  lines: {
    name: "lines",
    columns: ["id integer NOT NULL", "order_id integer"],
    rows: Array.from({ length: 400 }, (_, n) => [n, n % 7 === 0 ? null : n % 200]),
    foreignKeys: ["FOREIGN KEY (order_id) REFERENCES public.orders(id)"],
  },
  notes: {
    name: "notes",
    columns: ["id integer NOT NULL", "line_id integer"],
    rows: Array.from({ length: 400 }, (_, n) => [n, n]),
    foreignKeys: ["FOREIGN KEY (line_id) REFERENCES public.lines(id)"],
  },
  comments: {
    name: "comments",
    columns: ["id integer NOT NULL", "parent_id integer", "author_id bigint"],
    rows: Array.from({ length: 300 }, (_, n) => [300 - n, n > 280 ? null : 299 - n, n === 290 ? 901 : 1]),
    foreignKeys: ["FOREIGN KEY (parent_id) REFERENCES public.comments(id)"],
  },
};

const policy = `version: 1
subject: { table: public.users, account_id: id, email: email }
tables:
  public.users: { match: { account_id: id }, created_at: created_at, action: delete }
  public.orders: { match: { email: email }, created_at: created_at, action: delete }
  public.lines: { via: public.orders }
  public.notes: { via: public.lines }
  public.comments: { match: { account_id: author_id }, via: public.comments, no_time: erase, action: delete }
`;

function named(names: readonly string[]): TinyTable[] {
  return names.map((name) => tables[name]!);
}

/** The same archive as it can be read from a compressed file: forwards only. */
async function compressed(archive: Archive): Promise<Archive> {
  const bytes = gzipSync(await joined(writeCustomArchive(copyOf(archive, "raw"))));
  return await openArchive(memorySource(bytes, 700));
}

async function outcome(archive: Archive) {
  const plan = await tinyPlan(archive, policy, [jan]);
  const { text } = await sanitised(archive, plan);
  return { text, readings: plan.readings };
}

describe("an archive that can only be read forwards", () => {
  it.each([
    ["parents before children", ["users", "orders", "lines", "notes", "comments"], 3],
    ["the people last", ["orders", "lines", "notes", "comments", "users"], 4],
    ["children before parents", ["comments", "notes", "lines", "orders", "users"], 5],
  ] as const)("is read as often as its order makes it: %s", async (_what, order, times) => {
    const archive = await tinyArchive(named(order));
    const expected = await outcome(archive);
    const found = await outcome(await compressed(archive));
    expect(found.text).toEqual(expected.text);
    expect(expected.readings).toEqual([expect.stringMatching(/into a pipe/)]);
    // two of them for the comments that hang on comments: one that remembers references, one that makes sure
    expect(found.readings.filter((why) => /follow references within public.comments/.test(why))).toHaveLength(2);
    expect(found.readings).toHaveLength(times);
  });

  it("is not read before the filtering where nothing must be known", async () => {
    const archive = await compressed(await tinyArchive(named(["orders"])));
    const flat =
      "version: 1\ntables: { public.orders: { match: { email: email }, created_at: created_at, action: delete } }";
    const plan = await tinyPlan(archive, flat, [{ keys: { email: ["user901@voorbeeld.nl"] } }]);
    expect(plan.readings).toEqual([]);
    expect(plan.tablesRead).toEqual([]);
  });

  it("gives the same whatever the order", async () => {
    const orders = fc.shuffledSubarray(Object.keys(tables), { minLength: 5 });
    await fc.assert(
      fc.asyncProperty(orders, async (order) => {
        const archive = await tinyArchive(named(order));
        const { readings, ...found } = await outcome(await compressed(archive));
        expect(found.text).toEqual((await outcome(archive)).text);
        expect(readings.length).toBeLessThanOrEqual(5);
      }),
      { numRuns: 20 },
    );
  });
});
