/** The engine when things go wrong; restore-samples shows it when they go right. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { TocEntry } from "../archive/model.ts";
import { ArchiveDamaged, Interrupted } from "../errors.ts";
import { type RestoreEngineOptions, runRestore } from "./run-restore.ts";
import { Target } from "./side-database.ts";
import {
  databaseNames,
  dropDatabases,
  freshName,
  serverSettings,
  serverUrl,
  withConnection,
} from "./testing/real-server.ts";
import { archiveOf, chunks, tocEntry } from "./testing/toc.ts";

const SEARCHPATH = tocEntry({
  dumpId: 1,
  desc: "SEARCHPATH",
  defn: "SELECT pg_catalog.set_config('search_path', '', false);\n",
});
const made: string[] = [];

/** Table `t<n>` with an integer key: TABLE n, TABLE DATA 100+n, primary key 200+n. */
function tableEntries(n: number): TocEntry[] {
  const name = `t${n}`;
  return [
    tocEntry({
      dumpId: 10 + n,
      tag: name,
      namespace: "public",
      defn: `CREATE TABLE public.${name} (id integer, note text);\n`,
    }),
    tocEntry({
      dumpId: 100 + n,
      desc: "TABLE DATA",
      section: "data",
      hasData: true,
      tag: name,
      namespace: "public",
      copyStmt: `COPY public.${name} (id, note) FROM stdin;\n`,
      dependencies: [10 + n],
    }),
    tocEntry({
      dumpId: 200 + n,
      desc: "CONSTRAINT",
      section: "post-data",
      tag: `${name} ${name}_pkey`,
      namespace: "public",
      defn: `ALTER TABLE ONLY public.${name}\n    ADD CONSTRAINT ${name}_pkey PRIMARY KEY (id);\n`,
      dropStmt: "ALTER TABLE x DROP CONSTRAINT y;",
      dependencies: [10 + n],
    }),
  ];
}

function inSectionOrder(entries: TocEntry[]): TocEntry[] {
  const order = ["none", "pre-data", "data", "post-data"];
  return entries.toSorted((a, b) => order.indexOf(a.section) - order.indexOf(b.section));
}

type Rows = RestoreEngineOptions["tableData"];

async function restore(toc: TocEntry[], tableData: Rows, more: Partial<RestoreEngineOptions> = {}) {
  const name = freshName("run");
  made.push(name);
  const archive = archiveOf({ toc: inSectionOrder(toc) });
  const target = await Target.open(serverSettings(name));
  try {
    const side = await target.createSide({ run: "test", archive });
    try {
      return await runRestore({ jobs: 2, settings: side.settings, archive, tableData, ...more });
    } finally {
      await side.drop();
      expect(await databaseNames(name)).toEqual([]);
    }
  } finally {
    await target.close();
  }
}

const twoRows: Rows = () => ({ data: chunks(["1\ta\n2\tb\n", "\\.\n\n\n"]) });

