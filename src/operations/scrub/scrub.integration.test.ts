/**
 * Sanitised copies on real servers: stock pg_restore and psql read them and come to what pg_restore of the backup and SQL by
 * hand come to; whatever stops a run, nothing is left.
 */
import { execFile } from "node:child_process";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { zstdImplementation } from "../../archive/compression/zstd.ts";
import { dropDatabases, serverUrl, tool, tools } from "../../postgres/testing/real-server.ts";
import { restoreBackup } from "../restore.ts";
import type { RunContext, RunEvent } from "../settings.ts";
import { canaries } from "../testing/shop.ts";
import { emptyDatabase, makeShop, picturesPolicy } from "../testing/shop-backup.ts";
import { comparable, type ShopRun, setUpShopRun } from "../testing/shop-run.ts";
import { planScrub, type ScrubOptions, scrubBackup } from "./scrub.ts";

const run = promisify(execFile);
const ready = serverUrl !== null && tools !== null;
const native = zstdImplementation() === "native";
const made: string[] = [];
let folder = "";
let expected = "";
let setup: ShopRun;

const asBackup: ScrubOptions = {
  out: null,
  replace: false,
  format: null,
  compression: null,
  recipients: [],
  passphraseFile: null,
  unencrypted: false,
};
const at = (name: string): string => join(folder, "out", name);

/** A file's bytes as text, without the one row of an erased address that was registered again later. */
const bytesOf = async (path: string): Promise<string> =>
  (await readFile(path)).toString("latin1").replaceAll(/^9002\t.*$/gm, "");

async function restored(restore: (database: string) => Promise<unknown>): Promise<string> {
  const target = await emptyDatabase("scrubbed", made);
  await restore(target);
  const text = await comparable(target);
  await dropDatabases([target]);
  return text;
}

/** Scrubs a backup of the folder; fails the test when that fails. */
async function scrubbed(backup: string, options: Partial<ScrubOptions>, more: Partial<RunContext> = {}) {
  const result = await scrubBackup(setup.context(null, more), backup, { ...asBackup, ...options });
  expect(result.error).toBeUndefined();
  expect(result.evidence.outcome).toBe("scrubbed");
  return result.evidence;
}

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-scrub-test-"));
  const { source, oracle } = await makeShop(folder, made);
  expected = await comparable(oracle);
  setup = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, picturesPolicy);
  await run("mkdir", ["-p", join(folder, "backups"), join(folder, "out")]);
  const dumps: readonly (readonly [string, readonly string[]])[] = [
    ["gzip.dump", []],
    ["Z0.dump", ["-Z0"]],
  ];
  for (const [name, options] of dumps) {
    await tool(tools!.pg_dump, source, "-Fc", ...options, "-f", join(folder, "backups", name));
  }
}, 120_000);

