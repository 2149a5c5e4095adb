import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Archive, TocEntry } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { digests, memorySource, readAll, sampleBytes, walkAll } from "../testing/sources.ts";
import { openScript } from "./open-script.ts";

const SCRIPTS = fileURLToPath(new URL("../../../fixtures/scripts/", import.meta.url));
const scriptBytes = (name: string) => readFileSync(SCRIPTS + name);
const opened = async (name: string, step?: number) => await openArchive(memorySource(scriptBytes(name), step));
const HEAD = "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n";
const DUMP = "--\n-- PostgreSQL database dump\n--\n";
const END = "--\n-- PostgreSQL database dump complete\n--\n";

async function script(text: string, database?: string): Promise<Archive> {
  return await openScript(memorySource(Buffer.from(text), 5), { database });
}

function labels(toc: readonly TocEntry[]): string[] {
  return toc.map(({ section, desc, namespace, tag }) => `${section} ${desc} ${namespace} ${tag}`);
}

/** What an entry says, as far as an archive says the same. */
function facts(entry: TocEntry | undefined): unknown {
  if (entry === undefined) return undefined;
  const { defn, copyStmt, tablespace, tableam, hasData } = entry;
  return { defn: defn?.replaceAll(/\s+/g, " ").trim() ?? null, copyStmt, tablespace, tableam, hasData };
}

/** Rows routed through a partition root stand, in a script, under the root's name. */
const ROUTED = /TABLE DATA sales by_status/;
const DATABASE = / DATABASE /;

describe.each([
  ["pg15-plain.sql", "pg15-gzip.dump", false],
  ["pg15-plain-verbose.sql", "pg15-gzip.dump", false],
  ["pg15-dumpall.sql", "pg15-gzip.dump", true],
  ["extra-pg16-plain.sql", "extra-pg16-zstd.dump", false],
])("%s beside %s", (name, twin, withDatabase) => {
  it("has the same entries, saying the same", async () => {
    const [plain, custom] = [await opened(name), await openArchive(memorySource(sampleBytes(twin)))];
    const comparable = (toc: readonly TocEntry[]) =>
      labels(toc).filter((label) => !ROUTED.test(label) && (withDatabase || !DATABASE.test(label)));
    expect(comparable(plain.toc).toSorted()).toEqual(comparable(custom.toc).toSorted());
    for (const entry of plain.toc) {
      const label = labels([entry])[0]!;
      if (ROUTED.test(label)) continue;
      const other = custom.toc.find((candidate) => labels([candidate])[0] === label);
      expect({ label, ...(facts(entry) as object) }).toEqual({ label, ...(facts(other) as object) });
    }
  });

  it("has the same owners", async () => {
    const [plain, custom] = [await opened(name), await openArchive(memorySource(sampleBytes(twin)))];
    const owned = (archive: Archive) =>
      archive.toc
        .filter((entry) => entry.dropStmt !== null && entry.owner !== null && entry.copyStmt === null)
        .filter(
          ({ desc }) =>
            !/CONSTRAINT|DEFAULT|INDEX|RULE|TRIGGER|POLICY|PUBLICATION TABLE/.test(desc) || desc === "EVENT TRIGGER",
        )
        .map(
          ({ desc, tag, owner, dropStmt }) =>
            `${desc} ${tag} ${owner} ${/^(?:FUNCTION|PROC)/.test(desc) ? dropStmt : ""}`,
        )
        .filter((text) => !text.startsWith("DATABASE") && !/^SEQUENCE (?:by_default|customers)_id_seq/.test(text))
        .toSorted();
    expect(owned(plain).filter((text) => !text.startsWith("DATABASE"))).toEqual(owned(custom));
  });

  it.each([1, 3, 65_536])("has the same rows, in pieces of %d", async (step) => {
    const [plain, custom] = [await opened(name, step), await openArchive(memorySource(sampleBytes(twin)))];
    const contents = digests(await readAll(plain));
    const expected = digests(await readAll(custom));
    const routed = (key: string) => key.startsWith("sales.by_status");
    const rest = (all: Record<string, string>) =>
      Object.fromEntries(Object.entries(all).filter(([key]) => !routed(key)));
    expect(rest(contents)).toEqual(rest(expected));
    expect(digests(await walkAll(plain))).toEqual(contents);
  });
});

