/** Sanitised copies in a bucket that keeps versions: what goes along with a copy, and what replacing leaves. */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../../embedded/testing/servers.ts";
import { dropDatabases, serverUrl, tool, tools } from "../../postgres/testing/real-server.ts";
import type { ObjectStore } from "../../storage/contract.ts";
import { TestBucket } from "../../storage/testing/s3-bucket.ts";
import { listBackups } from "../list-backups.ts";
import { restoreBackup } from "../restore.ts";
import type { RunContext, RunEvent } from "../settings.ts";
import { emptyDatabase, makeShop, picturesPolicy } from "../testing/shop-backup.ts";
import { comparable, type ShopRun, setUpShopRun } from "../testing/shop-run.ts";
import { type ScrubOptions, scrubBackup } from "./scrub.ts";

const { s3 } = testServers();
const ready = serverUrl !== null && tools !== null && s3 !== null;
const run = promisify(execFile);
const made: string[] = [];
const signal = new AbortController().signal;
let folder = "";
let expected = "";
let setup: ShopRun;
let bucket: TestBucket;
let store: ObjectStore;

const asBackup: ScrubOptions = {
  out: null,
  replace: false,
  format: null,
  compression: null,
  recipients: [],
  passphraseFile: null,
  unencrypted: false,
};
const scrub = async (key: string, options: Partial<ScrubOptions>, more: Partial<RunContext> = {}) =>
  await scrubBackup(setup.context(null, more), key, { ...asBackup, ...options });
const urlOf = (key: string): string => `s3://${bucket.name}/some/prefix/${key}`;

async function put(key: string, file: string, more: Parameters<ObjectStore["upload"]>[2] = {}): Promise<void> {
  await store.upload(key, createReadStream(join(folder, file)), more);
}

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list()) found.push(key);
  return found;
}

/** The restored copy, compared with the oracle. */
async function checkRestores(key: string): Promise<void> {
  const target = await emptyDatabase("scrubbed", made);
  const result = await restoreBackup(setup.context(target), key);
  expect(result.error).toBeUndefined();
  expect(await comparable(target)).toBe(expected);
  expect(result.evidence.tables?.reduce((sum, table) => sum + table.rows_erased, 0)).toBe(0);
  await dropDatabases([target]);
}

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-scrub-s3-"));
  const { source, oracle } = await makeShop(folder, made);
  expected = await comparable(oracle);
  await tool(tools!.pg_dump, source, "-Fc", "-f", join(folder, "shop.dump"));
  await tool(tools!.pg_dump, source, "-Fc", "-Z0", "-f", join(folder, "large.dump"));
  bucket = await TestBucket.create(s3!, "versioned");
  store = await bucket.open();
  setup = await setUpShopRun(folder, bucket.location(), undefined, picturesPolicy);
}, 120_000);

