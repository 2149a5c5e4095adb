/** Scripts that pg_dump did not write just so: every statement lands somewhere, in an order that cannot do harm. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Archive } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { joined, memorySource, readAll } from "../testing/sources.ts";
import { openScript } from "./open-script.ts";

const HEAD = "SET client_encoding = 'UTF8';\n";
const script = async (text: string): Promise<Archive> => await openScript(memorySource(Buffer.from(HEAD + text), 11));
const find = (archive: Archive, desc: string, tag?: string) =>
  archive.toc.find((entry) => entry.desc === desc && (tag === undefined || entry.tag === tag))!;

describe("a hand-made script", () => {
  it("loads table by table: tables first, then rows, then keys", async () => {
    const archive = await script(`
      create table a (id int); copy a (id) from STDIN;\n1\n\\.\n alter table a add primary key (id);
      create table "B" ("X" int); COPY "B" ("X") FROM stdin;\n2\n\\.\n alter table "B" add foreign key ("X") references a;`);
    expect(archive.toc.slice(2).map(({ desc, tag, namespace }) => `${desc} ${namespace}.${tag}`)).toEqual([
      "TABLE public.a",
      "TABLE public.B",
      "TABLE DATA public.a",
      "TABLE DATA public.B",
      "CONSTRAINT public.a",
      "FK CONSTRAINT public.B",
    ]);
    expect(find(archive, "TABLE DATA", "a").copyStmt).toBe("COPY a (id) FROM stdin;\n");
    expect(find(archive, "TABLE DATA", "B").copyStmt).toBe('COPY "B" ("X") FROM stdin;\n');
    expect(find(archive, "FK CONSTRAINT").dependencies).toContain(find(archive, "CONSTRAINT").dumpId);
    expect(find(archive, "SEARCHPATH")).toBeUndefined();
  });

  it("follows SET search_path, as dumps of before 2018 have it", async () => {
    const archive = await script(`
      SET search_path = sales, pg_catalog; CREATE TABLE t (a int); ALTER TABLE sales.t OWNER TO boss;
      SET search_path = other, pg_catalog; CREATE TABLE t (a int); COPY t (a) FROM stdin;\n1\n\\.\n
      SELECT pg_catalog.setval('s', 3, true);`);
    const tables = archive.toc.filter((entry) => entry.desc === "TABLE");
    expect(tables.map(({ namespace, owner }) => [namespace, owner])).toEqual([
      ["sales", "boss"],
      ["other", null],
    ]);
    expect(find(archive, "TABLE DATA")).toMatchObject({ namespace: "other", dependencies: [tables[1]!.dumpId] });
    expect(find(archive, "SEQUENCE SET").namespace).toBe("other");
  });

  it("runs what no rule knows alone, in its place", async () => {
    const archive = await script(`
      CREATE TABLE t (a int); COPY t (a) FROM stdin;\n1\n\\.\n CREATE INDEX i ON t (a); CREATE GIZMO g ON t; CREATE INDEX j ON t (a);`);
    const [first, gizmo, second] = [
      find(archive, "INDEX", "i"),
      find(archive, "CREATE GIZMO"),
      find(archive, "INDEX", "j"),
    ];
    expect(gizmo).toMatchObject({ section: "post-data", defn: "CREATE GIZMO g ON t;\n" });
    expect(gizmo.dependencies).toEqual(expect.arrayContaining([first.dumpId, find(archive, "TABLE DATA").dumpId]));
    expect(second.dependencies).toContain(gizmo.dumpId);
    expect(first.dependencies).not.toContain(gizmo.dumpId);
  });

  it("has privileges on what nobody made wait for all before, without each naming it", async () => {
    const tables = Array.from({ length: 50 }, (_, at) => `COPY t${at} (a) FROM stdin;\n1\n\\.\n`).join("");
    const grants = Array.from({ length: 50 }, (_, at) => `GRANT ALL ON FUNCTION of_an_extension${at}(int) TO r;\n`);
    const { toc } = await script(tables + grants.join(""));
    const [first, second] = toc.filter(({ desc }) => desc === "ACL");
    expect(first!.dependencies).toHaveLength(50);
    expect(second!.dependencies).toEqual([first!.dumpId]);
  });

  it("joins COPYs of the same columns, keeps others apart, and lets neither empty the other's table", async () => {
    const archive = await script(`
      CREATE TABLE t (a int, b int); COPY t (a, b) FROM stdin;\n1\t2\n\\.\nCOPY t (b, a) FROM stdin;\n4\t3\n\\.\nCOPY t (a, b) FROM stdin;\n\\.
COPY t (a, b) FROM stdin;\n5\t6\n\\.\n`);
    const entries = archive.toc.filter((entry) => entry.desc === "TABLE DATA");
    const rows = await Promise.all(entries.map(async (entry) => (await joined(archive.tableData(entry))).toString()));
    expect(rows).toEqual(["1\t2\n5\t6\n\\.\n\n\n", "4\t3\n\\.\n\n\n"]);
    expect(entries.map(({ defn }) => defn)).toEqual(Array(2).fill("-- load via partition root public.t"));
  });

  it("leaves out what a fresh database has no use for", async () => {
    const archive = await script(
      "BEGIN; DROP TABLE IF EXISTS t; DROP FUNCTION f(int); CREATE TABLE t (a int); COMMIT;",
    );
    expect(archive.toc.slice(2).map(({ desc }) => desc)).toEqual(["TABLE"]);
  });

  it("keeps who granted a privilege", async () => {
    const archive = await script(
      "SET SESSION AUTHORIZATION boss; GRANT SELECT ON TABLE t TO a; RESET SESSION AUTHORIZATION; GRANT SELECT ON TABLE t TO b;",
    );
    expect(find(archive, "ACL").defn).toBe(
      "SET SESSION AUTHORIZATION boss;\nGRANT SELECT ON TABLE t TO a;\nRESET SESSION AUTHORIZATION;\nGRANT SELECT ON TABLE t TO b;\n",
    );
  });

  it("keeps statistics apart, which hold values of columns", async () => {
    const call =
      "pg_catalog.pg_restore_attribute_stats('version', '180000'::integer, 'schemaname', 'a', 'relname', 't'";
    const archive = await script(`SELECT * FROM ${call});\nSELECT * FROM ${call}, 'attname', 'x');`);
    expect(archive.toc.slice(2)).toMatchObject([{ desc: "STATISTICS DATA", namespace: "a", tag: "t" }]);
  });

  it("reads large objects, cut anywhere, in both ways of writing strings", async () => {
    const calls = (literal: string) =>
      `SELECT pg_catalog.lo_create('7'); ALTER LARGE OBJECT 7 OWNER TO boss; BEGIN;\nSELECT pg_catalog.lo_open('7', 131072);\n` +
      `SELECT pg_catalog.lowrite(0, '${literal}00ff');\nSELECT pg_catalog.lowrite(0, '${literal}5c');\nSELECT pg_catalog.lo_close(0);\nCOMMIT;`;
    for (const text of [calls("\\x"), `SET standard_conforming_strings = off;\n${calls("\\\\x")}`]) {
      const archive = await script(text);
      expect(find(archive, "BLOB")).toMatchObject({ tag: "7", owner: "boss", section: "pre-data" });
      expect((await readAll(archive)).get("lo 7")?.toString("hex")).toBe("00ff5c");
      for await (const object of archive.largeObjects(find(archive, "BLOBS"))) expect(object.oid).toBe(7);
    }
    const cut = await script(calls("\\x").replace("5c'", "5'"));
    await expect(readAll(cut)).rejects.toMatchObject({ code: "large_object_statement", exitCode: 7 });
  });

  it("inside gzip is read in order, and says that it is read once more", async () => {
    const text = "CREATE TABLE t (a int);\nCOPY t (a) FROM stdin;\n1\n\\.\nCOPY u (a) FROM stdin;\n2\n\\.\n";
    const archive = await openArchive(
      memorySource(
        gzipSync(`--\n-- PostgreSQL database dump\n--\n${HEAD}${text}-- PostgreSQL database dump complete\n`),
      ),
    );
    expect(archive).toMatchObject({
      sequential: true,
      wrapping: ["gzip"],
      remarks: [expect.stringContaining("unpacked once more")],
    });
    expect([...(await readAll(archive)).values()].map(String)).toEqual(["1\n\\.\n\n\n", "2\n\\.\n\n\n"]);
  });

  it("that changes under its reader is damage", async () => {
    const bytes = Buffer.from(`${HEAD}COPY t (a) FROM stdin;\n1\n\\.\n`);
    const archive = await openScript(memorySource(bytes));
    bytes.write("x\n", bytes.length - 3);
    await expect(joined(archive.tableData(find(archive, "TABLE DATA")))).rejects.toMatchObject({ code: "truncated" });
  });
});