describe.skipIf(serverUrl === null)("a restore that fails", () => {
  afterEach(async () => {
    const sessions = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = ANY ($1)";
    const [row] = await withConnection("postgres", (server) =>
      server.rows<{ n: number }>(sessions, "test", [made.map((name) => `${name}__sanitize_test`)]),
    );
    expect(row?.n).toBe(0);
  });
  afterAll(async () => {
    for (const name of made) await dropDatabases(await databaseNames(name));
  });

  it("counts the rows of each table when it does not", async () => {
    const result = await restore([SEARCHPATH, ...tableEntries(1), ...tableEntries(2)], twoRows);
    expect(new Map([...result.tables].map(([id, { rows }]) => [id, rows]))).toEqual(
      new Map([
        [101, 2],
        [102, 2],
      ]),
    );
    expect(result.phases.map(({ name }) => name)).toEqual(["pre-data", "data", "post-data", "privileges", "refresh"]);
  });

  it("names the entry of a batch that was refused", async () => {
    const bad = tocEntry({
      dumpId: 50,
      tag: "broken",
      namespace: "public",
      defn: "CREATE TABLE public.broken (x no_such_type);\n",
    });
    const run = restore([SEARCHPATH, ...tableEntries(1), bad, ...tableEntries(2)], twoRows);
    await expect(run).rejects.toThrow(
      'TABLE public.broken (entry 50): type "no_such_type" does not exist (SQLSTATE 42704)',
    );
  });

  it("does not quote the row that breaks a key made after the load", async () => {
    const run = restore([SEARCHPATH, ...tableEntries(1)], () => ({ data: chunks(["424242\ta\n424242\tb\n"]) }));
    const error: unknown = await run.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "constraint_violated", exitCode: 9 });
    expect(String(error)).toContain("CONSTRAINT public.t1 t1_pkey (entry 201)");
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("424242");
  });

  it("throws what its source throws, and stops the other tables", async () => {
    const damaged = new ArchiveDamaged("bad", { code: "truncated" });
    let stoppedBySignal = false;
    const run = restore([SEARCHPATH, ...tableEntries(1), ...tableEntries(2)], (entry, signal) => ({
      data: entry.tag === "t1" ? failing() : endless(signal),
    }));
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.from("1\ta\n");
      throw damaged;
    }
    async function* endless(signal: AbortSignal): AsyncGenerator<Buffer> {
      try {
        for (let id = 0; ; id++) yield Buffer.from(`${id}\t${"x".repeat(70_000)}\n`);
      } finally {
        stoppedBySignal = signal.aborted;
      }
    }
    await expect(run).rejects.toBe(damaged);
    expect(stoppedBySignal).toBe(true);
  });

  it("can be interrupted in the middle of the load", async () => {
    const abort = new AbortController();
    async function* slow(): AsyncGenerator<Buffer> {
      for (let id = 0; ; id++) {
        if (id === 100) abort.abort();
        yield Buffer.from(`${id}\t${"x".repeat(70_000)}\n`);
      }
    }
    const run = restore([SEARCHPATH, ...tableEntries(1)], () => ({ data: slow() }), { signal: abort.signal });
    await expect(run).rejects.toBeInstanceOf(Interrupted);
  });

  it("can be interrupted while the server works on a statement", async () => {
    const abort = new AbortController();
    const sleep = tocEntry({
      dumpId: 300,
      desc: "RULE",
      section: "post-data",
      tag: "s",
      defn: "SELECT pg_catalog.pg_sleep(120);\n",
    });
    const run = restore([SEARCHPATH, ...tableEntries(1), sleep], twoRows, {
      signal: abort.signal,
      onEvent: (event) => {
        if (event.kind === "entry-done" && event.entry.dumpId === 201) abort.abort();
      },
    });
    await expect(run).rejects.toBeInstanceOf(Interrupted);
  });

  it("fails when the server loses a connection in the middle", async () => {
    const run = restore([SEARCHPATH, ...tableEntries(1), ...tableEntries(2)], (entry) => ({
      data: entry.tag === "t1" ? killing() : chunks(["1\ta\n"]),
    }));
    async function* killing(): AsyncGenerator<Buffer> {
      yield Buffer.from("1\ta\n".repeat(20_000));
      await withConnection("postgres", (server) =>
        server.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", "test", [
          `${made.at(-1)}__sanitize_test`,
        ]),
      );
      yield Buffer.from("2\ta\n".repeat(20_000));
    }
    await expect(run).rejects.toMatchObject({ code: "connection_lost" });
  });

  it("follows the schema of each entry when the archive is older than SEARCHPATH entries", async () => {
    const [table, rows, key] = tableEntries(1) as [TocEntry, TocEntry, TocEntry];
    const schema = tocEntry({ dumpId: 2, desc: "SCHEMA", tag: "old", defn: "CREATE SCHEMA old;\n" });
    const old = [
      schema,
      { ...table, namespace: "old", defn: "CREATE TABLE t1 (id integer, note text);\n" },
      { ...rows, namespace: "old", copyStmt: "COPY t1 (id, note) FROM stdin;\n" },
      { ...key, namespace: "old", defn: "ALTER TABLE ONLY t1 ADD CONSTRAINT k PRIMARY KEY (id);\n" },
    ];
    const result = await restore(old, twoRows);
    expect(result.tables.get(101)?.rows).toBe(2);
  });
});
