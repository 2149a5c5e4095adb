/** What the integration tests of this room share: a real server, its tools, archives as files. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ByteSource } from "../../archive/model.ts";
import { testServers } from "../../embedded/testing/servers.ts";
import { connect, type ServerConnection } from "../connection.ts";
import { type ConnectionSettings, parseConnectionUrl, withDatabase } from "../connection-settings.ts";
import { quoteIdentifier } from "../identifiers.ts";

const run = promisify(execFile);
const SAMPLE_FOLDERS = [
  "../../../fixtures/archives/",
  "../../../../shared/samples/",
  "../../../../shared/samples/public/",
];

const servers = testServers();
/** The server that the tools suit, or `null`. */
export const serverUrl: string | null = servers.postgres[0]?.url ?? null;
export const tools = servers.pgTools;
export const tlsUrl: string | null = servers.postgresTls;

export function serverSettings(database = "postgres"): ConnectionSettings {
  return withDatabase(parseConnectionUrl(serverUrl ?? ""), database);
}

/** A database name that no other test uses. */
export function freshName(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString("hex")}`;
}

export async function withConnection<T>(
  database: string | ConnectionSettings,
  work: (connection: ServerConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect(typeof database === "string" ? serverSettings(database) : database);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

export async function dropDatabases(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const exists = await databaseNames(name);
    if (!exists.includes(name)) continue;
    await withConnection(name, async (inside) => {
      const subscriptions = await inside.rows<{ name: string }>(
        "SELECT subname AS name FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()",
        "test",
      );
      for (const { name: subscription } of subscriptions) {
        await inside.run(`ALTER SUBSCRIPTION ${quoteIdentifier(subscription)} SET (slot_name = NONE)`, "test");
        await inside.run(`DROP SUBSCRIPTION ${quoteIdentifier(subscription)}`, "test");
      }
    });
    await withConnection("postgres", (server) =>
      server.run(`DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`, "test"),
    );
  }
}

/** Databases whose name begins so. */
export async function databaseNames(prefix: string): Promise<string[]> {
  return await withConnection("postgres", async (server) => {
    const rows = await server.rows<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1",
      "test",
      [prefix],
    );
    return rows.map((row) => row.name);
  });
}

/** Roles are shared by all tests on the server: made once, never dropped. */
export async function ensureRoles(names: readonly string[], settings = serverSettings()): Promise<void> {
  await withConnection(settings, async (server) => {
    for (const name of names) {
      await server.run(
        `DO $$ BEGIN CREATE ROLE ${quoteIdentifier(name)};
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
        "test",
      );
    }
  });
}

/** The path of a sample archive, or `null` when this checkout has none. */
export function samplePath(name: string): string | null {
  const paths = SAMPLE_FOLDERS.map((folder) => fileURLToPath(new URL(folder + name, import.meta.url)));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** A file as a byte source, without the storage room. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { size } = await stat(path);
  return { size, read: (start, end = size) => readRange(path, start, end) };
}

async function* readRange(path: string, start: number, end: number): AsyncGenerator<Buffer> {
  const file = await open(path, "r");
  try {
    for (let at = start; at < end; ) {
      const buffer = Buffer.alloc(Math.min(65_536, end - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error("short file");
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Runs one of PostgreSQL's tools against a database of the test server. */
export async function tool(path: string, database: string, ...args: string[]): Promise<string> {
  const { host, port, user, password } = serverSettings();
  const env = { ...process.env, PGPASSWORD: password ?? "" };
  const where = ["-h", host, "-p", String(port), "-U", user, "-d", database];
  const { stdout } = await run(path, [...where, ...args], { env, maxBuffer: 512 * 1024 * 1024 });
  return stdout;
}

/** A whole dump as text, without what differs between any two runs. */
export async function dump(database: string): Promise<string> {
  const text = await tool(tools?.pg_dump ?? "pg_dump", database, "--blobs");
  return pooled(text.replaceAll(/^\\(?:un)?restrict .*$/gm, "").replaceAll(/^-- Dumped .*$/gm, ""));
}

/** Which leaf a row hashed by an enum lies in follows from the enum's OIDs, so such rows are compared by their root. */
function pooled(text: string): string {
  const pools = new Map<string, string[]>();
  const rest = text.replaceAll(
    /(^-- load via partition root (.*)\n\nCOPY .* FROM stdin;\n)((?:.*\n)*?)(\\\.\n)/gm,
    (_, head: string, root: string, rows: string, end: string) => {
      pools.set(root, [...(pools.get(root) ?? []), ...rows.split("\n").filter((row) => row !== "")]);
      return head + end;
    },
  );
  const lists = [...pools].map(([root, rows]) => `rows of ${root}:\n${rows.toSorted().join("\n")}\n`);
  return rest + lists.join("");
}
