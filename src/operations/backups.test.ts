import { copyFile, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeBackups } from "./backups.ts";
import { findBackup } from "./find-backup.ts";
import { openPlace } from "./open-place.ts";
import type { RunContext } from "./settings.ts";

const corpus = fileURLToPath(new URL("../../fixtures/corpus/", import.meta.url));
/** When the corpus was made, on a machine whose clock was UTC, and a little later. */
const now = new Date("2026-11-24T12:00:00Z");
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-backups-test-"));
  const names = (await readdir(corpus)).filter((name) => !/\.(json|md)$/.test(name));
  for (const name of names) await copyFile(join(corpus, name), join(folder, name));
  await writeFile(join(folder, "broken.dump"), "no backup at all");
  const key = JSON.parse(await readFile(join(corpus, "keys.json"), "utf8")) as {
    identities: string[];
  };
  await writeFile(join(folder, "identity.txt"), `${key.identities[0]}\n`, { mode: 0o600 });
  for (const name of await readdir(folder)) await utimes(join(folder, name), now, new Date(now.getTime() - 60_000));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function context(): RunContext {
  return {
    settings: {
      source: {
        location: { url: folder, baseDirectory: folder },
        region: null,
        timezone: "UTC",
        ageIdentityFile: join(folder, "identity.txt"),
      },
      target: null,
      ledger: { location: { url: folder, baseDirectory: folder }, keyFile: "", maxStaleness: 1 },
      policyFile: "",
      limits: { maxBackupAge: 120 * 3_600_000, jobs: 1 },
      evidence: null,
    },
    signal: new AbortController().signal,
    now: () => now,
    onEvent: () => undefined,
  };
}

it("lists backups of every format with what lies around them, and one that is none", async () => {
  const described = await describeBackups(context());
  const lines = described.map(({ key, format, database, verdict }) => [key, format, database, verdict]);
  expect(lines.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))).toEqual([
    ["broken.dump", null, null, "unreadable"],
    ["cluster.sql", "plain", null, "restorable"],
    ["custom-gzip.dump", "custom 1.14 gzip", "fmt", "restorable"],
    ["custom-gzip.dump.age", "custom 1.14 gzip inside age", "fmt", "restorable"],
    ["custom-inserts.dump", "custom 1.14 none", "fmt", "restorable"],
    ["custom-lz4-pipe.dump", "custom 1.16 lz4", "fmt", "restorable"],
    ["custom-none.dump", "custom 1.14 none", "fmt", "restorable"],
    ["custom-none.dump.lz4", "custom 1.14 none inside lz4", "fmt", "restorable"],
    ["custom-zstd.dump", "custom 1.16 zstd", "fmt", "restorable"],
    ["directory.tar", "directory 1.14 gzip inside tar", "fmt", "restorable"],
    ["directory.tar.gz", "directory 1.14 gzip inside gzip, tar", "fmt", "restorable"],
    ["inserts.sql", "plain", null, "restorable"],
    ["plain.sql", "plain", null, "restorable"],
    ["plain.sql.zst", "plain inside zstd", null, "restorable"],
    ["tar.tar", "tar 1.14 none", "fmt", "restorable"],
  ]);
});

it("says of an old one that it is too old, whatever its format", async () => {
  const later = { ...context(), now: () => new Date(now.getTime() + 6 * 86_400_000) };
  const verdicts = new Set((await describeBackups(later)).map(({ verdict }) => verdict));
  expect(verdicts).toEqual(new Set(["too old", "unreadable"]));
});

it("means the youngest snapshot by latest, not the youngest file", async () => {
  const { signal } = new AbortController();
  const place = await mkdtemp(join(tmpdir(), "sanitize-latest-test-"));
  const { settings } = context();
  const source = { ...settings.source, location: { url: place, baseDirectory: place } };
  const latest = async (): Promise<string> => {
    const found = await findBackup({ ...settings, source }, "latest", signal, { now: () => now });
    found.store.close();
    return found.key;
  };
  const at = async (name: string, minutes: number): Promise<void> => {
    const time = new Date(now.getTime() + minutes * 60_000);
    await utimes(join(place, name), time, time);
  };
  // of 11:13, and a sanitised copy of a backup of 2026-11-23, made later
  await copyFile(join(corpus, "custom-gzip.dump"), join(place, "today.dump"));
  await copyFile(join(corpus, "../archives/pg15-gzip.dump"), join(place, "copy-of-yesterday.dump"));
  await at("today.dump", -40);
  await at("copy-of-yesterday.dump", -5);
  expect(await latest()).toBe("today.dump");
  // one that cannot be read and is newer than all others is not passed over
  await writeFile(join(place, "broken.dump"), "no backup at all");
  await at("broken.dump", -1);
  expect(await latest()).toBe("broken.dump");
  await at("broken.dump", -600);
  expect(await latest()).toBe("today.dump");
  await rm(place, { recursive: true });
});

it("refuses a backup of another database than the one that is asked for, where it says which", async () => {
  const { signal } = new AbortController();
  const { settings } = context();
  const open = async (backup: string, database: string) => {
    const wanted = { ...settings, source: { ...settings.source, database } };
    const place = await findBackup(wanted, backup, signal, { now: () => now });
    try {
      return await openPlace(place, wanted, signal);
    } finally {
      place.store.close();
    }
  };
  expect((await open("custom-gzip.dump", "fmt")).archive.header.database).toBe("fmt");
  expect((await open("cluster.sql", "fmt")).archive.header.database).toBe("fmt");
  await expect(open("custom-gzip.dump", "other")).rejects.toMatchObject({ code: "wrong_database", exitCode: 3 });
  await expect(open("cluster.sql", "other")).rejects.toMatchObject({ exitCode: 3 });
});
