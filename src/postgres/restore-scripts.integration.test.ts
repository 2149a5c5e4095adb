/** Oracle: what our engine makes of a plain script and what psql makes of it are, dumped, the same text. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../archive/open-archive.ts";
import { runRestore } from "./run-restore.ts";
import { Target } from "./side-database.ts";
import {
  dropDatabases,
  dump,
  ensureRoles,
  fileSource,
  freshName,
  serverSettings,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "./testing/real-server.ts";

const made: string[] = [];
const expected = new Map<string, string>();
/** [script, the script that psql runs: a pg_dumpall script would make its own databases, jobs] */
const SCRIPTS: [string, string, number][] = [
  ["pg15-plain.sql", "pg15-plain.sql", 1],
  ["pg15-plain.sql", "pg15-plain.sql", 4],
  ["pg15-plain-verbose.sql", "pg15-plain.sql", 2],
  ["pg15-inserts.sql", "pg15-inserts.sql", 2],
  ["pg15-column-inserts.sql", "pg15-column-inserts.sql", 3],
  ["pg15-dumpall.sql", "pg15-plain.sql", 2],
  ["extra-pg16-plain.sql", "extra-pg16-plain.sql", 3],
  ["extra-pg15-sjis-bytea-escape.sql", "extra-pg15-sjis-bytea-escape.sql", 2],
];

function scriptPath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/scripts/${name}`, import.meta.url));
}

async function oracle(script: string): Promise<string> {
  const known = expected.get(script);
  if (known !== undefined) return known;
  const database = freshName("oracle");
  made.push(database);
  await withConnection("postgres", (server) =>
    server.run(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, "test"),
  );
  await tool(tools?.psql ?? "psql", database, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", scriptPath(script));
  const text = await dump(database);
  expected.set(script, text);
  return text;
}

describe.skipIf(serverUrl === null || tools === null)("every script, restored", () => {
  beforeAll(() => ensureRoles(["app_owner", "app_reader", 'weird "role']));
  afterAll(() => dropDatabases(made));

  it.each(SCRIPTS)("%s is what psql makes of %s (%d jobs)", async (name, twin, jobs) => {
    const database = freshName("script");
    made.push(database);
    const archive = await openArchive(await fileSource(scriptPath(name)));
    const server = await Target.open(serverSettings(database));
    try {
      await server.preflight(archive.toc);
      const side = await server.createSide({ run: "test", archive });
      await runRestore({
        jobs,
        settings: side.settings,
        archive,
        tableData: (entry, signal) => ({ data: archive.tableData(entry, signal) }),
      });
      await side.goLive();
    } finally {
      await server.close();
    }
    expect(await dump(database)).toBe(await oracle(twin));
  });
});
