import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { directoryBackupContract } from "./directory-backups.contract.ts";
import { findBackup } from "./find-backup.ts";
import { openBackup } from "./open-backup.ts";
import { openPlace } from "./open-place.ts";
import type { ReadingSettings, RunEvent, Settings } from "./settings.ts";

directoryBackupContract("a folder", async () => {
  const root = await mkdtemp(join(tmpdir(), "sanitize-backups-"));
  return { location: { url: root, baseDirectory: root }, remove: () => rm(root, { recursive: true }) };
});

describe("paths outside the source", () => {
  const signal = new AbortController().signal;
  let root: string;
  let settings: ReadingSettings;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "sanitize-paths-"));
    await mkdir(join(root, "source"));
    await mkdir(join(root, "elsewhere/dir"), { recursive: true });
    await writeFile(join(root, "elsewhere/dir/toc.dat"), "x");
    await writeFile(join(root, "elsewhere/file.dump"), "x");
    const source = { location: { url: join(root, "source"), baseDirectory: root }, region: null, timezone: null };
    settings = { source, limits: { maxBackupAge: 1, jobs: 1 } };
  });
  afterEach(() => rm(root, { recursive: true }));

  it("name a file or a directory, with or without a slash", async () => {
    const file = await findBackup(settings, join(root, "elsewhere/file.dump"), signal);
    expect([file.store.url, file.key, file.kind]).toEqual([join(root, "elsewhere/"), "file.dump", "object"]);
    for (const path of ["elsewhere/dir", "elsewhere/dir/"]) {
      const directory = await findBackup(settings, join(root, path), signal);
      expect([directory.store.url, directory.key, directory.kind]).toEqual([
        join(root, "elsewhere/dir/"),
        "",
        "directory",
      ]);
    }
  });

  it("are taken from the working directory where the source has no such key", async () => {
    const found = await findBackup(settings, "package.json", signal);
    expect([found.store.url, found.key]).toEqual([join(process.cwd(), "/"), "package.json"]);
    await cp(join(root, "elsewhere/file.dump"), join(root, "source/package.json"));
    expect((await findBackup(settings, "package.json", signal)).store.url).toBe(join(root, "source/"));
  });

  it("a source without a backup says so", async () => {
    await expect(findBackup(settings, "latest", signal)).rejects.toMatchObject({ code: "not_found", exitCode: 3 });
  });
});

describe("a directory through its gates", () => {
  const archives = fileURLToPath(new URL("../../fixtures/archives/", import.meta.url));
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sanitize-gates-"));
    await mkdir(join(root, "nightly"));
    const tar = join(archives, "pg15-dir.tar");
    await promisify(execFile)("tar", ["-xf", tar, "-C", join(root, "nightly"), "--strip-components=1"]);
  });
  afterAll(() => rm(root, { recursive: true }));

  it("is as old as its oldest file, and its evidence is of all its files", async () => {
    const settings = {
      source: { location: { url: root, baseDirectory: root }, region: null, timezone: "UTC" },
      limits: { maxBackupAge: 120 * 3_600_000, jobs: 1 },
    } as Settings;
    const signal = new AbortController().signal;
    const { archive } = await openPlace(await findBackup(settings, "nightly", signal), settings, signal);
    const { year, month, day, hour } = archive.header.createdAt!;
    const dumped = Date.UTC(year, month - 1, day, hour);
    const names = await readdir(join(root, "nightly"));
    for (const [n, name] of names.entries()) {
      const time = (dumped - (n === 1 ? 7_200_000 : 0)) / 1000;
      await utimes(join(root, "nightly", name), time, time);
    }
    let bytes = 0;
    const run = {
      settings,
      signal,
      now: () => new Date(dumped + 3_600_000),
      onEvent: (event: RunEvent) => {
        if (event.type === "progress") bytes += event.bytes;
      },
    };
    const backup = await openBackup(run, "latest");
    expect(backup.kind).toBe("directory");
    expect(bytes).toBeGreaterThan(0);
    expect(backup.evidence).toMatchObject({
      location: `${root}/nightly/`,
      version: expect.stringMatching(/^[0-9a-f]{64}$/),
      size: backup.object.size,
      snapshot_at: new Date(dumped - 7_200_000).toISOString(),
      snapshot_evidence: "last modified",
      age_seconds: 3 * 3600,
      format: "directory",
    });
    const late = { ...run, now: () => new Date(dumped - 7_200_000 + 121 * 3_600_000) };
    await expect(openBackup(late, "nightly/")).rejects.toMatchObject({ code: "backup_too_old", exitCode: 3 });
  });
});