afterAll(async () => {
  if (!ready) return;
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!ready)("a sanitised copy", () => {
  it.each(["gzip.dump", "Z0.dump"])("of %s is what pg_restore restores, also with two jobs", async (name) => {
    const evidence = await scrubbed(name, { out: at(name) });
    expect(evidence.scrub).toMatchObject({
      location: `${join(folder, "out")}/${name}`,
      format: "custom",
      replaced: false,
    });
    expect(evidence.scrub?.size).toBe((await stat(at(name))).size);
    expect(evidence.large_objects).toMatchObject({ restored: 2, erased: 2 });
    expect(evidence.tables?.find(({ table }) => table === "public.users")).toMatchObject({
      rows_read: 2000,
      rows_erased: 3,
    });
    for (const jobs of ["1", "2"]) {
      const how = (target: string) => tool(tools!.pg_restore, target, "--exit-on-error", "-j", jobs, at(name));
      expect(await restored(how)).toBe(expected);
    }
  });

  it("keeps all entries but those that go, to the byte, and offsets for every block", async () => {
    await scrubbed("gzip.dump", { out: at("listed.dump") });
    const list = async (path: string) =>
      (await run(tools!.pg_restore, ["-l", path])).stdout.split("\n").filter((line) => !line.startsWith(";"));
    const [ours, theirs] = [await list(at("listed.dump")), await list(join(folder, "backups", "gzip.dump"))];
    const gone = theirs
      .filter((line) => !ours.includes(line))
      .map((line) => line.replace(/^\d+; \d+ \d+ (.*) \S+$/, "$1"));
    expect(gone.toSorted()).toEqual([
      "BLOB - 4000000000",
      "BLOB - 700001",
      "COMMENT - LARGE OBJECT 700001",
      "TABLE DATA public sessions",
    ]);
    expect(ours.every((line) => theirs.includes(line))).toBe(true);
  });

  it("holds nothing of the erased, in its own bytes", async () => {
    await scrubbed("Z0.dump", { out: at("clear.dump") });
    const clear = await bytesOf(at("clear.dump"));
    expect(await bytesOf(join(folder, "backups", "Z0.dump"))).toMatch(/canary/i);
    for (const canary of canaries) expect(clear).not.toMatch(canary);
  });

  it.each([
    ["none", (bytes: Buffer) => bytes],
    ["gzip", (bytes: Buffer) => gunzipSync(bytes)],
  ] as const)("as a script, %s, is what psql restores", async (by, unpack) => {
    const path = at(`script-${by}.sql`);
    const evidence = await scrubbed("gzip.dump", { out: path, format: "plain", compression: { by, level: null } });
    expect(evidence.scrub).toMatchObject({
      format: "plain",
      compression: by,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const script = at(`unpacked-${by}.sql`);
    await writeFile(script, unpack(await readFile(path)));
    const text = await bytesOf(script);
    expect(text).toMatch(/^-- Started on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/m);
    expect(text).not.toMatch(/^\\(?:un)?restrict/m);
    for (const canary of canaries) expect(text).not.toMatch(canary);
    const how = (target: string) => tool(tools!.psql, target, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script);
    expect(await restored(how)).toBe(expected);
  });

  it.each(["custom none", "custom gzip", "custom lz4", "custom zstd", "plain none", "plain lz4", "plain zstd"])(
    "%s, restored by sanitize, loses nothing more",
    async (form) => {
      const [format, by] = form.split(" ") as ["custom" | "plain", "none" | "gzip" | "lz4" | "zstd"];
      if (by === "zstd" && !native) return;
      const path = at(`again-${format}-${by}`);
      await scrubbed("gzip.dump", { out: path, format, compression: { by, level: null } });
      const target = await emptyDatabase("again", made);
      const result = await restoreBackup(setup.context(target), path);
      expect(result.error).toBeUndefined();
      expect(await comparable(target)).toBe(expected);
      expect(result.evidence.tables?.reduce((sum, table) => sum + table.rows_erased, 0)).toBe(0);
      expect(result.evidence.large_objects).toMatchObject({ restored: 2, erased: 0 });
      await dropDatabases([target]);
    },
  );

  it("of a copy is the same again, and no younger", async () => {
    const first = await scrubbed("gzip.dump", { out: at("once.dump") });
    const second = await scrubbed(at("once.dump"), { out: at("twice.dump") });
    expect(await readFile(at("twice.dump"))).toEqual(await readFile(at("once.dump")));
    expect(second.backup?.snapshot_at).toBe(first.backup?.snapshot_at);
    expect(second.tables?.reduce((sum, table) => sum + table.rows_erased + table.rows_anonymised, 0)).toBe(0);
  });

  it("replaces its original in a folder", async () => {
    const key = "replaced.dump";
    const path = join(folder, "backups", key);
    await run("cp", [join(folder, "backups", "gzip.dump"), path]);
    const evidence = await scrubbed(key, { replace: true });
    expect(evidence.scrub).toMatchObject({ location: path, replaced: true, versions_removed: 0 });
    expect(await restored((target) => tool(tools!.pg_restore, target, "--exit-on-error", path))).toBe(expected);
    expect((await readdir(join(folder, "backups"))).filter((name) => name.startsWith(key))).toEqual([key]);
    await rm(path);
  });
});

describe.skipIf(!ready)("a run that may not go on leaves no copy", () => {
  const refused = async (options: Partial<ScrubOptions>, more: Partial<RunContext>, code: string, exitCode: number) => {
    const before = await readdir(join(folder, "out"));
    const result = await scrubBackup(setup.context(null, more), "gzip.dump", { ...asBackup, ...options });
    expect(result.error).toMatchObject({ code, exitCode });
    expect(await readdir(join(folder, "out"))).toEqual(before);
    expect(result.evidence.scrub).toBeUndefined();
    return result;
  };

  it.each([
    ["without a place", {}, "usage"],
    ["with two places", { out: "/tmp/x", replace: true }, "usage"],
    ["in lz4 of a level", { compression: { by: "lz4", level: 3 } }, "compression_level"],
    ["encrypted as a directory", { format: "directory", recipients: ["age1x"] }, "encrypted_directory"],
    ["encrypted for nobody known", { recipients: ["age1x"] }, "bad_age_recipient"],
  ] as const)("%s", async (_what, options, code) => {
    const out = code === "usage" ? {} : { out: at("never") };
    await refused({ ...out, ...options } as Partial<ScrubOptions>, {}, code, 2);
  });

  it("when something is there already, which stays", async () => {
    await writeFile(at("mine"), "mine");
    await refused({ out: at("mine") }, {}, "exists", 8);
    expect(await readFile(at("mine"), "utf8")).toBe("mine");
  });

  it("when one database is to take the place of a whole cluster's script, which stays", async () => {
    const script = join(folder, "backups", "cluster.sql");
    const cluster = readFileSync(new URL("../../../fixtures/corpus/cluster.sql", import.meta.url));
    writeFileSync(script, cluster);
    const policy = "version: 1\ntables: { public.a: unaffected }\n";
    const other = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, policy, []);
    const { error } = await scrubBackup(other.context(null), script, { ...asBackup, replace: true });
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringMatching(/whole cluster/) as string });
    expect(readFileSync(script).equals(cluster)).toBe(true);
    const copied = await scrubBackup(other.context(null), script, { ...asBackup, out: at("one.sql") });
    expect(copied.error).toBeUndefined();
    expect(readFileSync(at("one.sql"), "utf8")).not.toMatch(/SCRAM|CREATE ROLE/);
    rmSync(script);
  });

  it("when the backup is too old", async () => {
    const { settings } = setup.context(null);
    const strict = { ...settings, limits: { ...settings.limits, maxBackupAge: 1 } };
    await refused({ out: at("old") }, { settings: strict }, "backup_too_old", 3);
  });

  it.each(["finding what goes", "writing copy", "reading copy back"])("when interrupted while %s", async (phase) => {
    const abort = new AbortController();
    const onEvent = (event: RunEvent): void => {
      if (event.type === "phase" && event.name === phase) abort.abort();
    };
    await refused({ out: at("never") }, { onEvent, signal: abort.signal }, "interrupted", 130);
  });

  it("when interrupted in the middle of its rows", async () => {
    const abort = new AbortController();
    const onEvent = (event: RunEvent): void => {
      if (event.type === "table" && event.table === "public.leads") abort.abort();
    };
    await refused({ out: at("never") }, { onEvent, signal: abort.signal }, "interrupted", 130);
  });

  /** Does something to the copy between its writing and its reading back. */
  const meanwhile = (damage: (path: string) => void): Partial<RunContext> => {
    const onEvent = (event: RunEvent): void => {
      if (event.type === "phase" && event.name === "reading copy back") damage(at("damaged"));
    };
    return { onEvent };
  };

  it("when a byte of a table changed on the way", async () => {
    const flip = (path: string): void => {
      const bytes = readFileSync(path);
      bytes[bytes.indexOf("provider 7\n")] = 0x58;
      writeFileSync(path, bytes);
    };
    await refusedAfter(flip, "copy_differs", 10);
  });

  it("when a row of an erased person is in it after all", async () => {
    const swap = (path: string): void => {
      const bytes = readFileSync(path);
      // two accounts of the same length: the one that stays becomes one that goes
      bytes.write("\n901\t", bytes.indexOf("\n902\tuser902@"), "latin1");
      writeFileSync(path, bytes);
    };
    await refusedAfter(swap, "survivor", 10);
  });

  it("when something was appended on the way", async () => {
    await refusedAfter((path) => appendFileSync(path, "x"), "appended", 7);
  });

  async function refusedAfter(damage: (path: string) => void, code: string, exitCode: number): Promise<void> {
    const options = { ...asBackup, out: at("damaged") };
    const result = await scrubBackup(setup.context(null, meanwhile(damage)), "Z0.dump", options);
    expect(result.error).toMatchObject({ code, exitCode });
    expect(await readdir(join(folder, "out"))).not.toContain("damaged");
  }
});

describe.skipIf(!ready)("the dry run", () => {
  it("reads and judges, and writes nothing", async () => {
    const before = await readdir(join(folder, "backups"));
    const result = await planScrub(setup.context(null), "gzip.dump");
    expect(result.evidence).toMatchObject({ outcome: "planned", command: "scrub --dry-run" });
    expect(await readdir(join(folder, "backups"))).toEqual(before);
  });
});
