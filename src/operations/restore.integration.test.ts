/**
 * The main job on real servers: a pg_dump archive from a folder and from S3, restored with erasures at three foreign key
 * levels, against the same archive restored by pg_restore and cleaned by SQL written by hand.
 */
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { verifyEvidence } from "../evidence/signature.ts";
import { appendErase } from "../ledger/erase.ts";
import { initLedger } from "../ledger/init.ts";
import { loadKeyFile } from "../ledger/key-file.ts";
import {
  databaseNames,
  dropDatabases,
  dump,
  freshName,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "../postgres/testing/real-server.ts";
import { openStore, type StoreLocation } from "../storage/open-store.ts";
import { describeBackups } from "./backups.ts";
import { planRestore, restoreBackup } from "./restore.ts";
import type { RunContext, RunEvent } from "./settings.ts";
import { canaries, shopErasure, shopPolicy, shopSchema } from "./testing/shop.ts";
import { comparable, type ShopRun, setUpShopRun } from "./testing/shop-run.ts";
import { reportBackup, verifyBackup } from "./verify.ts";

const { s3 } = testServers();
const ready = serverUrl !== null && tools !== null;
const made: string[] = [];
let folder = "";
let expected = "";

function database(prefix: string): string {
  const name = freshName(prefix);
  made.push(name);
  return name;
}

const setUp = async (source: StoreLocation, ledger?: StoreLocation, policy?: string): Promise<ShopRun> =>
  await setUpShopRun(folder, source, ledger, policy);

const backups = (): StoreLocation => ({ url: "backups", baseDirectory: folder });

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-restore-test-"));
  const source = database("shop");
  await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${source} TEMPLATE template0`, "test"));
  await withConnection(source, (inside) => inside.run(shopSchema, "test"));
  const store = await openStore(backups());
  for (const [name, options] of [
    ["shop.dump", []],
    ["shop-Z0.dump", ["-Z0"]],
  ] as const) {
    const file = join(folder, name);
    await tool(tools!.pg_dump, source, "-Fc", ...options, "-f", file);
    await store.upload(name, createReadStream(file));
  }
  const oracle = database("oracle");
  await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${oracle} TEMPLATE template0`, "test"));
  await tool(tools!.pg_restore, oracle, join(folder, "shop.dump"));
  await withConnection(oracle, (inside) => inside.run(shopErasure, "test"));
  expected = await comparable(oracle);
}, 120_000);

