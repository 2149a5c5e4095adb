import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { openArchive } from "../archive/open-archive.ts";
import { DumpedObjects } from "./dumped-objects.ts";
import { oidOf, textsOf } from "./large-objects.ts";
import type { ErasurePlan } from "./plan.ts";
import type { Tally } from "./tally.ts";
import { sanitised, type TinyRequest, type TinyTable, tinyArchive, tinyPlan } from "./testing/tiny-dump.ts";

const dumped = [70001, 70002, 70003, 70004, 70005, 4_000_000_000] as const;
const jan: TinyRequest = { keys: { account_id: ["901"] } };

const people = (rows: TinyTable["rows"], type = "oid"): TinyTable => ({
  name: "people",
  columns: ["id bigint NOT NULL", `picture ${type}`],
  rows,
});
const erasing = (more: string): string => `{ match: { account_id: id }, no_time: erase, ${more} }`;
const goesWithRow = erasing("action: delete, large_objects: [picture]");

async function run(
  tables: readonly TinyTable[],
  policy: Readonly<Record<string, string>>,
  requests = [jan],
  oids: readonly number[] = dumped,
) {
  const rules = Object.entries(policy).map(([name, rule]) => `  public.${name}: ${rule}\n`);
  const archive = await tinyArchive(tables, 65_536, oids);
  const plan = await tinyPlan(archive, `version: 1\ntables:\n${rules.join("")}`, requests);
  const { tally, text } = await sanitised(archive, plan);
  return { plan, tally, text, goes: [...plan.largeObjects].sort((a, b) => a - b), orphans: orphansOf(plan, tally) };
}

function orphansOf(plan: ErasurePlan, tally: Tally): number[] {
  const referenced = tally.referenced(plan.dumpedObjects!);
  return dumped.filter((oid) => plan.dumpedObjects!.has(oid) && !referenced.has(oid) && !plan.largeObjects.has(oid));
}

describe("OIDs", () => {
  it.each([
    ["70001", 70001],
    ["4294967295", 4_294_967_295],
    ["-294967296", 4_000_000_000],
    ["-2147483648", 2_147_483_648],
    ["0", null],
    ["-0", null],
    ["\\N", null],
    ["", null],
    ["-", null],
    ["4294967296", null],
    ["-2147483649", null],
    ["99999999999", null],
    ["7x", null],
  ])("are read as PostgreSQL reads them: %s", (text, oid) => {
    expect(oidOf(Buffer.from(text))).toBe(oid);
    if (oid !== null) expect(textsOf(oid)).toContain(text);
  });

  it("of a dump come from entries for one and from groups, each once", () => {
    const entries = [
      { desc: "BLOB", tag: "9", defn: "SELECT pg_catalog.lo_create('9');\n" },
      { desc: "BLOB METADATA", tag: "8..4000000000", defn: "8\n9\n4000000000\n" },
      { desc: "BLOBS", tag: "8..4000000000", defn: null },
    ] as unknown as Parameters<typeof DumpedObjects.of>[0];
    const objects = DumpedObjects.of(entries)!;
    expect([objects.size, objects.has(9), objects.has(4_000_000_000), objects.has(10)]).toEqual([3, true, true, false]);
    expect(DumpedObjects.of(entries.slice(2))).toBeNull();
    expect(DumpedObjects.of([])?.size).toBe(0);
  });
});

it.each(["pg15-gzip", "pg15-pipe", "extra-pg16-zstd", "extra-pg17-Z0", "extra-pg18-zstd", "extra-pg19rc1-stats"])(
  "a dump names its large objects: %s",
  async (name) => {
    const bytes = await readFile(new URL(`../../fixtures/archives/${name}.dump`, import.meta.url));
    const read = async function* (start: number, end = bytes.length) {
      yield bytes.subarray(start, end);
    };
    const { toc } = await openArchive({ size: bytes.length, read });
    const objects = DumpedObjects.of(toc)!;
    expect([objects.size, objects.has(100001), objects.has(100002), objects.has(4_000_000_000)]).toEqual([
      4,
      true,
      true,
      true,
    ]);
  },
);