afterAll(async () => {
  if (!ready) return;
  store.close();
  await bucket.remove();
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!ready)("a sanitised copy in S3", () => {
  it("carries the snapshot's time and the original's tags, and is what sanitize restores", async () => {
    const taken = new Date(Date.now() - 7_200_000).toISOString();
    await put("one.dump", "shop.dump", {
      tags: { keep: "5 days" },
      metadata: { "snapshot-at": taken, sha256: "of another" },
    });
    const { evidence, error } = await scrub("one.dump", { out: urlOf("clean/one.dump") });
    expect(error).toBeUndefined();
    expect(evidence.scrub).toMatchObject({ location: urlOf("clean/one.dump"), replaced: false });
    const head = await store.head("clean/one.dump");
    expect(head).toMatchObject({ version: evidence.scrub?.version, size: evidence.scrub?.size });
    expect(head?.metadata).toEqual({ "snapshot-at": taken, sanitized: evidence.run });
    expect(await store.tags("clean/one.dump")).toEqual({ keep: "5 days", sanitized: evidence.run });
    expect(await store.tags("one.dump")).toEqual({ keep: "5 days" });
    await checkRestores("clean/one.dump");
  });

  it("as a directory lies under a prefix, toc.dat last", async () => {
    await put("two.dump", "shop.dump");
    const { error, evidence } = await scrub("two.dump", { out: urlOf("clean/two"), format: "directory" });
    expect(error).toBeUndefined();
    expect(evidence.scrub).toMatchObject({ location: urlOf("clean/two/"), format: "directory" });
    expect(await keys()).toContain("clean/two/toc.dat");
    await checkRestores("clean/two/");
  });

  it("encrypted for a key is opened by the age command", async () => {
    const identity = join(folder, "identity");
    const opened = join(folder, "opened.dump");
    const age = await run("age-keygen", ["-o", identity]).catch(() => null);
    if (age === null && process.env.SANITIZE_REQUIRE_ALL === undefined) return;
    const recipient = (await run("age-keygen", ["-y", identity])).stdout.trim();
    await put("three.dump", "shop.dump");
    const { error, evidence } = await scrub("three.dump", { out: urlOf("three.age"), recipients: [recipient] });
    expect(error).toBeUndefined();
    expect(evidence.scrub).toMatchObject({ encrypted: true });
    await writeFile(join(folder, "three.age"), (await store.get("three.age"))!.bytes);
    await run("age", ["-d", "-i", identity, "-o", opened, join(folder, "three.age")]);
    const target = await emptyDatabase("opened", made);
    await tool(tools!.pg_restore, target, "--exit-on-error", "-j2", opened);
    expect(await comparable(target)).toBe(expected);
    // a copy of it in the clear is made only when asked for
    const { settings } = setup.context(null);
    const source = { ...settings.source, ageIdentityFile: identity };
    const more = { settings: { ...settings, source } };
    expect((await scrub("three.age", { out: urlOf("clear.dump") }, more)).error).toMatchObject({
      code: "unencrypted_copy",
    });
    expect((await scrub("three.age", { out: urlOf("clear.dump"), unencrypted: true }, more)).error).toBeUndefined();
    expect((await store.get("clear.dump"))!.bytes.equals(await readFile(opened))).toBe(true);
  });
});

describe.skipIf(!ready)("replacing in S3", () => {
  it("leaves one version of the key, and nothing beside it", async () => {
    await put("nightly.dump", "large.dump");
    await store.delete("nightly.dump");
    await put("nightly.dump", "shop.dump");
    await put("nightly.dump", "shop.dump", { tags: { class: "backup" } });
    expect(await store.versions("nightly.dump")).toHaveLength(4);
    const { error, evidence } = await scrub("nightly.dump", { replace: true });
    expect(error).toBeUndefined();
    expect(evidence.scrub).toMatchObject({ location: urlOf("nightly.dump"), replaced: true, versions_removed: 4 });
    const versions = await store.versions("nightly.dump");
    expect(versions).toMatchObject([{ version: evidence.scrub?.version, isLatest: true, isDeleteMarker: false }]);
    expect(await store.tags("nightly.dump")).toEqual({ class: "backup", sanitized: evidence.run });
    expect((await store.head("nightly.dump"))?.metadata["snapshot-at"]).toBe(evidence.backup?.snapshot_at);
    const beside = `nightly.dump.sanitize-${evidence.run}`;
    expect(await store.versions(beside)).toEqual([]);
    await checkRestores("nightly.dump");
    const again = await scrub("nightly.dump", { replace: true });
    expect(again.evidence.scrub).toMatchObject({ versions_removed: 1 });
    expect(again.evidence.backup?.snapshot_at).toBe(evidence.backup?.snapshot_at);
  });

  it("refuses when the original changes meanwhile, and leaves it", async () => {
    await put("moving.dump", "shop.dump");
    let changed = Promise.resolve();
    // long before the copy is in its place: what is read is the version that was opened
    const onEvent = (event: RunEvent): void => {
      if (event.type === "phase" && event.name === "finding what goes") changed = put("moving.dump", "large.dump");
    };
    const { error, evidence } = await scrub("moving.dump", { replace: true }, { onEvent });
    await changed;
    expect(error).toMatchObject({ code: "backup_changed", exitCode: 3 });
    expect(evidence.scrub).toBeUndefined();
    expect(await store.versions("moving.dump")).toHaveLength(2);
    expect((await keys()).filter((key) => key.startsWith("moving.dump"))).toEqual(["moving.dump"]);
  });

  it("leaves a newer version that comes after it", async () => {
    await put("late.dump", "shop.dump");
    const { evidence } = await scrub("late.dump", { replace: true });
    await put("late.dump", "large.dump");
    expect(await store.versions("late.dump")).toHaveLength(2);
    expect(evidence.scrub).toMatchObject({ versions_removed: 1 });
  });

  it("says so when retention keeps one of the original's versions, removes the others, and the copy stands", async () => {
    const locked = await TestBucket.create(s3!, "lockable");
    const inside = await locked.open();
    try {
      await inside.upload("kept.dump", createReadStream(join(folder, "large.dump")));
      const { version } = await inside.upload("kept.dump", createReadStream(join(folder, "large.dump")));
      await locked.retain("kept.dump", version, new Date(Date.now() + 3_600_000));
      await inside.upload("kept.dump", createReadStream(join(folder, "shop.dump")));
      const { settings } = setup.context(null);
      const more = { settings: { ...settings, source: { ...settings.source, location: locked.location() } } };
      const { error, evidence } = await scrub("kept.dump", { replace: true }, more);
      expect(error).toMatchObject({ code: "locked", exitCode: 8 });
      expect(evidence).toMatchObject({ outcome: "failed", scrub: { replaced: true, versions_removed: 2 } });
      expect(await inside.versions("kept.dump")).toMatchObject([{ version: evidence.scrub?.version }, { version }]);
    } finally {
      inside.close();
      await locked.remove();
    }
  });
});

describe.skipIf(!ready)("an interrupted run", () => {
  it.each(["writing copy", "reading copy back", "public.leads"])("leaves no object and no part (%s)", async (when) => {
    await put("stopped.dump", "large.dump");
    const abort = new AbortController();
    const onEvent = (event: RunEvent): void => {
      const at = event.type === "phase" ? event.name : event.type === "table" ? event.table : "";
      if (at === when) abort.abort();
    };
    const more = { onEvent, signal: abort.signal };
    expect((await scrub("stopped.dump", { replace: true }, more)).error).toMatchObject({ code: "interrupted" });
    expect((await scrub("stopped.dump", { out: urlOf("never.dump") }, more)).error).toMatchObject({
      code: "interrupted",
    });
    expect((await keys()).filter((key) => key.startsWith("stopped") || key.startsWith("never"))).toEqual([
      "stopped.dump",
    ]);
    expect(await bucket.unfinishedUploads()).toBe(0);
  });

  it("that was killed leaves a copy beside the original that no listing takes for a backup", async () => {
    const key = "stopped.dump.sanitize-20261124t031500_9f3a1c";
    await put(key, "shop.dump");
    expect((await listBackups(store, signal)).map((backup) => backup.key)).not.toContain(key);
  });
});
