/**
 * Large objects and huge rows on a real server: dumped by pg_dump, restored here with an erasure, and asked for by SQL. What
 * goes is gone with its privileges and its comment; what stays is the same to the byte.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  dropDatabases,
  ensureRoles,
  freshName,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "../postgres/testing/real-server.ts";
import { planRestore, restoreBackup } from "./restore.ts";
import type { RunContext } from "./settings.ts";
import { setUpShopRun } from "./testing/shop-run.ts";
import { reportBackup, verifyBackup } from "./verify.ts";

const ready = serverUrl !== null && tools !== null;
const made: string[] = [];
let folder = "";
let context: (target: string | null) => RunContext;

/** Requests of the shop: accounts 901 and 7. */
const schema = `
CREATE EXTENSION lo;
CREATE TABLE people (id bigint PRIMARY KEY, picture oid, scan lo, avatar integer);
CREATE TABLE letters (id int PRIMARY KEY, person bigint NOT NULL REFERENCES people, file bigint);
CREATE TABLE news (id int PRIMARY KEY, image oid);
CREATE TABLE kept_invoices (id int PRIMARY KEY, person bigint, file oid);
SELECT lo_from_bytea(70001, ''), lo_from_bytea(70002, 'shared'), lo_from_bytea(70003, 'a letter'),
  lo_from_bytea(70004, 'a scan'), lo_from_bytea(70005, 'an invoice'), lo_from_bytea(70006, 'nobody''s'),
  lo_from_bytea(70007, 'of somebody who stays'), lo_from_bytea(4000000000, 'beyond'), lo_from_bytea(4000000001, 'beyond too'),
  lo_from_bytea(70008, (SELECT string_agg(sha256(g::text::bytea), '') FROM generate_series(1, 1310720) g));
COMMENT ON LARGE OBJECT 70001 IS 'a person''s empty one';
COMMENT ON LARGE OBJECT 70007 IS 'stays';
GRANT SELECT ON LARGE OBJECT 70001, 70007, 4000000000 TO app_reader;
ALTER LARGE OBJECT 70007 OWNER TO app_owner;
ALTER LARGE OBJECT 4000000000 OWNER TO app_owner;
INSERT INTO people VALUES (901, 70001, 70004, -294967296), (7, 70002, NULL, 0), (1, 70007, NULL, -294967295), (2, 70002, 70008, NULL);
INSERT INTO letters VALUES (1, 901, 70003), (2, 1, 70007), (3, 901, NULL);
INSERT INTO news VALUES (1, 70002), (2, NULL);
INSERT INTO kept_invoices VALUES (1, 901, 70005);
`;

const policy = `version: 1
tables:
  public.people: { match: { account_id: id }, no_time: erase, action: delete, large_objects: [picture, scan, avatar] }
  public.letters: { via: public.people, large_objects: [file] }
  public.news: unaffected
  public.kept_invoices: { match: { account_id: person }, action: retain, basis: "Art. 17(3)(b)" }
  public.huge: { match: { account_id: id, email: note }, no_time: erase, action: delete }
`;

const objects = `SELECT m.oid::text, pg_get_userbyid(lomowner) AS owner, lomacl::text AS acl, md5(lo_get(m.oid)) AS md5,
  obj_description(m.oid, 'pg_largeobject') AS comment FROM pg_largeobject_metadata m ORDER BY m.oid`;

interface ObjectRow {
  readonly oid: string;
  readonly comment: string | null;
}

function database(prefix: string): string {
  const name = freshName(prefix);
  made.push(name);
  return name;
}