afterAll(async () => {
  if (!ready) return;
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!ready)("restore", () => {
  it.each(["shop.dump", "shop-Z0.dump"])(
    "of %s from a folder is what pg_restore and SQL by hand come to",
    async (name) => {
      const { context, place, events } = await setUp(backups());
      const target = database("restored");
      const planned = await planRestore(context(null), name);
      const result = await restoreBackup(context(target), name);
      expect(result.error).toBeUndefined();
      expect(await comparable(target)).toBe(expected);
      const { evidence } = result;
      expect(evidence).toMatchObject({
        outcome: "restored",
        verification: { survivors: 0, constraints_not_valid: 0 },
        target: { database: target },
      });
      expect(planned.evidence).toMatchObject({
        outcome: "planned",
        plan: evidence.plan!,
        requests: evidence.requests!,
      });
      for (const table of evidence.tables!) {
        expect(table.rows_read).toBe(table.rows_kept + table.rows_anonymised + table.rows_erased);
      }
      expect(planned.evidence.tables).toEqual(evidence.tables);
      expect(evidence.requests!.map((request) => request.rows_erased > 0)).toEqual([true, true, true, false]);
      const written = JSON.parse(await readFile(join(place, "evidence", `${evidence.run}.json`), "utf8")) as unknown;
      const signature = JSON.parse(
        await readFile(join(place, "evidence", `${evidence.run}.json.sig`), "utf8"),
      ) as Parameters<typeof verifyEvidence>[1];
      verifyEvidence(written, signature);
      expect(() => verifyEvidence({ ...(written as object), outcome: "failed" }, signature)).toThrow(
        /not the one that was signed/,
      );
      for (const canary of canaries) expect(JSON.stringify([written, planned.evidence, events])).not.toMatch(canary);
    },
  );

  it("of a piped dump, which records no positions, comes to the same", async () => {
    const { context, place } = await setUp({ url: "piped", baseDirectory: folder });
    const store = await openStore({ url: "piped", baseDirectory: folder });
    const whole = await readFile(join(folder, "shop.dump"));
    const { openArchive } = await import("../archive/open-archive.ts");
    const { writeCustomArchive } = await import("../archive/custom/custom-writer.ts");
    async function* slice(start: number, end: number): AsyncGenerator<Buffer> {
      yield whole.subarray(start, end);
    }
    const archive = await openArchive({ size: whole.length, read: (start, end = whole.length) => slice(start, end) });
    // the same entries and data, streamed, as pg_dump does when it cannot seek
    const entries = archive.toc.map((entry) => ({
      ...entry,
      ...(entry.desc === "TABLE DATA" && entry.hasData ? { data: () => archive.tableData(entry) } : {}),
      ...(entry.desc === "BLOBS" ? { largeObjects: () => archive.largeObjects(entry) } : {}),
    }));
    await store.upload(
      "piped.dump",
      writeCustomArchive({ ...archive.header, createdAt: archive.header.createdAt!, compression: "gzip", entries }),
    );
    const target = database("restored");
    const result = await restoreBackup(context(target), "latest");
    expect(result.error).toBeUndefined();
    expect(await comparable(target)).toBe(expected);
    expect(place).not.toBe("");
  });

  it("without requests changes nothing at all", async () => {
    const { context, place } = await setUp(backups());
    await rm(join(place, "ledger"), { recursive: true });
    await rm(join(place, "ledger.key"));
    const store = await openStore({ url: "ledger", baseDirectory: place });
    await initLedger(store, join(place, "ledger.key"), { now: new Date() });
    const [target, plain] = [database("restored"), database("plain")];
    await writeFile(join(place, "policy.yaml"), shopPolicy.replace("sessions: skip_data", "sessions: unaffected"));
    expect((await restoreBackup(context(target), "shop.dump")).error).toBeUndefined();
    await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${plain} TEMPLATE template0`, "test"));
    await tool(tools!.pg_restore, plain, join(folder, "shop.dump"));
    expect(await dump(target)).toBe(await dump(plain));
  });

  it("verify and report read all of it and need no database", async () => {
    const { context } = await setUp(backups());
    const verified = await verifyBackup(context(null), "shop.dump");
    expect(verified.error).toBeUndefined();
    expect(verified.evidence).toMatchObject({ outcome: "verified", large_objects: { restored: 2 } });
    const reported = await reportBackup(context(null), "shop.dump");
    expect(reported.evidence.plan).toEqual(verified.evidence.plan);
    expect((await describeBackups(context(null))).map(({ verdict }) => verdict)).toEqual(["restorable", "restorable"]);
  });
});

describe.skipIf(!ready)("a run that may not go on", () => {
  async function refused(
    setup: ShopRun,
    more: Partial<RunContext>,
    code: string,
    exitCode: number,
    target = database("never"),
  ): Promise<void> {
    const { evidence, error } = await restoreBackup(setup.context(target, more), "shop.dump");
    expect(error).toMatchObject({ code, exitCode });
    expect(evidence).toMatchObject({ error: { code } });
    for (const canary of canaries) expect(JSON.stringify([evidence, String(error)])).not.toMatch(canary);
    expect((await databaseNames(target)).filter((name) => name !== target)).toEqual([]);
  }

  it("is refused when the backup is a second too old, and not a second earlier", async () => {
    const setup = await setUp(backups());
    const store = await openStore(backups());
    const { archive } = await (await import("./open-backup.ts")).openBackup(setup.context(null), "shop.dump");
    const { earliestInstant } = await import("../erasure/zoned-time.ts");
    const snapshot = earliestInstant(archive.header.createdAt!, "UTC");
    store.close();
    const at = (millis: number) => ({ now: () => new Date(snapshot + 120 * 3_600_000 + millis) });
    const settings = setup.context("x").settings;
    const patient = { ...settings, ledger: { ...settings.ledger, maxStaleness: 200 * 3_600_000 } };
    expect(
      (await reportBackup(setup.context(null, { ...at(0), settings: patient }), "shop.dump")).error,
    ).toBeUndefined();
    const { error } = await restoreBackup(
      setup.context("x", {
        ...at(1000),
        settings: { ...patient, target: setup.context(database("never")).settings.target },
      }),
      "shop.dump",
    );
    expect(error).toMatchObject({ code: "backup_too_old", exitCode: 3 });
  });

  it("is refused when the limit passes while it loads, and leaves nothing", async () => {
    const setup = await setUp(backups());
    const target = database("never");
    const settings = { ...setup.context(target).settings, limits: { maxBackupAge: 3_600_000, jobs: 2 } };
    let loading = false;
    const now = (): Date => new Date(Date.now() + (loading ? 4_000_000 : 0));
    const onEvent = (event: RunEvent): void => {
      if (event.type === "phase" && event.name === "loading rows") loading = true;
    };
    const patient = { ...settings, ledger: { ...settings.ledger, maxStaleness: 5_000_000 } };
    await refused(setup, { settings: patient, now, onEvent }, "backup_too_old", 3, target);
    expect(await databaseNames(target)).toEqual([]);
  });

  it("is refused when the ledger has been silent too long", async () => {
    const setup = await setUp(backups());
    await refused(setup, { now: () => new Date(Date.now() + 901_000) }, "ledger_stale", 4);
  });

  it("is refused when a table or column is unknown to the policy", async () => {
    const unknown = await setUp(backups(), undefined, shopPolicy.replace(/^ {2}public\.empty_one.*\n/m, ""));
    await refused(unknown, {}, "policy_coverage", 5);
    const dangling = await setUp(
      backups(),
      undefined,
      shopPolicy.replace("public.lead_notes: { via: public.leads }", "public.lead_notes: unaffected"),
    );
    await refused(dangling, {}, "policy_coverage", 5);
  });

  it("is refused when the target is not empty, and the target is left as it was", async () => {
    const target = database("taken");
    await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${target}`, "test"));
    await withConnection(target, (inside) =>
      inside.run("CREATE TABLE precious (a int); INSERT INTO precious VALUES (1)", "test"),
    );
    await refused(await setUp(backups()), {}, "target_not_empty", 6, target);
    const rows = await withConnection(target, (inside) => inside.rows<{ a: number }>("SELECT a FROM precious", "test"));
    expect(rows).toEqual([{ a: 1 }]);
  });

  it("is refused when a scope takes effect while it loads", async () => {
    const setup = await setUp(
      backups(),
      undefined,
      shopPolicy.replace(
        "email: email }, scope: identity, created_at: created_at, action: delete }\n  public.lead_notes",
        "email: email }, scope: provider_contact, created_at: created_at, action: delete, pending: { set: { user_id: null } } }\n  public.lead_notes",
      ),
    );
    const store = await openStore(setup.ledger);
    const requestedAt = new Date(Date.now() - 30 * 86_400_000 + 600_000).toISOString();
    await appendErase(
      store,
      await loadKeyFile(join(setup.place, "ledger.key")),
      { keys: { account_id: ["77"] }, requested_at: requestedAt },
      new Date(),
    );
    const target = database("never");
    let loading = false;
    const onEvent = (event: RunEvent): void => {
      if (event.type === "phase" && event.name === "loading rows") loading = true;
    };
    const now = (): Date => new Date(Date.now() + (loading ? 800_000 : 0));
    await refused(setup, { onEvent, now }, "ledger_moved", 4, target);
    expect(await databaseNames(target)).toEqual([]);
  });

  it("is refused when a request arrives while it loads", async () => {
    const setup = await setUp(backups());
    const target = database("never");
    let recorded: Promise<unknown> | undefined;
    const onEvent = (event: RunEvent): void => {
      if (event.type !== "phase" || event.name !== "loading rows") return;
      recorded = (async () => {
        const store = await openStore(setup.ledger);
        await appendErase(
          store,
          await loadKeyFile(join(setup.place, "ledger.key")),
          { keys: { account_id: ["55"] } },
          new Date(),
        );
      })();
    };
    await refused(setup, { onEvent }, "ledger_moved", 4, target);
    await recorded;
    expect(await databaseNames(target)).toEqual([]);
  });

  it.each([
    "finding what goes",
    "making schema",
    "loading rows",
    "building indexes and constraints",
    "granting privileges",
    "verifying target",
    "go-live",
  ])("leaves nothing when it is interrupted while %s", async (phase) => {
    const setup = await setUp(backups());
    const target = database("never");
    const abort = new AbortController();
    const onEvent = (event: RunEvent): void => {
      if (event.type === "phase" && event.name === phase) abort.abort();
    };
    await refused(setup, { onEvent, signal: abort.signal }, "interrupted", 130, target);
    expect(await databaseNames(target)).toEqual([]);
  });
});