describe("samples of other kinds", () => {
  it.each(["pg15-inserts.sql", "pg15-column-inserts.sql"])("%s gives the rows of the archive", async (name) => {
    const [plain, custom] = [await opened(name), await openArchive(memorySource(sampleBytes("pg15-gzip.dump")))];
    const [contents, expected] = [digests(await readAll(plain)), digests(await readAll(custom))];
    const compared = Object.keys(expected).filter((key) => !key.includes("by_status") && !key.includes("empty_table"));
    expect(compared).toHaveLength(17);
    for (const key of compared) expect([key, contents[key]]).toEqual([key, expected[key]]);
  });

  it("joins what goes into one partition root, and says that it does", async () => {
    const archive = await opened("pg15-plain.sql");
    const entries = archive.toc.filter((entry) => entry.tag === "by_status" && entry.desc === "TABLE DATA");
    expect(entries).toHaveLength(1);
    expect(entries[0]?.defn).toBe("-- load via partition root sales.by_status");
    const rows: Buffer[] = [];
    for await (const bytes of archive.tableData(entries[0]!)) rows.push(bytes);
    expect(Buffer.concat(rows).toString()).toBe("paid\t1\nnew\t1\nit's shipped\t1\nweird\\\\back\t1\n\\.\n\n\n");
  });

  it("reads a script in SJIS, its names and its rows", async () => {
    const archive = await opened("extra-pg15-sjis-bytea-escape.sql", 1);
    expect(archive.encoding).toBe("SJIS");
    expect(archive.toc.filter((entry) => entry.hasData).map((entry) => entry.tag)).toEqual(["one", "t", "表x"]);
    expect((await readAll(archive)).get("public.one")?.toString()).toBe("\n\\N\n\\\\N\n\\\\.\n\\t\n\\.\n\n\n");
  });

  it("learns times, versions and database from comments and commands", async () => {
    const { header } = await opened("pg15-plain-verbose.sql");
    expect(header).toMatchObject({
      format: "plain",
      database: "",
      serverVersion: "15.18 (Debian 15.18-0+deb12u1)",
      createdAt: { year: 2026, month: 11, day: 23, hour: 6, minute: 23, second: 49, utcOffset: 0 },
    });
    expect((await opened("pg15-dumpall.sql")).header).toMatchObject({ database: "fmt", createdAt: null });
  });
});