describe("large objects", () => {
  it("go with their row, and stay where another row refers to them", async () => {
    const rows = [
      [901, 70001],
      [902, 70001],
      [901, 70002],
      [904, null],
      [905, 0],
      [906, 70003],
      [901, 4_000_000_000],
    ];
    const { goes, orphans } = await run([people(rows)], { people: goesWithRow });
    expect([goes, orphans]).toEqual([
      [70002, 4_000_000_000],
      [70004, 70005],
    ]);
  });

  it.each(["integer", "bigint", "public.lo"])("are found in columns of type %s", async (type) => {
    const last = type === "integer" ? -294_967_296 : 4_000_000_000;
    const rows = [
      [901, 70001],
      [901, last],
      [902, 70001],
    ];
    const { goes } = await run([people(rows, type)], { people: goesWithRow });
    expect(goes).toEqual([4_000_000_000]);
    const shared = await run([people([...rows, [903, last]], type)], { people: goesWithRow });
    expect(shared.goes).toEqual([]);
  });

  it("stay because of rows in other tables, with or without a rule, and go behind a parent", async () => {
    const users = people([
      [901, 70001],
      [902, 70004],
    ]);
    const files: TinyTable = {
      name: "files",
      columns: ["owner bigint", "scan oid", "preview oid"],
      rows: [
        [901, 70002, 70003],
        [902, 70003, null],
      ],
      foreignKeys: ["FOREIGN KEY (owner) REFERENCES public.people(id)"],
    };
    const news: TinyTable = { name: "news", columns: ["id integer", "image oid"], rows: [[1, 70001]] };
    const policy = {
      people: goesWithRow,
      files: "{ via: public.people, large_objects: [scan, preview] }",
      news: "unaffected",
    };
    const { goes, orphans } = await run([users, files, news], policy);
    expect([goes, orphans]).toEqual([[70002], [70005, 4_000_000_000]]);
    const left = await run([users, files, news], { ...policy, news: "skip_data" });
    expect(left.goes).toEqual([70001, 70002]);
  });

  it("stay because of a number column of an unaffected table that the policy names", async () => {
    const news: TinyTable = { name: "news", columns: ["id integer", "image bigint"], rows: [[1, 70001]] };
    const tables = [people([[901, 70001]]), news];
    expect((await run(tables, { people: goesWithRow, news: "unaffected" })).goes).toEqual([70001]);
    const named = { people: goesWithRow, news: "{ unaffected: true, large_objects: [image] }" };
    expect((await run(tables, named)).goes).toEqual([]);
  });

  it("go with a reference that a rule rewrites, one column at a time", async () => {
    const table: TinyTable = {
      name: "people",
      columns: ["id bigint", "picture oid", "thumbnail oid"],
      rows: [
        [901, 70001, 70002],
        [901, 70005, 70003],
        [902, 70003, 70005],
      ],
    };
    const people = erasing(
      "action: anonymise, set: { id: null, picture: { value: 70004 } }, large_objects: [picture, thumbnail]",
    );
    const { goes, orphans, text } = await run([table], { people });
    expect(text.get("people")).toBe("\\N\t70004\t70002\n\\N\t70004\t70003\n902\t70003\t70005\n");
    expect([goes, orphans]).toEqual([[70001], [4_000_000_000]]);
  });

  it("of pending and of retained rows stay", async () => {
    const pending = erasing("scope: provider_contact, action: delete, large_objects: [picture]");
    expect((await run([people([[901, 70001]])], { people: pending })).goes).toEqual([]);
    const retained = erasing('action: retain, basis: "Art. 17(3)(b)"');
    const { goes, orphans } = await run([people([[901, 70001]])], { people: retained });
    expect([goes, orphans.includes(70001)]).toEqual([[], false]);
    const freed = erasing('action: retain, basis: "Art. 17(3)(b)", set: { picture: null }, large_objects: [picture]');
    expect((await run([people([[901, 70001]])], { people: freed })).goes).toEqual([70001]);
  });

  it("that no row refers to are orphans with no request at all, and a row too long for a batch counts", async () => {
    const wide: TinyTable = {
      name: "people",
      columns: ["id bigint", "note text", "picture oid"],
      rows: [
        [1, "x".repeat(3_000_000), 70001],
        [2, "y", 70002],
        [901, "z".repeat(2_500_000), 70003],
      ],
    };
    expect((await run([wide], { people: goesWithRow }, [])).orphans).toEqual([70004, 70005, 4_000_000_000]);
    const { goes, orphans } = await run([wide], { people: goesWithRow });
    expect([goes, orphans]).toEqual([[70003], [70004, 70005, 4_000_000_000]]);
  });

  it("make no table be read that need not be, in a dump that holds none", async () => {
    const { plan } = await run([people([[901, 70001]])], { people: goesWithRow }, [jan], []);
    expect([plan.tablesRead, plan.dumpedObjects?.size, [...plan.largeObjects]]).toEqual([[], 0, []]);
  });
});