async function sourceOf(sql: string): Promise<string> {
  const name = database("objects");
  await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${name} TEMPLATE template0`, "test"));
  await withConnection(name, (inside) => inside.run(sql, "test"));
  return name;
}

const listed = (name: string): Promise<ObjectRow[]> =>
  withConnection(name, (inside) =>
    inside.rows<ObjectRow & { acl: string; md5: string; owner: string }>(objects, "test"),
  );

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-objects-"));
  await mkdir(join(folder, "backups"));
  await ensureRoles(["app_owner", "app_reader"]);
  ({ context } = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, policy));
});

afterAll(async () => {
  if (!ready) return;
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!ready)("large objects", () => {
  it("go with the rows that go, their privileges and comments too; all others are the same", async () => {
    const source = await sourceOf(`${schema} CREATE TABLE huge (id bigint, content bytea, note text);`);
    const before = await listed(source);
    await tool(tools!.pg_dump, source, "-Fc", "-f", join(folder, "backups", "objects.dump"));
    const target = database("restored");
    const restored = await restoreBackup(context(target), "objects.dump");
    expect(restored.error).toBeUndefined();
    const gone = ["70001", "70003", "70004", "4000000000"];
    expect(await listed(target)).toEqual(before.filter(({ oid }) => !gone.includes(oid)));
    expect(before).toHaveLength(10);
    const left = await withConnection(target, (inside) =>
      inside.rows(
        "SELECT (SELECT count(*) FROM pg_description WHERE classoid = 'pg_largeobject'::regclass)::int AS comments, (SELECT count(DISTINCT loid) FROM pg_largeobject)::int AS stored",
        "test",
      ),
    );
    expect(left).toEqual([{ comments: 1, stored: 6 }]);
    expect(restored.evidence.large_objects).toEqual({ restored: 6, erased: 4, orphans: 1 });
    expect(restored.evidence.advice?.at(-1)).toContain("1 large objects come back that no row refers to");
    const counts = { erased: 4, orphans: 1 };
    expect((await planRestore(context(null), "objects.dump")).evidence.large_objects).toMatchObject(counts);
    expect((await reportBackup(context(null), "objects.dump")).evidence.large_objects).toMatchObject(counts);
    expect((await verifyBackup(context(null), "objects.dump")).evidence.large_objects).toMatchObject(counts);
  }, 120_000);
});

describe.skipIf(!ready)("a row with a bytea of 300 MB", () => {
  it("in a table with a rule is restored, the one beside it is not", async () => {
    const source = await sourceOf(`
      CREATE TABLE people (id bigint PRIMARY KEY, picture oid, scan oid, avatar integer);
      CREATE TABLE letters (id int PRIMARY KEY, person bigint NOT NULL REFERENCES people, file bigint);
      CREATE TABLE news (id int PRIMARY KEY, image oid);
      CREATE TABLE kept_invoices (id int PRIMARY KEY, person bigint, file oid);
      CREATE TABLE huge (id bigint, content bytea, note text);
      ALTER TABLE huge ALTER content SET STORAGE EXTERNAL;
      INSERT INTO huge VALUES (901, 'small', 'goes'), (1, decode(repeat('5a0b', 150 * 1024 * 1024), 'hex'), 'stays'),
        (2, '', repeat('y', 5000000));`);
    const digest = "SELECT id::text, length(content), md5(content), md5(note) AS note FROM huge ORDER BY id";
    const before = await withConnection(source, (inside) => inside.rows<{ id: string }>(digest, "test"));
    await tool(tools!.pg_dump, source, "-Fc", "-Z1", "-f", join(folder, "backups", "huge.dump"));
    await dropDatabases([source]);
    const target = database("restored");
    const { error, evidence } = await restoreBackup(context(target), "huge.dump");
    expect(error).toBeUndefined();
    // COPY text of 600 MB is held once; the rest is this process, its tests and its buffers
    expect(process.resourceUsage().maxRSS / 1024).toBeLessThan(1000);
    const after = await withConnection(target, (inside) => inside.rows<{ id: string }>(digest, "test"));
    expect(after).toEqual(before.filter(({ id }) => id !== "901"));
    expect(after).toMatchObject([{ length: 300 * 1024 * 1024 }, { id: "2" }]);
    expect(evidence.tables?.find(({ table }) => table === "public.huge")).toMatchObject({
      rows_kept: 2,
      rows_erased: 1,
    });
  }, 300_000);
});
