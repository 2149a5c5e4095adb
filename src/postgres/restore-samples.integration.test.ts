/** Oracle: what our engine makes of an archive and what pg_restore makes of it are, dumped, the same text. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeCustomArchiveFile } from "../archive/custom/custom-writer.ts";
import type { Archive, TocEntry } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import { testServers } from "../embedded/testing/servers.ts";
import { type ConnectionSettings, parseConnectionUrl, withDatabase } from "./connection-settings.ts";
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
const LARGE_OBJECT_100003 = Uint8Array.from({ length: 40_001 }, (_, index) => index % 256);
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
  target: string | ConnectionSettings,
  jobs: number,
): Promise<[RestoreResult, RestoreEvent[]]> {
  const events: RestoreEvent[] = [];
  const server = await Target.open(typeof target === "string" ? serverSettings(target) : target);
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
async function oracle(path: string): Promise<string> {
  const known = expected.get(path);
  if (known !== undefined) return known;
  const database = freshName("oracle");
  made.push(database);
  await withConnection("postgres", (server) =>
    server.run(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, "test"),
  );
  await tool(tools?.pg_restore ?? "pg_restore", database, "--exit-on-error", path);
  const text = await dump(database);
  expected.set(path, text);
  return text;
}

const ROLES = ["app_owner", "app_reader", 'weird "role'];

/**
 * The sample, written again as an older pg_dump would have: without the entries that its version does not have.
 * Up to 1.11 large objects are made by their data, and have neither owner nor comment.
 */
async function writeAgain(archive: Archive, minor: number, path: string): Promise<void> {
  const isGone = (entry: TocEntry) =>
    (minor < 13 && entry.desc === "SEARCHPATH") ||
    (minor < 12 && (entry.desc === "BLOB" || entry.tag.startsWith("LARGE OBJECT")));
  await writeCustomArchiveFile(path, {
    minor,
    compression: "gzip",
    createdAt: new Date(),
    database: "fmt",
    serverVersion: "15.18",
    dumpVersion: "15.18",
    entries: archive.toc
      .filter((entry) => !isGone(entry))
      .map((entry) => ({
        ...entry,
        // Its bytes are of the version that was read.
        raw: undefined,
        data: entry.desc === "TABLE DATA" ? () => archive.tableData(entry) : undefined,
        largeObjects: entry.desc === "BLOBS" ? () => archive.largeObjects(entry) : undefined,
      })),
  });
}

describe.skipIf(serverUrl === null || tools === null)("every sample, restored", () => {
  beforeAll(() => ensureRoles(ROLES));
  afterAll(() => dropDatabases(made));

  it.skipIf(samplePath("pg15-gzip.dump") === null).each(SAMPLES.filter(([name]) => samplePath(name) !== null))(
    "%s is what pg_restore makes of %s (%d jobs)",
    async (name, twin, jobs) => {
      const target = freshName("engine");
      made.push(target);
      const archive = await readableArchive(samplePath(name) ?? "");
      const [result, events] = await restoreAndRename(archive, target, jobs);
      expect(await dump(target)).toBe(await oracle(samplePath(twin) ?? ""));
      expect(await databaseNames(target)).toEqual([target]);
      const dataEntries = archive.toc.filter((entry) => entry.desc === "TABLE DATA");
      expect(result.tables.size).toBe(dataEntries.length);
      expect(events.filter((event) => event.kind === "table-done")).toHaveLength(dataEntries.length);
      if (twin.startsWith("pagila")) return;
      const rows = [...result.tables.values()].reduce((sum, table) => sum + table.rows, 0);
      expect([result.tables.size, rows, result.largeObjects]).toEqual([FMT_TABLES, FMT_ROWS, FMT_LARGE_OBJECTS]);
    },
  );

  it.each([10, 11, 12, 13])("an archive of version 1.%d is what pg_restore makes of it", async (minor) => {
    const folder = await mkdtemp(join(tmpdir(), "sanitize-old-archive-"));
    try {
      const path = join(folder, "old.dump");
      await writeAgain(await readableArchive(samplePath("pg15-gzip.dump") ?? ""), minor, path);
      const target = freshName("engine");
      made.push(target);
      const [result] = await restoreAndRename(await readableArchive(path), target, 2);
      expect(result.largeObjects).toBe(FMT_LARGE_OBJECTS);
      expect(await dump(target)).toBe(await oracle(path));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

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

/** No tool at hand can dump the newest servers, so these are asked by SQL. */
describe.each(testServers().postgres)("the sample on the $kind server", ({ url }) => {
  it.each(["pg15-gzip.dump", "extra-pg18-zstd.dump"])("%s arrives whole", async (name) => {
    const target = withDatabase(parseConnectionUrl(url), freshName("engine"));
    await ensureRoles(ROLES, withDatabase(target, "postgres"));
    const archive = await readableArchive(samplePath(name) ?? "");
    try {
      const [result] = await restoreAndRename(archive, target, 3);
      const rows = [...result.tables.values()].reduce((sum, table) => sum + table.rows, 0);
      expect([result.tables.size, rows, result.largeObjects]).toEqual([FMT_TABLES, FMT_ROWS, FMT_LARGE_OBJECTS]);
      const facts = `SELECT (SELECT md5(lo_get(100003))) AS object, (SELECT count(*)::int FROM sales.mv2) AS refreshed,
        (SELECT last_value::int FROM sales.used) AS sequence,
        (SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND convalidated) AS foreign_keys,
        (SELECT string_agg(note, '|' ORDER BY id) = E'|\\\\N|\\\\.|default\n\\\\.\nCOPY x FROM stdin;\n|N' FROM sales.customers) AS notes,
        (SELECT relowner::regrole::text FROM pg_class WHERE oid = 'sales.emp'::regclass) AS owner,
        (SELECT evtenabled FROM pg_event_trigger WHERE evtname = 'evt') AS trigger`;
      expect(await withConnection(target, (inside) => inside.rows(facts, "test"))).toEqual([
        {
          object: createHash("md5").update(LARGE_OBJECT_100003).digest("hex"),
          refreshed: 1,
          sequence: 2,
          foreign_keys: 4,
          notes: true,
          owner: "app_owner",
          trigger: "D",
        },
      ]);
    } finally {
      await withConnection(withDatabase(target, "postgres"), async (server) => {
        await withConnection(target, (inside) => inside.run("DROP SUBSCRIPTION IF EXISTS sub", "test"));
        await server.run(`DROP DATABASE ${target.database} WITH (FORCE)`, "test");
      });
    }
  });
});
