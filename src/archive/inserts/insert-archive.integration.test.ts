/** Oracle: pg_dump itself. A dump with INSERTs and one with COPY of the same database hold, read by us, the same rows. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runRestore } from "../../postgres/run-restore.ts";
import { Target } from "../../postgres/side-database.ts";
import {
  dropDatabases,
  dump,
  ensureRoles,
  fileSource,
  freshName,
  samplePath,
  serverSettings,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "../../postgres/testing/real-server.ts";
import type { Archive, TocEntry } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { digests, joined, readAll, walkAll } from "../testing/sources.ts";

/** What the sample has not: parents, types, a root whose partitions have other orders, every byte. */
const MORE = `
CREATE SCHEMA ins;
CREATE TABLE ins.parent (a text, b integer);
CREATE TABLE ins.plain_child () INHERITS (ins.parent);
CREATE TABLE ins.child (c text) INHERITS (ins.parent);
ALTER TABLE ins.parent ADD COLUMN late text;
CREATE TYPE ins.row_type AS (x text, y integer);
CREATE TABLE ins.typed OF ins.row_type (y WITH OPTIONS DEFAULT 1);
CREATE TABLE ins.root (k text, v text, n text) PARTITION BY LIST (k);
CREATE TABLE ins.leaf_1 (k text, v text, n text);
CREATE TABLE ins.leaf_2 (n text, v text, k text);
ALTER TABLE ins.root ATTACH PARTITION ins.leaf_1 FOR VALUES IN ('1');
ALTER TABLE ins.root ATTACH PARTITION ins.leaf_2 FOR VALUES IN ('2');
CREATE TABLE ins.computed (g1 integer GENERATED ALWAYS AS (a + 1) STORED, a integer, "select" bit varying, g2 text GENERATED ALWAYS AS ('x') STORED, f float8[], "order" numeric);
CREATE TABLE ins.only_computed (g integer GENERATED ALWAYS AS (1) STORED);
CREATE TABLE ins.bytes (n integer, t text);
INSERT INTO ins.parent VALUES ('p', 1, 'l'), (NULL, NULL, NULL);
INSERT INTO ins.plain_child VALUES ('q', 2, 'm');
INSERT INTO ins.child (a, b, c, late) VALUES ('a', 3, 'c', 'late');
INSERT INTO ins.typed VALUES ('x', 7);
INSERT INTO ins.root VALUES ('1', 'v1', 'n1'), ('2', 'v2', 'n2');
INSERT INTO ins.computed (a, "select", f, "order") SELECT i, i::bit(8), ARRAY[i::float8, 'NaN', '-Infinity'], 'NaN' FROM generate_series(1, 5000) i;
INSERT INTO ins.only_computed SELECT FROM generate_series(1, 3);
INSERT INTO ins.bytes SELECT i, chr(i) || '''' || chr(i) || E'\\\\' || chr(i) FROM generate_series(1, 1000) i;
INSERT INTO ins.bytes SELECT i, repeat(E'it''s\\n\\t\\\\', 100000) FROM generate_series(1, 3) i;
`;
const ROLES = ["app_owner", "app_reader", 'weird "role'];

async function rowsOf(archive: Archive): Promise<Record<string, string>> {
  return digests(await readAll(archive));
}

const statementsOf = (archive: Archive) =>
  Object.fromEntries(
    archive.toc
      .filter((entry) => entry.desc === "TABLE DATA")
      .map((entry) => [`${entry.namespace}.${entry.tag}`, entry.copyStmt]),
  );

