/**
 * Every sample archive, of every version, compression and major, written anew in every form: what stock tools make of it is
 * what `sanitize restore` makes of the sample, row for row and statement for statement.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleBytes, sampleNames } from "../../archive/testing/sources.ts";
import { newerClients } from "../../postgres/testing/newer-clients.ts";
import { dropDatabases, dump, ensureRoles, serverUrl, tool, tools } from "../../postgres/testing/real-server.ts";
import { restoreBackup } from "../restore.ts";
import { emptyDatabase } from "../testing/shop-backup.ts";
import { type ShopRun, setUpShopRun } from "../testing/shop-run.ts";
import { scrubBackup } from "./scrub.ts";

const ready = serverUrl !== null && tools !== null;
const made: string[] = [];
let folder = "";
let setup: ShopRun;

const names = "customers orders docs zero_cols empty_table dropped by_default events by_status emp dept unlog";
const odd = JSON.stringify('"odd ""schema"""."we""ird\n\\.\nCOPY fake FROM stdin;\nTâblé 😀"');
const policy = `version: 1
tables:
${names
  .split(" ")
  .map((name) => `  sales.${name}: unaffected\n`)
  .join("")}  ${odd}: unaffected
`;

/** The sample as if it had been dumped yesterday: five days are the limit, whatever the day of the test. */
function fresh(name: string): Buffer {
  const bytes = sampleBytes(name);
  const time = 11 + (bytes[6]! >= 15 ? 1 : 5);
  const day = new Date(Date.now() - 86_400_000);
  bytes.writeUInt32LE(day.getUTCDate(), time + 16);
  bytes.writeUInt32LE(day.getUTCMonth(), time + 21);
  bytes.writeUInt32LE(day.getUTCFullYear() - 1900, time + 26);
  return bytes;
}

async function restored(restore: (database: string) => Promise<unknown>): Promise<string> {
  const target = await emptyDatabase("sample", made);
  await restore(target);
  const text = await dump(target);
  await dropDatabases([target]);
  return text;
}

async function bySanitize(backup: string, target: string): Promise<void> {
  expect((await restoreBackup(setup.context(target), backup)).error).toBeUndefined();
}

/** A script into a database, without what pg_dump 17 and later say that the server of 15 does not know. */
async function byPsql(script: string, target: string): Promise<void> {
  const known = (await readFile(script, "utf8"))
    .replaceAll(/^SET transaction_timeout = 0;$/gm, "")
    .replaceAll(/^(CREATE SUBSCRIPTION .*), run_as_owner = true/gm, "$1");
  await writeFile(`${script}.known`, known);
  await tool(tools!.psql, target, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", `${script}.known`);
}

/** By pg_restore of the server's major, or by the script that the oldest that knows the version makes. */
async function byPgRestore(backup: string, minor: number, target: string): Promise<void> {
  if (minor <= 14) {
    await tool(tools!.pg_restore, target, "--exit-on-error", "-j2", backup);
    return;
  }
  const newer = newerClients.find(({ major }) => major >= (minor === 15 ? 16 : 17));
  if (newer === undefined) return await bySanitize(backup, target);
  await promisify(execFile)(newer.pg_restore, ["-f", `${backup}.sql`, backup]);
  await byPsql(`${backup}.sql`, target);
}

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-scrub-samples-"));
  await ensureRoles(["app_owner", "app_reader", 'weird "role']);
  setup = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, policy, []);
});

afterAll(async () => {
  if (!ready) return;
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!ready).each(sampleNames)("%s", (name) => {
  let sample = "";
  let expected = "";
  let minor = 0;

  beforeAll(async () => {
    const bytes = fresh(name);
    minor = bytes[6]!;
    sample = join(folder, name);
    await writeFile(sample, bytes);
    expected = await restored((target) => bySanitize(sample, target));
    expect(expected).toContain("COPY sales.customers");
  }, 60_000);

  it.each(["custom", "plain", "directory"] as const)("as %s", async (format) => {
    const out = join(folder, `${name}-${format}`);
    const options = { out, replace: false, recipients: [], passphraseFile: null, unencrypted: false };
    const result = await scrubBackup(setup.context(null), sample, { ...options, format, compression: null });
    expect(result.error).toBeUndefined();
    expect(result.evidence.large_objects).toMatchObject({ restored: 4, erased: 0 });
    expect(result.evidence.tables?.reduce((sum, table) => sum + table.rows_kept, 0)).toBe(34);
    const text = await restored(async (target) => {
      if (format !== "plain") await byPgRestore(out, minor, target);
      else if (result.evidence.scrub?.compression === "none") await byPsql(out, target);
      else await bySanitize(out, target);
    });
    expect(text).toBe(expected);
    if (format === "directory") expect(await readdir(out)).toContain("toc.dat");
  });
});
