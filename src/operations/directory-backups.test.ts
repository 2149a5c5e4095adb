import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryBackupContract } from "./directory-backups.contract.ts";
import { findBackup } from "./find-backup.ts";
import type { SourceSettings } from "./settings.ts";

directoryBackupContract("a folder", async () => {
  const root = await mkdtemp(join(tmpdir(), "sanitize-backups-"));
  return { location: { url: root, baseDirectory: root }, remove: () => rm(root, { recursive: true }) };
});

describe("paths outside the source", () => {
  const signal = new AbortController().signal;
  let root: string;
  let source: SourceSettings;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "sanitize-paths-"));
    await mkdir(join(root, "source"));
    await mkdir(join(root, "elsewhere/dir"), { recursive: true });
    await writeFile(join(root, "elsewhere/dir/toc.dat"), "x");
    await writeFile(join(root, "elsewhere/file.dump"), "x");
    source = { location: { url: join(root, "source"), baseDirectory: root }, region: null, timezone: null };
  });
  afterEach(() => rm(root, { recursive: true }));

  it("name a file or a directory, with or without a slash", async () => {
    const file = await findBackup(source, join(root, "elsewhere/file.dump"), signal);
    expect([file.store.url, file.key, file.kind]).toEqual([join(root, "elsewhere/"), "file.dump", "object"]);
    for (const path of ["elsewhere/dir", "elsewhere/dir/"]) {
      const directory = await findBackup(source, join(root, path), signal);
      expect([directory.store.url, directory.key, directory.kind]).toEqual([
        join(root, "elsewhere/dir/"),
        "",
        "directory",
      ]);
    }
  });

  it("are taken from the working directory where the source has no such key", async () => {
    const found = await findBackup(source, "package.json", signal);
    expect([found.store.url, found.key]).toEqual([join(process.cwd(), "/"), "package.json"]);
    await cp(join(root, "elsewhere/file.dump"), join(root, "source/package.json"));
    expect((await findBackup(source, "package.json", signal)).store.url).toBe(join(root, "source/"));
  });

  it("a source without a backup says so", async () => {
    await expect(findBackup(source, "latest", signal)).rejects.toMatchObject({ code: "not_found", exitCode: 3 });
  });
});