describe.skipIf(serverUrl === null || tools === null)(
  "dumps made with --inserts (needs PostgreSQL and its client tools)",
  () => {
    const database = freshName("inserts");
    const kanji = freshName("inserts_kanji");
    const made: string[] = [];
    let folder: string;
    let copied: Archive;

    /** A dump of the database, opened. */
    const dumped = async (name: string, ...options: string[]) => {
      const path = join(folder, `${name}.dump`);
      await tool(tools!.pg_dump, database, "-Fc", "-f", path, ...options);
      return await openArchive(await fileSource(path));
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "sanitize-inserts-"));
      await ensureRoles(ROLES);
      await withConnection("postgres", async (server) => {
        for (const name of [database, kanji]) {
          await server.run(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, "test");
        }
      });
      await tool(tools!.pg_restore, database, "--exit-on-error", samplePath("pg15-gzip.dump")!);
      await withConnection(database, (server) => server.run(MORE, "test"));
      copied = await dumped("copied");
    });

    afterAll(async () => {
      await dropDatabases([database, kanji, ...made]);
      await rm(folder, { recursive: true, force: true });
    });

    it.each([
      ["--column-inserts", ["--column-inserts"]],
      ["several rows a statement", ["--column-inserts", "--rows-per-insert=3", "-Z0"]],
      ["conflicts left alone", ["--column-inserts", "--on-conflict-do-nothing", "--rows-per-insert=1000"]],
    ])("%s", async (_name, options) => {
      const archive = await dumped("named", ...options);
      // A child's columns stand in the order of the database, in COPY as in INSERT.
      expect(statementsOf(archive)).toEqual(statementsOf(copied));
      expect(await rowsOf(archive)).toEqual(await rowsOf(copied));
      expect(digests(await walkAll(archive))).toEqual(await rowsOf(copied));
    });

    it.each([
      ["--inserts", ["--inserts"]],
      ["--inserts, uncompressed", ["--inserts", "-Z0"]],
      ["--inserts, several rows a statement", ["--inserts", "--rows-per-insert=7"]],
    ])("%s", async (_name, options) => {
      const archive = await dumped("positional", "--exclude-table=ins.child", ...options);
      const expected = await dumped("positional-copied", "--exclude-table=ins.child");
      expect(statementsOf(archive)).toEqual(statementsOf(expected));
      expect(await rowsOf(archive)).toEqual(await rowsOf(expected));
      expect(digests(await walkAll(archive))).toEqual(await rowsOf(expected));
    });

    it("in a tar, and in a directory put into one", async () => {
      const expected = await rowsOf(copied);
      const directory = join(folder, "directory");
      await tool(tools!.pg_dump, database, "-Ft", "--column-inserts", "-f", join(folder, "made.tar"));
      await tool(tools!.pg_dump, database, "-Fd", "--column-inserts", "-f", directory);
      await promisify(execFile)("tar", ["czf", join(folder, "packed.tar.gz"), "-C", directory, "."]);
      for (const name of ["made.tar", "packed.tar.gz"]) {
        const archive = await openArchive(await fileSource(join(folder, name)));
        expect(statementsOf(archive)).toEqual(statementsOf(copied));
        expect(digests(await readAll(archive, archive.dataOrder))).toEqual(expected);
        expect(digests(await walkAll(archive))).toEqual(expected);
      }
    });

    it("a child whose columns may have moved needs their names", async () => {
      const opened = dumped("child", "--inserts");
      await expect(opened).rejects.toThrow(
        expect.objectContaining({
          code: "insert_columns",
          message: expect.stringContaining("ins.child"),
          hint: expect.stringContaining("--column-inserts"),
        }),
      );
    });

    it.each([["--inserts"], ["--column-inserts"]])("rows loaded through the root, %s", async (option) => {
      const root = ["--load-via-partition-root", "--exclude-table=ins.child"];
      const archive = await dumped("root", option, ...root);
      const expected = await dumped("root-copied", ...root);
      expect(statementsOf(archive)["ins.leaf_2"]).toBe("COPY ins.root (n, v, k) FROM stdin;\n");
      expect(statementsOf(archive)).toEqual(statementsOf(expected));
      expect(await rowsOf(archive)).toEqual(await rowsOf(expected));
    });

    it("data without the tables", async () => {
      const archive = await dumped("data", "--column-inserts", "--section=data");
      const expected = await rowsOf(copied);
      expect(await rowsOf(archive)).toEqual(expected);
      const statements = statementsOf(archive);
      for (const [name, statement] of Object.entries(statementsOf(copied))) {
        const isEmpty = expected[name]?.startsWith("5 ");
        if (!isEmpty) expect(statements[name]).toBe(statement);
      }
      await expect(dumped("data", "--inserts", "--section=data")).rejects.toThrow(
        expect.objectContaining({ code: "insert_columns" }),
      );
    });

    it("backslashes doubled", async () => {
      const options = ["--schema=ins", "--exclude-table=ins.child"];
      await withConnection("postgres", (server) =>
        server.run(`ALTER DATABASE ${database} SET standard_conforming_strings = off`, "test"),
      );
      try {
        const archive = await dumped("off", "--inserts", ...options);
        expect(archive.standardConformingStrings).toBe(false);
        expect(await rowsOf(archive)).toEqual(await rowsOf(await dumped("off-copied", ...options)));
      } finally {
        await withConnection("postgres", (server) =>
          server.run(`ALTER DATABASE ${database} RESET standard_conforming_strings`, "test"),
        );
      }
    });

    it.each(["SJIS", "GB18030", "EUC_JP"])("in %s", async (encoding) => {
      const sql = `CREATE TABLE "表x" ("ソ" text); INSERT INTO "表x" VALUES ('表\\tab表'), (E'ソ\\n\\\\''ソ')`;
      await withConnection(kanji, (server) => server.run(`DROP TABLE IF EXISTS "表x"; ${sql}`, "test"));
      const copiedPath = join(folder, "kanji-copied.dump");
      await tool(tools!.pg_dump, kanji, "-Fc", "-f", copiedPath, `--encoding=${encoding}`);
      const expected = await openArchive(await fileSource(copiedPath));
      for (const option of ["--inserts", "--column-inserts"]) {
        const path = join(folder, "kanji.dump");
        await tool(tools!.pg_dump, kanji, "-Fc", "-f", path, option, `--encoding=${encoding}`);
        const archive = await openArchive(await fileSource(path));
        expect(archive.encoding).toBe(encoding);
        expect(statementsOf(archive)).toEqual({ "public.表x": 'COPY public."表x" ("ソ") FROM stdin;\n' });
        expect(await rowsOf(archive)).toEqual(await rowsOf(expected));
      }
    });

    it("restored by us and by pg_restore, dumped, is the same", async () => {
      const [ours, theirs] = [freshName("inserts_ours"), freshName("inserts_theirs")];
      made.push(ours, theirs);
      const archive = await dumped("restored", "--inserts", "--exclude-table=ins.child");
      const server = await Target.open(serverSettings(ours));
      try {
        await server.preflight(archive.toc);
        const side = await server.createSide({ run: "test", archive });
        const tableData = (entry: TocEntry, signal?: AbortSignal) => ({ data: archive.tableData(entry, signal) });
        await runRestore({ jobs: 2, settings: side.settings, archive, tableData });
        await side.goLive();
      } finally {
        await server.close();
      }
      await withConnection("postgres", (connection) =>
        connection.run(`CREATE DATABASE ${theirs} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, "test"),
      );
      await tool(tools!.pg_restore, theirs, "--exit-on-error", join(folder, "restored.dump"));
      const [restored, expected] = [await dump(ours), await dump(theirs)];
      expect(restored.length).toBeGreaterThan(1_000_000);
      expect(restored === expected).toBe(true);
    });

    it("reading that is ended early leaves the rest alone", async () => {
      const archive = await dumped("early", "--inserts", "--exclude-table=ins.child");
      const entry = archive.toc.find((item) => item.tag === "bytes" && item.desc === "TABLE DATA")!;
      for await (const part of archive.tableData(entry)) {
        expect(part.length).toBeGreaterThan(0);
        break;
      }
      const walked: string[] = [];
      await archive.walk({
        tableData: async (item) => {
          walked.push(item.tag);
          expect(item.copyStmt).not.toBeNull();
        },
      });
      expect(walked).toContain("bytes");
      expect((await joined(archive.tableData(entry))).toString("latin1").endsWith("\n\\.\n\n\n")).toBe(true);
    });
  },
);
