import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../errors.ts";
import { partitionRoot, planRestore } from "./restore-order.ts";
import { archiveOf, tocEntry } from "./testing/toc.ts";

const table = {
  desc: "TABLE",
  tag: "users",
  namespace: "public",
  owner: "app",
  dropStmt: "DROP TABLE public.users;\n",
};
const rows = {
  desc: "TABLE DATA",
  section: "data",
  hasData: true,
  copyStmt: "COPY public.users (id) FROM stdin;\n",
} as const;

function plan(...toc: Parameters<typeof tocEntry>[0][]) {
  return planRestore(archiveOf({ toc: toc.map((parts, index) => tocEntry({ dumpId: index + 1, ...parts })) }));
}

describe("planRestore", () => {
  it("puts ACLs after post-data, refreshes after ACLs, event triggers last, wherever the TOC has them", () => {
    const found = plan(
      { desc: "ACL", section: "none", tag: "TABLE users", defn: "GRANT SELECT ON TABLE public.users TO r;\n" },
      { ...table, defn: "CREATE TABLE public.users ();\n" },
      { ...rows, tag: "users" },
      { desc: "INDEX", section: "post-data", tag: "i", defn: "CREATE INDEX i ON public.users (id);\n" },
      {
        desc: "DEFAULT ACL",
        section: "post-data",
        tag: "d",
        defn: "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r;\n",
      },
      { desc: "EVENT TRIGGER", section: "post-data", tag: "e", defn: "CREATE EVENT TRIGGER e;\n" },
      { desc: "COMMENT", section: "none", tag: "EVENT TRIGGER e", defn: "COMMENT ON EVENT TRIGGER e IS 'x';\n" },
      { desc: "MATERIALIZED VIEW DATA", section: "post-data", tag: "m", defn: "REFRESH MATERIALIZED VIEW public.m;\n" },
    );
    const ids = (steps: readonly { entry: { dumpId: number } }[]) => steps.map(({ entry }) => entry.dumpId);
    expect(ids(found.preData)).toEqual([2]);
    expect(ids(found.body)).toEqual([3, 4]);
    expect(ids(found.acl)).toEqual([1, 5]);
    expect(ids(found.postAcl)).toEqual([8, 6, 7]);
    expect([...found.createdTables]).toEqual([2]);
  });

  it("lets entries without a section follow the one before them", () => {
    const comment = { desc: "COMMENT", section: "none", defn: "COMMENT ON x IS 'y';\n" } as const;
    const found = plan({ ...comment, tag: "a" }, { ...rows, tag: "users" }, { ...comment, tag: "b" });
    expect(found.preData.map(({ entry }) => entry.tag)).toEqual(["a"]);
    expect(found.body.map(({ entry, section }) => [entry.tag, section])).toEqual([
      ["users", "data"],
      ["b", "data"],
    ]);
  });

  it("never goes back in sections: what stands behind post-data runs as post-data", () => {
    const found = plan(
      { desc: "INDEX", section: "post-data", tag: "i", defn: "CREATE INDEX i ON public.users (id);\n" },
      { desc: "INDEX ATTACH", section: "pre-data", tag: "i", defn: "ALTER INDEX p ATTACH PARTITION i;\n" },
    );
    expect(found.body.map(({ section }) => section)).toEqual(["post-data", "post-data"]);
  });

  it("never executes session settings, the database's own entries, markers or statistics", () => {
    const defn = "SELECT 1;\n";
    const found = plan(
      { desc: "ENCODING", defn },
      { desc: "STDSTRINGS", defn },
      { desc: "SEARCHPATH", defn: "SELECT pg_catalog.set_config('search_path', '', false);\n" },
      { desc: "DATABASE", tag: "shop", defn: "CREATE DATABASE shop;\n" },
      { desc: "DATABASE PROPERTIES", tag: "shop", defn },
      { desc: "COMMENT", section: "none", tag: "DATABASE shop", defn },
      { desc: "ACL", section: "none", tag: "DATABASE shop", defn },
      { desc: "STATISTICS DATA", section: "data", defn },
      { desc: "EXTENDED STATISTICS DATA", section: "post-data", defn },
      { desc: "<Init>", tag: "Max OID", defn },
    );
    expect([...found.preData, ...found.body, ...found.acl, ...found.postAcl]).toEqual([]);
    expect(found.database.create?.tag).toBe("shop");
    expect(found.database.followers.map((entry) => entry.dumpId)).toEqual([5, 6, 7]);
    expect(found.leftOut.map((entry) => entry.dumpId)).toEqual([8, 9, 10]);
    expect(found.session.searchPath).toContain("set_config");
  });

  it("skips the data the caller does not want, and keeps its table", () => {
    const toc = [
      tocEntry({ ...table, dumpId: 1, defn: "CREATE TABLE public.users ();\n" }),
      tocEntry({ ...rows, dumpId: 2, tag: "users" }),
    ];
    const found = planRestore(archiveOf({ toc }), { skipData: (entry) => entry.tag === "users" });
    expect(found.preData).toHaveLength(1);
    expect(found.body).toHaveLength(0);
  });

  it("does not create the schema that template0 has, but gives it its owner", () => {
    const schema = { desc: "SCHEMA", tag: "public", owner: "app", dropStmt: "DROP SCHEMA public;\n" };
    expect(plan({ ...schema, defn: "CREATE SCHEMA public;\n" }).preData[0]?.statements).toEqual([
      'ALTER SCHEMA "public" OWNER TO "app";',
    ]);
    expect(plan({ ...schema, tag: "sales", defn: "CREATE SCHEMA sales;\n" }).preData[0]?.statements[0]).toBe(
      "CREATE SCHEMA sales;\n",
    );
  });

  it("sets a partitioned table's access method by ALTER TABLE", () => {
    const found = plan({ ...table, relkind: "p", tableam: "columnar", owner: "", defn: "CREATE TABLE x;\n" });
    expect(found.preData[0]?.statements).toEqual([
      "CREATE TABLE x;\n",
      'ALTER TABLE "public"."users" SET ACCESS METHOD "columnar";',
    ]);
  });

  it.each([
    [{ ...rows, copyStmt: null }, "insert_data_unsupported"],
    [{ desc: "BLOB COMMENTS", section: "data", hasData: true } as const, "blob_comments_unsupported"],
    [{ desc: "HOLOGRAM", section: "data", hasData: true } as const, "unknown_entry_type"],
    [
      { desc: "HOLOGRAM", owner: "app", dropStmt: "DROP HOLOGRAM x;", defn: "CREATE HOLOGRAM x;" },
      "unknown_entry_type",
    ],
  ])("refuses what it cannot do: %o", (parts, code) => {
    expect(() => plan(parts)).toThrow(ArchiveDamaged);
    expect(() => plan(parts)).toThrow(expect.objectContaining({ code }));
  });

  it("knows where rows are routed through the root", () => {
    const routed = tocEntry({ ...rows, defn: "-- load via partition root sales.by_status" });
    expect(partitionRoot(routed)).toBe("sales.by_status");
    expect(partitionRoot(tocEntry(rows))).toBeNull();
  });
});

