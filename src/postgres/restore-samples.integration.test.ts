/** Oracle: what our engine makes of an archive and what pg_restore makes of it are, dumped, the same text. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Archive } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import { type RestoreEvent, type RestoreResult, runRestore } from "./run-restore.ts";
import { Target } from "./side-database.ts";
import {
  databaseNames,
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
} from "./testing/real-server.ts";

const FMT_TABLES = 16;
const FMT_ROWS = 34;
const FMT_LARGE_OBJECTS = 4;
/** [archive, the archive that pg_restore reads instead when the first is too new for it, jobs] */
const SAMPLES: [string, string, number][] = [
  ["pg15-gzip.dump", "pg15-gzip.dump", 1],
  ["pg15-gzip.dump", "pg15-gzip.dump", 4],
  ["pg15-Z0.dump", "pg15-Z0.dump", 2],
  ["pg15-pipe.dump", "pg15-pipe.dump", 2],
  ["extra-pg15-append-redirect.dump", "extra-pg15-append-redirect.dump", 2],
  ["extra-pg16-zstd.dump", "pg15-gzip.dump", 2],
  ["extra-pg16-lz4-pipe.dump", "pg15-gzip.dump", 2],
  ["extra-pg17-Z0.dump", "pg15-gzip.dump", 3],
  ["extra-pg18-lz4.dump", "pg15-gzip.dump", 2],
  ["extra-pg18-zstd.dump", "pg15-gzip.dump", 2],
  ["extra-pg19rc1-stats.dump", "pg15-gzip.dump", 2],
  ["pagila-pg15-gzip.dump", "pagila-pg15-gzip.dump", 4],
  ["pagila-pg18-zstd.dump", "pagila-pg15-gzip.dump", 2],
];

const made: string[] = [];
const expected = new Map<string, string>();

async function readableArchive(path: string): Promise<Archive> {
  const archive = await openArchive(await fileSource(path));
  // A piped dump: the positions are learnt by reading it once.
  if (!archive.randomAccess) await archive.walk({});
  return archive;
}

async function restoreAndRename(
  archive: Archive,
  target: string,
  jobs: number,
): Promise<[RestoreResult, RestoreEvent[]]> {
  const events: RestoreEvent[] = [];
  const server = await Target.open(serverSettings(target));
  try {
    await server.preflight(archive.toc);
    const side = await server.createSide({ run: "test", archive });
    const result = await runRestore({
      jobs,
      settings: side.settings,
      archive,
      tableData: (entry, signal) => ({ data: archive.tableData(entry, signal) }),
      onEvent: (event) => events.push(event),
    });
    await side.goLive();
    return [result, events];
  } finally {
    await server.close();
  }
}

/** What stock pg_restore makes of the archive, dumped. */
async function oracle(name: string): Promise<string> {
  const known = expected.get(name);
  if (known !== undefined) return known;
  const database = freshName("oracle");
  made.push(database);
  await withConnection("postgres", (server) =>
    server.run(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, "test"),
  );
  await tool(tools?.pg_restore ?? "pg_restore", database, "--exit-on-error", samplePath(name) ?? "");
  const text = await dump(database);
  expected.set(name, text);
  return text;
}

describe.skipIf(serverUrl === null || tools === null)("every sample, restored", () => {
  beforeAll(() => ensureRoles(["app_owner", "app_reader", 'weird "role']));
  afterAll(() => dropDatabases(made));

  it.skipIf(samplePath("pg15-gzip.dump") === null).each(SAMPLES.filter(([name]) => samplePath(name) !== null))(
    "%s is what pg_restore makes of %s (%d jobs)",
    async (name, twin, jobs) => {
      const target = freshName("engine");
      made.push(target);
      const archive = await readableArchive(samplePath(name) ?? "");
      const [result, events] = await restoreAndRename(archive, target, jobs);
      expect(await dump(target)).toBe(await oracle(twin));
      expect(await databaseNames(target)).toEqual([target]);
      const dataEntries = archive.toc.filter((entry) => entry.desc === "TABLE DATA");
      expect(result.tables.size).toBe(dataEntries.length);
      expect(events.filter((event) => event.kind === "table-done")).toHaveLength(dataEntries.length);
      if (twin.startsWith("pagila")) return;
      const rows = [...result.tables.values()].reduce((sum, table) => sum + table.rows, 0);
      expect([result.tables.size, rows, result.largeObjects]).toEqual([FMT_TABLES, FMT_ROWS, FMT_LARGE_OBJECTS]);
    },
  );

  it("gives the database its settings and comment, and drops no statistics into it", async () => {
    const path = samplePath("extra-pg19rc1-stats.dump");
    const target = freshName("engine");
    made.push(target);
    const archive = await readableArchive(path ?? "");
    const [result] = await restoreAndRename(archive, target, 2);
    expect(new Set(result.leftOut.map((entry) => entry.desc))).toEqual(
      new Set(["STATISTICS DATA", "EXTENDED STATISTICS DATA"]),
    );
    const [row] = await withConnection(target, (inside) =>
      inside.rows<{ comment: string; settings: string[]; stats: string }>(
        `SELECT shobj_description(d.oid, 'pg_database') AS comment,
           (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings,
           (SELECT count(*) FROM pg_stats WHERE schemaname = 'sales') AS stats
         FROM pg_database d WHERE datname = current_database()`,
        "test",
      ),
    );
    expect(row).toEqual({ comment: "database comment", settings: ["work_mem=5MB"], stats: "0" });
  });

  it("leaves skipped tables empty and skipped large objects out, and the rest alone", async () => {
    const target = freshName("engine");
    made.push(target);
    const archive = await readableArchive(samplePath("extra-pg18-zstd.dump") ?? "");
    const server = await Target.open(serverSettings(target));
    const side = await server.createSide({ run: "test", archive });
    await runRestore({
      jobs: 2,
      settings: side.settings,
      archive,
      tableData: (entry, signal) => ({ data: archive.tableData(entry, signal) }),
      skipData: (entry) => entry.tag === "docs",
      skipLargeObjects: new Set([100001, 4000000000]),
    });
    await withConnection(side.name, async (inside) => {
      const objects = await inside.rows<{ oid: string }>(
        "SELECT oid::text FROM pg_largeobject_metadata ORDER BY 1",
        "test",
      );
      expect(objects.map(({ oid }) => oid)).toEqual(["100002", "100003"]);
      const counts = "SELECT (SELECT count(*) FROM sales.docs) AS docs, (SELECT count(*) FROM sales.orders) AS orders";
      expect(await inside.rows(counts, "test")).toEqual([{ docs: "0", orders: "4" }]);
    });
    await side.drop();
    await server.close();
    expect(await databaseNames(target)).toEqual([]);
  });
});
