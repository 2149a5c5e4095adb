import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { testServers } from "../../embedded/testing/servers.ts";
import { type MarketplaceBackup, writeMarketplaceBackup } from "./marketplace-backup.ts";

const run = promisify(execFile);
const { pgTools, postgres } = testServers();
const server = postgres[0];
const createdAt = new Date("2026-11-20T02:30:00Z");

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

async function numbers(url: string, query: string): Promise<number[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(query);
    return rows.flatMap((row) => Object.values(row).map(Number));
  } finally {
    await client.end();
  }
}

describe("the marketplace's backup", () => {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sanitize-test-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test("the same options give the same file, another seed another one", async () => {
    const digests: string[] = [];
    for (const [index, seed] of [7, 7, 8].entries()) {
      const path = join(directory, `same-${index}.dump`);
      await writeMarketplaceBackup(path, { rows: 1_000, seed, createdAt });
      digests.push(await digestOf(path));
    }
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(digests[2]);
  });

  test("its size follows the rows asked for", async () => {
    const path = join(directory, "size.dump");
    const backup = await writeMarketplaceBackup(path, { rows: 50_000, createdAt, compression: "none" });
    expect(Object.values(backup.tables).reduce((sum, rows) => sum + rows, 0)).toBe(50_000);
    expect((await stat(path)).size / 50_000).toBeGreaterThan(150);
  });

  describe.skipIf(pgTools === null || server === undefined)("restored by PostgreSQL's own pg_restore", () => {
    async function restored(compression: "gzip" | "none"): Promise<{ url: string; backup: MarketplaceBackup }> {
      const path = join(directory, `${compression}.dump`);
      const backup = await writeMarketplaceBackup(path, { rows: 5_000, createdAt, compression });
      const database = `marketplace_${randomUUID().replaceAll("-", "")}`;
      await numbers(server?.url ?? "", `CREATE DATABASE ${database} TEMPLATE template0`);
      onTestFinished(async () => {
        await numbers(server?.url ?? "", `DROP DATABASE ${database} WITH (FORCE)`);
      });
      const url = new URL(server?.url ?? "");
      url.pathname = `/${database}`;
      const { stderr } = await run(pgTools?.pg_restore ?? "", ["--exit-on-error", "-j2", "-d", url.href, path]);
      expect(stderr).toBe("");
      return { url: url.href, backup };
    }

    test.each(["gzip", "none"] as const)("%s: every row, key and large object arrives", async (compression) => {
      const { url, backup } = await restored(compression);
      for (const [table, rows] of Object.entries(backup.tables)) {
        expect(await numbers(url, `SELECT count(*) FROM ${table}`), table).toEqual([rows]);
      }
      const constraints =
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace";
      expect(await numbers(url, constraints)).toEqual([15]);
      expect(await numbers(url, "SELECT count(*) FROM pg_largeobject_metadata")).toEqual([backup.largeObjects]);
      expect(
        await numbers(
          url,
          "SELECT count(*) FROM public.users u LEFT JOIN pg_largeobject_metadata m ON m.oid = u.avatar WHERE u.avatar IS NOT NULL AND m.oid IS NULL",
        ),
      ).toEqual([0]);
      expect(await numbers(url, "SELECT count(*) FROM public.course_ratings")).not.toEqual([0]);
    });

    test("the next number of every key is free", async () => {
      const { url, backup } = await restored("none");
      for (const table of Object.keys(backup.tables).filter((name) => name !== "public.sessions")) {
        const [next, last] = await numbers(url, `SELECT nextval('${table}_id_seq'), max(id) FROM ${table}`);
        expect(next, table).toBe((last ?? 0) + 1);
      }
    });

    test("rows are older than the snapshot, and read back as they were written", async () => {
      const { url } = await restored("none");
      const late = `SELECT count(*) FROM public.events WHERE occurred_at >= '${createdAt.toISOString()}'`;
      expect(await numbers(url, late)).toEqual([0]);
      const utc = { ...process.env, PGTZ: "UTC" };
      const dumped = await run(pgTools?.pg_dump ?? "", ["-a", "-t", "public.events", "-d", url], {
        env: utc,
        maxBuffer: 1 << 26,
      });
      const archived = await run(
        pgTools?.pg_restore ?? "",
        ["-a", "-t", "events", "-f", "-", join(directory, "none.dump")],
        { maxBuffer: 1 << 26 },
      );
      const rowsOf = (script: string): string[] =>
        script
          .split("\n")
          .filter((line) => /^\d+\t/.test(line))
          .sort();
      expect(rowsOf(dumped.stdout)).toEqual(rowsOf(archived.stdout));
      expect(rowsOf(dumped.stdout).length).toBeGreaterThan(1_000);
    });
  });
});