describe("large objects", () => {
  const group = {
    dumpId: 10,
    desc: "BLOB METADATA",
    section: "data",
    tag: "100001..4000000000",
    defn: "100001\n100002\n4000000000\n",
    dropStmt: "-- dummy",
    owner: 'the "owner"',
  } as const;
  const acl = {
    dumpId: 11,
    desc: "ACL",
    section: "none",
    tag: "LARGE OBJECTS 100001..4000000000",
    defn: 'GRANT SELECT ON LARGE OBJECT 100001 TO "odd;role";\nGRANT ALL ON LARGE OBJECT 100001 TO r;\n',
    dependencies: [10],
  } as const;

  it("spells out a group's creation, owners and privileges for each OID", () => {
    const found = planRestore(archiveOf({ toc: [tocEntry(group), tocEntry(acl)], minor: 16 }));
    expect(found.body[0]?.statements).toEqual([
      "SELECT pg_catalog.lo_create('100001');",
      "SELECT pg_catalog.lo_create('100002');",
      "SELECT pg_catalog.lo_create('4000000000');",
      'ALTER LARGE OBJECT 100001 OWNER TO "the ""owner""";',
      'ALTER LARGE OBJECT 100002 OWNER TO "the ""owner""";',
      'ALTER LARGE OBJECT 4000000000 OWNER TO "the ""owner""";',
    ]);
    expect(found.acl[0]?.statements).toEqual([
      'GRANT SELECT ON LARGE OBJECT 100001 TO "odd;role";',
      'GRANT SELECT ON LARGE OBJECT 100002 TO "odd;role";',
      'GRANT SELECT ON LARGE OBJECT 4000000000 TO "odd;role";',
      "GRANT ALL ON LARGE OBJECT 100001 TO r;",
      "GRANT ALL ON LARGE OBJECT 100002 TO r;",
      "GRANT ALL ON LARGE OBJECT 4000000000 TO r;",
    ]);
  });

  it("leaves every trace of a skipped OID out, in both generations", () => {
    const single = [
      { desc: "BLOB", tag: "100001", defn: "SELECT pg_catalog.lo_create('100001');\n", dropStmt: "x", owner: "app" },
      {
        desc: "COMMENT",
        section: "none",
        tag: "LARGE OBJECT 100001",
        defn: "COMMENT ON LARGE OBJECT 100001 IS 'a';\n",
      },
      { desc: "ACL", section: "none", tag: "LARGE OBJECT 100001", defn: "GRANT ALL ON LARGE OBJECT 100001 TO r;\n" },
    ] as const;
    const toc = [
      ...single.map((parts, index) => tocEntry({ dumpId: index + 1, ...parts })),
      tocEntry(group),
      tocEntry(acl),
    ];
    const sql = (skip: number[]) => {
      const found = planRestore(archiveOf({ toc }), { skipLargeObjects: new Set(skip) });
      return [...found.preData, ...found.body, ...found.acl].flatMap((step) => step.statements).join("\n");
    };
    expect(sql([])).toContain("100001");
    expect(sql([100001])).not.toContain("100001");
    expect(sql([100001])).toContain("GRANT ALL ON LARGE OBJECT 100002 TO r;");
    expect(sql([100001, 100002, 4000000000])).toBe("");
  });

  it.each([
    [{ ...group, defn: "100001\nDROP TABLE x\n" }],
    [{ desc: "BLOB", tag: "0x1", defn: "SELECT 1;" }],
    [{ ...acl, dependencies: [] }],
  ])("refuses an entry that names no OID: %o", (parts) => {
    expect(() => planRestore(archiveOf({ toc: [tocEntry(parts)] }))).toThrow(ArchiveDamaged);
  });
});