describe.skipIf(!ready || s3 === null)("restore from S3", () => {
  let bucket = "";
  const location = (path: string): StoreLocation => ({
    url: `s3://${bucket}/${path}`,
    baseDirectory: folder,
    endpoint: s3!.endpointTls,
    region: s3!.region,
    pathStyle: true,
    checksums: "when_required",
    caFile: s3!.caFile,
    credentials: { accessKeyId: s3!.accessKeyId, secretAccessKey: s3!.secretAccessKey },
  });

  beforeAll(async () => {
    bucket = freshName("shop").replaceAll("_", "-");
    const { S3Client, CreateBucketCommand } = await import("@aws-sdk/client-s3");
    const client = new S3Client({
      endpoint: s3!.endpoint,
      region: s3!.region,
      forcePathStyle: true,
      credentials: { accessKeyId: s3!.accessKeyId, secretAccessKey: s3!.secretAccessKey },
    });
    await client.send(
      new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } }),
    );
    client.destroy();
    const store = await openStore(location("nightly/"));
    await store.upload("shop.dump", createReadStream(join(folder, "shop.dump")));
    store.close();
  });

  afterAll(async () => {
    const store = await openStore(location(""));
    for await (const object of store.list()) await store.delete(object.key);
    store.close();
    const { S3Client, DeleteBucketCommand } = await import("@aws-sdk/client-s3");
    const client = new S3Client({
      endpoint: s3!.endpoint,
      region: s3!.region,
      forcePathStyle: true,
      credentials: { accessKeyId: s3!.accessKeyId, secretAccessKey: s3!.secretAccessKey },
    });
    await client.send(new DeleteBucketCommand({ Bucket: bucket }));
    client.destroy();
  });

  it("latest, over TLS, with the ledger in S3 too, comes to the same", async () => {
    const { context } = await setUp(location("nightly/"), location("ledger/"));
    const target = database("restored");
    const result = await restoreBackup(context(target), "latest");
    expect(result.error).toBeUndefined();
    expect(await comparable(target)).toBe(expected);
    expect(result.evidence.backup).toMatchObject({ region: "eu-west-1", location: `s3://${bucket}/nightly/shop.dump` });
  });

  it("is refused when the bucket is in another region than the configuration says", async () => {
    const { context } = await setUp({ ...location("nightly/") }, location("ledger-2/"));
    const run = context(database("never"));
    const settings = { ...run.settings, source: { ...run.settings.source, region: "eu-central-1" } };
    expect((await restoreBackup({ ...run, settings }, "latest")).error).toMatchObject({
      code: "source_region",
      exitCode: 3,
    });
  });
});
