/** A server of the newest major, dumped by its own pg_dump: back into it without the erased, in each of that major's shapes. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { type ConnectionSettings, parseConnectionUrl, withDatabase } from "../postgres/connection-settings.ts";
import { newerClients } from "../postgres/testing/newer-clients.ts";
import { freshName, withConnection } from "../postgres/testing/real-server.ts";
import { restoreBackup } from "./restore.ts";
import { makeDump, newerShapes } from "./testing/every-dump.ts";
import { shopErasure, shopSchema } from "./testing/shop.ts";
import { type ShopRun, setUpShopRun } from "./testing/shop-run.ts";

const execute = promisify(execFile);
const server = testServers().postgres.find(({ kind }) => kind === "embedded");
const client = newerClients.find(({ major }) => major === 18);
const made: string[] = [];
let folder = "";
let source = "";
let expected = "";
let run: ShopRun;

function settings(database: string): ConnectionSettings {
  return withDatabase(parseConnectionUrl(server!.url), database);
}

async function createDatabase(prefix: string): Promise<string> {
  const name = database(prefix);
  await withConnection(settings("postgres"), (inside) =>
    inside.run(`CREATE DATABASE ${name} TEMPLATE template0`, "test"),
  );
  return name;
}

function database(prefix: string): string {
  const name = freshName(prefix);
  made.push(name);
  return name;
}

async function program(path: string, name: string, ...args: string[]): Promise<string> {
  const { host, port, user, password } = settings(name);
  const where = ["-h", host, "-p", String(port), "-U", user, "-d", name];
  const { stdout } = await execute(path, [...where, ...args], {
    env: { ...process.env, PGPASSWORD: password ?? "" },
    maxBuffer: 256 * 1024 * 1024,
  });
  return stdout;
}

/** pg_dump's text without what differs between runs, rows in order. */
async function comparable(name: string): Promise<string> {
  const text = await program(client!.pg_dump, name);
  return text
    .replaceAll(/^\\(?:un)?restrict .*$/gm, "")
    .replaceAll(
      /(^COPY .* FROM stdin;\n)((?:.*\n)*?)(\\\.\n)/gm,
      (_, head: string, rows: string, end: string) => head + rows.split("\n").toSorted().join("\n") + end,
    );
}

/** Defines the tests where both the server and its pg_dump are at hand; scripts/servers/pg-clients.sh says when they are not. */
export function newestServerContract(): void {
  if (server === undefined || client === undefined) return;
  describe("PostgreSQL 18, dumped and restored", () => {
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "sanitize-newest-"));
      source = await createDatabase("newest");
      await withConnection(settings(source), (inside) => inside.run(shopSchema, "test"));
      const oracle = await createDatabase("oracle");
      const file = join(folder, "reference.dump");
      await program(client!.pg_dump, source, "-Fc", "-f", file);
      await program(client!.pg_restore, oracle, "--exit-on-error", file);
      await withConnection(settings(oracle), (inside) => inside.run(shopErasure, "test"));
      expected = await comparable(oracle);
      run = await setUpShopRun(folder, { url: "backups", baseDirectory: folder });
    }, 120_000);

    afterAll(async () => {
      for (const name of made) {
        await withConnection(settings("postgres"), (inside) =>
          inside.run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, "test"),
        );
      }
      await rm(folder, { recursive: true, force: true });
    });

    it.each(newerShapes)(
      "$name",
      async (shape) => {
        const path = join(folder, "backups", shape.name.replaceAll(/\W+/g, "-"));
        await makeDump({ ...shape, major: 18 }, source, path, settings(source));
        const target = database("restored");
        const context = run.context(target);
        const url = new URL(server!.url);
        url.pathname = `/${target}`;
        const there = { ...context.settings, target: { ...context.settings.target!, url: url.toString() } };
        const result = await restoreBackup({ ...context, settings: there }, path);
        expect(result.error).toBeUndefined();
        expect(await comparable(target)).toBe(expected);
      },
      60_000,
    );
  });
}
