/** Entries as pg_dump 15 and 17 wrote them, from the samples; groups as 17 makes them, by hand. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { TocEntry } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import { memorySource } from "../archive/testing/sources.ts";
import { largeObjectRemains } from "./large-object-remains.ts";
import { tocEntry } from "./testing/toc.ts";

const sample = async (name: string) =>
  await openArchive(
    memorySource(readFileSync(fileURLToPath(new URL(`../../fixtures/archives/${name}`, import.meta.url)))),
  );

/** What becomes of every entry that does not stay as it is, by desc and tag. */
function changes(toc: readonly TocEntry[], gone: readonly number[]): Record<string, unknown> {
  const byId = new Map(toc.map((entry) => [entry.dumpId, entry]));
  const found = toc.map(
    (entry) => [`${entry.desc} ${entry.tag}`, largeObjectRemains(entry, byId, new Set(gone))] as const,
  );
  return Object.fromEntries(found.filter(([, left]) => left !== "all"));
}

describe("large objects as pg_dump 15 writes them", () => {
  it("go with their comment and privileges; the block of all objects stays", async () => {
    const { toc } = await sample("pg15-gzip.dump");
    expect(changes(toc, [100_001])).toEqual({
      "BLOB 100001": "nothing",
      "COMMENT LARGE OBJECT 100001": "nothing",
      "ACL LARGE OBJECT 100001": "nothing",
    });
    expect(changes(toc, [4_000_000_000])).toEqual({ "BLOB 4000000000": "nothing" });
    expect(changes(toc, [])).toEqual({});
  });
});

describe("large objects as pg_dump 17 writes them", () => {
  it("leave their group smaller, and take it along when they were all of it", async () => {
    const { toc } = await sample("extra-pg17-Z0.dump");
    const groups = toc.filter(({ desc }) => desc === "BLOB METADATA").map(({ tag }) => tag);
    expect(groups).toMatchInlineSnapshot(`
      [
        "100001..100002",
        "100003",
        "4000000000",
      ]
    `);
    expect(changes(toc, [100_001])).toMatchInlineSnapshot(`
      {
        "ACL LARGE OBJECTS 100001..100002": {
          "defn": "GRANT SELECT ON LARGE OBJECT 100002 TO app_reader;
      ",
          "tag": "LARGE OBJECT 100002",
        },
        "BLOB METADATA 100001..100002": {
          "defn": "100002
      ",
          "tag": "100002",
        },
        "BLOBS 100001..100002": {
          "defn": null,
          "tag": "100002",
        },
        "COMMENT LARGE OBJECT 100001": "nothing",
      }
    `);
    expect(changes(toc, [100_001, 100_002, 100_003, 4_000_000_000])).toMatchInlineSnapshot(`
      {
        "ACL LARGE OBJECTS 100001..100002": "nothing",
        "BLOB METADATA 100001..100002": "nothing",
        "BLOB METADATA 100003": "nothing",
        "BLOB METADATA 4000000000": "nothing",
        "BLOBS 100001..100002": "nothing",
        "BLOBS 100003": "nothing",
        "BLOBS 4000000000": "nothing",
        "COMMENT LARGE OBJECT 100001": "nothing",
      }
    `);
  });

  const toc = [
    tocEntry({ dumpId: 5, desc: "BLOB METADATA", tag: "10..12", defn: "10\n11\n12\n" }),
    tocEntry({
      dumpId: 6,
      desc: "ACL",
      tag: "LARGE OBJECTS 10..12",
      dependencies: [5],
      defn: `GRANT SELECT ON LARGE OBJECT 10 TO "a;LARGE OBJECT 10";\nREVOKE ALL ON LARGE OBJECT 10 FROM b;\n`,
    }),
    tocEntry({ dumpId: 7, desc: "COMMENT", tag: "LARGE OBJECT 10", dependencies: [5] }),
    tocEntry({ dumpId: 8, desc: "BLOBS", tag: "10..12", dependencies: [5, 3000], hasData: true }),
  ];

  it("the group's privileges are those of its new first object", () => {
    expect(changes(toc, [10])).toEqual({
      "BLOB METADATA 10..12": { tag: "11..12", defn: "11\n12\n" },
      "ACL LARGE OBJECTS 10..12": {
        tag: "LARGE OBJECTS 11..12",
        defn: `GRANT SELECT ON LARGE OBJECT 11 TO "a;LARGE OBJECT 10";\nREVOKE ALL ON LARGE OBJECT 11 FROM b;\n`,
      },
      "COMMENT LARGE OBJECT 10": "nothing",
      "BLOBS 10..12": { tag: "11..12", defn: null },
    });
  });

  it("a group of one is named as pg_dump names it", () => {
    expect(changes(toc, [10, 12])).toMatchObject({
      "BLOB METADATA 10..12": { tag: "11", defn: "11\n" },
      "ACL LARGE OBJECTS 10..12": { tag: "LARGE OBJECT 11" },
      "BLOBS 10..12": { tag: "11" },
    });
  });

  it("a group that is gone takes its block and privileges along", () => {
    expect(Object.values(changes(toc, [10, 11, 12]))).toEqual(["nothing", "nothing", "nothing", "nothing"]);
  });
});