describe("what a dump may be cut to", () => {
  const whole = scriptBytes("extra-pg15-sjis-bytea-escape.sql");
  it("every shorter file is refused, up to the end of the dump", async () => {
    const complete = whole.indexOf("dump complete") + "dump complete".length;
    for (let length = 0; length < complete; length++) {
      await expect(openScript(memorySource(whole.subarray(0, length))), `${length} bytes`).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:truncated|empty_script|unsupported_encoding|not_sql)$/),
      });
    }
    for (let length = complete; length <= whole.length; length++) {
      const cut = whole.subarray(0, length);
      if (/\n(?:-|\\[a-z]{0,9})$/.test(cut.toString("latin1"))) {
        await expect(openScript(memorySource(cut))).rejects.toMatchObject({ code: "truncated" });
      } else expect((await openScript(memorySource(cut))).toc).toHaveLength(11);
    }
  });

  it.each([
    ["a second dump", DUMP + HEAD + END + DUMP + HEAD + END, "appended"],
    ["a statement behind the end", `${DUMP}${HEAD}${END}SELECT 1;`, "appended"],
    ["no end", DUMP + HEAD, "truncated"],
    ["CR LF", (DUMP + HEAD + END).replaceAll("\n", "\r\n"), "crlf"],
    ["a cluster without its end", `-- PostgreSQL database cluster dump\n${DUMP}${HEAD}${END}`, "truncated"],
    ["a dump that another begins in", DUMP + HEAD + DUMP + HEAD + END, "truncated"],
  ])("%s is refused", async (_, text, code) => {
    await expect(script(text)).rejects.toMatchObject({
      code,
      exitCode: 7,
      message: expect.stringMatching(/line \d+, byte \d+/),
    });
  });

  it.each([
    ["\\i other.sql\n", "psql_command"],
    ["\\copy t from 'x'\n", "psql_command"],
    ["\\! true\n", "psql_command"],
    ["UPDATE t SET a = 'canary';", "unsupported_statement"],
    ["DO $$ BEGIN END $$;", "unsupported_statement"],
    ["SELECT setup('canary');", "unsupported_statement"],
    ["CREATE TABLE a.t AS SELECT 'canary';", "unsupported_statement"],
    ["SET datestyle = 'German';", "unsupported_setting"],
    ["COPY a.t (a) FROM '/canary';", "copy_statement"],
    ["COPY a.t (a) FROM stdin WITH (FORMAT csv);\n\\.\n", "copy_statement"],
    ["pg_dump: warning: canary;", "not_sql"],
    ["SET client_encoding = 'LATIN1'; CREATE SCHEMA a;", "unsupported_setting"],
  ])("%j is refused by name, with its line, without its text", async (text, code) => {
    const error = await script(`${HEAD}CREATE SCHEMA b;\n${text}`).then(
      () => null,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code, exitCode: 7 });
    expect(error?.message).toMatch(/ at line 4, byte \d+$/);
    expect(error?.message).not.toContain("canary");
  });

  it("a byte order mark is accepted, and said", async () => {
    const archive = await openScript(
      memorySource(
        Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(`${DUMP}${HEAD}CREATE SCHEMA a;${END}`)]),
        1,
      ),
    );
    expect(archive.remarks).toEqual([expect.stringContaining("byte order mark")]);
  });
});

describe("databases of a script", () => {
  const one = (name: string) => `\\connect ${name}\n${DUMP}${HEAD}CREATE SCHEMA in_${name};\n${END}`;
  const cluster = (...names: string[]) =>
    "-- PostgreSQL database cluster dump\nSET client_encoding = 'UTF8';\nCREATE ROLE boss;\nALTER ROLE boss WITH PASSWORD 'SCRAM-SHA-256$canary';\n" +
    `CREATE ROLE crew;\nGRANT crew TO boss;\nCREATE ROLE other;\n${names.map(one).join("")}-- PostgreSQL database cluster dump complete\n`;

  it("the one that is asked for is taken", async () => {
    const archive = await script(cluster("a", "b", "postgres"), "b");
    expect(archive.header.database).toBe("b");
    expect(labels(archive.toc)).toContain("pre-data SCHEMA null in_b");
  });

  it("the only one that is not a server's own is taken, and said", async () => {
    const archive = await script(cluster("template1", "b", "postgres"));
    expect(archive.header.database).toBe("b");
    expect(archive.remarks[0]).toMatch(/3 databases; b was taken/);
  });

  it("of several one must be named", async () => {
    await expect(script(cluster("a", "b"))).rejects.toMatchObject({
      code: "database_not_named",
      message: expect.stringContaining("a, b"),
    });
    await expect(script(cluster("a", "b"), "c")).rejects.toMatchObject({ code: "database_not_found" });
  });

  it("roles it needs are said, with their groups; passwords are kept nowhere", async () => {
    const text = cluster("a").replace("CREATE SCHEMA in_a;", "CREATE SCHEMA in_a;\nALTER SCHEMA in_a OWNER TO boss;");
    const archive = await script(text);
    expect(archive.remarks.at(-1)).toMatch(/roles boss, crew must exist/);
    expect(JSON.stringify(archive.toc)).not.toContain("canary");
  });

  it("names with every kind of character are read from \\connect", async () => {
    const line = `\\connect -reuse-previous=on "dbname='we=ird ""db"" \\\\' x'"\n`.replace("\\\\'", "\\'");
    const archive = await script(`${DUMP}${line}${HEAD}CREATE SCHEMA a;\n${END}`);
    expect(archive.header.database).toBe(`we=ird "db" ' x`);
  });
});
