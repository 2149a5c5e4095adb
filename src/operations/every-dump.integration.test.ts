/**
 * The contract of all formats: one database, dumped in every format, compression and major that can be had on this machine,
 * restores to the same rows and the same schema, by the same plan. The reference is pg_restore and SQL by hand.
 */
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import {
  dropDatabases,
  ensureRoles,
  freshName,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "../postgres/testing/real-server.ts";
import { openStore } from "../storage/open-store.ts";
import { TestBucket } from "../storage/testing/s3-bucket.ts";
import { newestServerContract } from "./newest-server.contract.ts";
import { restoreBackup } from "./restore.ts";
import { everyShape, makeDump } from "./testing/every-dump.ts";
import { shopErasure, shopPolicy, shopSchema } from "./testing/shop.ts";
import { comparable, type ShopRun, setUpShopRun } from "./testing/shop-run.ts";
import { verifyBackup } from "./verify.ts";

const ready = serverUrl !== null && tools !== null;
const everything = fileURLToPath(new URL("../../fixtures/schemas/everything.sql", import.meta.url));
const { s3 } = testServers();
const made: string[] = [];
let folder = "";
let source = "";
let expected = "";
let digest = "";
let run: ShopRun;

/** Large objects that go with their row, that stay with a shared row, and one nobody refers to. */
const pictures = `
CREATE TABLE pictures (id int PRIMARY KEY, user_id bigint REFERENCES users, image oid);
INSERT INTO pictures VALUES (1, 7, 700001), (2, 8, 100003), (3, 901, 100003), (4, 13, 4000000000), (5, NULL, NULL);
`;
const picturesErasure = `
DELETE FROM pictures WHERE user_id IN (901, 7, 13);
SELECT lo_unlink(700001), lo_unlink(4000000000);
`;

const policy = `${shopPolicy}
  public.pictures: { match: { account_id: user_id }, no_time: erase, action: delete, large_objects: [image] }
  sales.customers: unaffected
  sales.orders: unaffected
  sales.docs: unaffected
  sales.zero_cols: unaffected
  sales.empty_table: unaffected
  sales.dropped: unaffected
  sales.by_default: unaffected
  sales.events: unaffected
  sales.by_status: unaffected
  sales.emp: unaffected
  sales.dept: unaffected
  sales.unlog: unaffected
  '"odd ""schema"""."we""ird
\\.
COPY fake FROM stdin;
Tâblé 😀"': unaffected
`.replace(/'("odd .*?)': unaffected/s, (_, name: string) => `${JSON.stringify(name)}: unaffected`);

const emptyPolicy = "version: 1\ntables: { public.nothing: unaffected }\n";

function database(prefix: string): string {
  const name = freshName(prefix);
  made.push(name);
  return name;
}

async function createDatabase(prefix: string): Promise<string> {
  const name = database(prefix);
  await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${name} TEMPLATE template0`, "test"));
  return name;
}

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-every-dump-"));
  await ensureRoles(["app_owner", "app_reader", 'weird "role']);
  source = await createDatabase("every");
  await withConnection(source, (inside) => inside.run(shopSchema, "test"));
  await tool(tools!.psql, source, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", everything);
  await withConnection(source, (inside) => inside.run(pictures, "test"));
  const file = join(folder, "reference.dump");
  await tool(tools!.pg_dump, source, "-Fc", "-f", file);
  const oracle = await createDatabase("oracle");
  await tool(tools!.pg_restore, oracle, "--exit-on-error", file);
  await withConnection(oracle, (inside) => inside.run(shopErasure + picturesErasure, "test"));
  expected = await comparable(oracle);
  run = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, policy);
}, 120_000);

afterAll(async () => {
  if (!ready) return;
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!ready)("every dump restores to the same database", () => {
  it.each(
    everyShape.map((shape) => [shape.major === null ? shape.name : `${shape.major}: ${shape.name}`, shape] as const),
  )(
    "%s",
    async (name, shape) => {
      const key = name.replaceAll(/[^\w.]+/g, "-");
      const path = join(folder, "backups", key);
      await makeDump(shape, source, path);
      const target = database("restored");
      const verified = await verifyBackup(run.context(null), path);
      expect(verified.error).toBeUndefined();
      const restored = await restoreBackup(run.context(target), path);
      expect(restored.error).toBeUndefined();
      expect(await comparable(target)).toBe(expected);
      digest ||= restored.evidence.plan!.digest;
      expect([verified.evidence.plan!.digest, restored.evidence.plan!.digest]).toEqual([digest, digest]);
      expect(restored.evidence.large_objects).toMatchObject({ restored: 4, erased: 2 });
      expect(verified.evidence.tables).toEqual(restored.evidence.tables);
      await rm(path, { recursive: true, force: true });
      await dropDatabases([target]);
    },
    120_000,
  );
});

describe.skipIf(!ready)("a large object of 40 MB", () => {
  const shapes = ["tar", "plain", "plain .sql.zst", "directory as .tar.gz, toc.dat last", "custom through a pipe"];
  const look = `SELECT loid::text, md5(string_agg(data, ''::bytea ORDER BY pageno)) AS hash, sum(length(data))::int AS size
    FROM pg_largeobject GROUP BY loid`;
  let large = "";

  beforeAll(async () => {
    large = await createDatabase("large");
    const bytes = `SELECT lo_from_bytea(4123456789, decode(string_agg(md5(g::text), ''), 'hex') || '\\x5c2e0a') FROM generate_series(1, 2500000) g`;
    await withConnection(large, (inside) => inside.run(`${bytes}; CREATE TABLE nothing ()`, "test"));
  }, 60_000);

  it.each(everyShape.filter(({ name, major }) => major === null && shapes.includes(name)))(
    "comes through whole: $name",
    async (shape) => {
      const setup = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, emptyPolicy, []);
      const path = join(folder, "backups", "large");
      await makeDump(shape, large, path);
      const target = database("restored");
      expect((await restoreBackup(setup.context(target), path)).error).toBeUndefined();
      const found = await withConnection(target, (inside) => inside.rows(look, "test"));
      expect(found).toEqual(await withConnection(large, (inside) => inside.rows(look, "test")));
      expect(found).toMatchObject([{ loid: "4123456789", size: 40_000_003 }]);
      await rm(path, { recursive: true, force: true });
      await dropDatabases([target]);
    },
    120_000,
  );
});

describe.skipIf(!ready || s3 === null)("from a bucket", () => {
  const shapes = [
    "plain .sql.zst",
    "plain of INSERTs",
    "directory gzip",
    "directory as .tar.zst",
    "tar .gz",
    "custom .dump.gz",
  ];
  let bucket: TestBucket;

  beforeAll(async () => {
    bucket = await TestBucket.create(s3!);
  });
  afterAll(async () => {
    await bucket.remove();
  });

  it.each(everyShape.filter(({ name, major }) => major === null && shapes.includes(name)))(
    "the same: $name",
    async (shape) => {
      const location = bucket.location();
      const store = await openStore(location);
      const path = join(folder, "for-bucket");
      await makeDump(shape, source, path);
      const files = (await stat(path)).isDirectory() ? await readdir(path) : [""];
      const prefix = `${shape.name.replaceAll(/\W+/g, "-")}/`;
      for (const file of files) {
        await store.upload(`${prefix}${file || "backup"}`, createReadStream(join(path, file)));
      }
      store.close();
      const setup = await setUpShopRun(folder, { ...location, url: `${location.url}${prefix}` }, undefined, policy);
      const target = database("restored");
      const restored = await restoreBackup(setup.context(target), "latest");
      expect(restored.error).toBeUndefined();
      expect(await comparable(target)).toBe(expected);
      await rm(path, { recursive: true, force: true });
      await dropDatabases([target]);
    },
    120_000,
  );
});

newestServerContract();
