/** Backups that are directories, as every store holds them (`directory-backups.test.ts` and its integration test). */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BackupRefused } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { openStore, type StoreLocation } from "../storage/open-store.ts";
import { listed, once } from "../storage/testing/bodies.ts";
import { directoryFiles } from "./directory-files.ts";
import { findBackup } from "./find-backup.ts";
import { type BackupPlace, listBackups } from "./list-backups.ts";
import { openPlace } from "./open-place.ts";
import type { Settings, SourceSettings } from "./settings.ts";

const archives = fileURLToPath(new URL("../../fixtures/archives/", import.meta.url));
const signal = new AbortController().signal;

export interface PlaceUnderTest {
  readonly location: StoreLocation;
  remove(): Promise<void>;
}

/** Declares the suite. `make` gives an empty place. */
export function directoryBackupContract(name: string, make: () => Promise<PlaceUnderTest>): void {
  describe(`directories in ${name}`, () => {
    let place: PlaceUnderTest;
    let store: ObjectStore;
    let unpacked: string;
    let files: string[];
    const put = async (key: string, bytes: Buffer) => await store.upload(key, once(bytes));
    const putDirectory = async (prefix: string) => {
      for (const file of files) await put(prefix + file, await readFile(join(unpacked, file)));
    };
    const source = (url?: string): SourceSettings => ({
      location: url === undefined ? place.location : { ...place.location, url },
      region: null,
      timezone: "UTC",
    });
    const find = async (backup: string): Promise<[string, string]> => {
      const found = await findBackup({ source: source(), limits: { maxBackupAge: 1, jobs: 1 } }, backup, signal);
      found.store.close();
      return [found.key, found.kind];
    };
    const open = async (at: BackupPlace) =>
      await openPlace(at, { source: source(), limits: { maxBackupAge: 1, jobs: 1 } } as Settings, signal);

    beforeAll(async () => {
      place = await make();
      store = await openStore(place.location);
      unpacked = await mkdtemp(join(tmpdir(), "sanitize-directory-"));
      await promisify(execFile)("tar", ["-xf", join(archives, "pg15-dir.tar"), "-C", unpacked, "--strip-components=1"]);
      files = (await readdir(unpacked)).sort();
      expect(files).toContain("toc.dat");
      await put("nightly/single.dump", await readFile(join(archives, "pg15-gzip.dump")));
      await putDirectory("nightly/dir/");
      await put("nightly/dir/toc.dat.sig", Buffer.from("a signature"));
      await put("nightly/dir/manifest.json", Buffer.from("{}"));
      await put("nightly/dir/below/single.dump", await readFile(join(archives, "pg15-gzip.dump")));
    });
    afterAll(async () => {
      store.close();
      await rm(unpacked, { recursive: true });
      await place.remove();
    });

    it("are listed as one backup each, with the size of their files", async () => {
      const found = await listBackups(store, signal);
      expect(new Map(found.map(({ key, kind }) => [key, kind]))).toEqual(
        new Map([
          ["nightly/dir/", "directory"],
          ["nightly/dir/below/single.dump", "object"],
          ["nightly/single.dump", "object"],
        ]),
      );
      const sizes = await Promise.all(files.map(async (file) => (await readFile(join(unpacked, file))).length));
      const directory = found.find(({ kind }) => kind === "directory");
      expect(directory?.size).toBe(sizes.reduce((sum, size) => sum + size, 0));
      expect(directory?.lastModified).toEqual((await listed(store, "nightly/dir/toc.dat"))[0]?.lastModified);
    });

    it("are found by their key, with or without the slash, and files by theirs", async () => {
      expect(await find("nightly/dir")).toEqual(["nightly/dir/", "directory"]);
      expect(await find("nightly/dir/")).toEqual(["nightly/dir/", "directory"]);
      expect(await find("nightly/single.dump")).toEqual(["nightly/single.dump", "object"]);
      expect(await find(".")).toEqual(["", "directory"]);
    });

    it("the newest is the one whose toc.dat is", async () => {
      await put("later/toc.dat", await readFile(join(unpacked, "toc.dat")));
      await new Promise((resolve) => setTimeout(resolve, 1100)); // S3 tells whole seconds
      await put("nightly/dir/toc.dat", await readFile(join(unpacked, "toc.dat")));
      expect(await find("latest")).toEqual(["nightly/dir/", "directory"]);
      await store.delete("later/toc.dat");
    });

    it("are read as archives, and hold what the same dump in one file holds", async () => {
      const directory = await open({ store, key: "nightly/dir/", kind: "directory" });
      const single = await open({ store, key: "nightly/single.dump", kind: "object" });
      expect(directory.archive.header.format).toBe("directory");
      expect(directory.object.info).toMatchObject({ key: "nightly/dir/", version: null });
      expect(directory.object.labelled.key).toBe("nightly/dir/toc.dat");
      const tables = (archive: typeof single.archive) =>
        archive.toc.filter(({ desc }) => desc === "TABLE DATA").map(({ tag }) => tag);
      expect(tables(directory.archive)).toEqual(tables(single.archive));
      let bytes = 0;
      await directory.archive.walk({
        tableData: async (_entry, data) => {
          for await (const piece of data) bytes += piece.length;
        },
      });
      expect(bytes).toBeGreaterThan(0);
    });

    it("are as old as their oldest file, and another version when any file is another one", async () => {
      const before = await directoryFiles(store, "nightly/dir/", signal);
      const times = (await listed(store, "nightly/dir/"))
        .filter(({ key }) => files.includes(key.slice("nightly/dir/".length)))
        .map(({ lastModified }) => lastModified.getTime());
      expect(times).toHaveLength(files.length);
      expect(before.info.lastModified.getTime()).toBe(Math.min(...times));
      expect((await directoryFiles(store, "nightly/dir/", signal)).info.etag).toBe(before.info.etag);
      const [data] = files.filter((file) => /^\d+\.dat/.test(file));
      await put(`nightly/dir/${data}`, Buffer.from("something else"));
      expect((await directoryFiles(store, "nightly/dir/", signal)).info.etag).not.toBe(before.info.etag);
      // what was listed before it was replaced is not read as if nothing had happened
      await expect(before.files.open(data!)).rejects.toMatchObject({ code: "object_changed", exitCode: 8 });
      await put(`nightly/dir/${data}`, await readFile(join(unpacked, data!)));
    });

    it("without toc.dat are no backup", async () => {
      const refused = open({ store, key: "nightly/", kind: "directory" });
      await expect(refused).rejects.toThrow(BackupRefused);
      await expect(refused).rejects.toMatchObject({ code: "not_found" });
    });

    it("a compressed toc.dat is one, and so may be the source itself", async () => {
      const root = await openStore({ ...place.location, url: `${place.location.url.replace(/\/$/, "")}/nightly/dir` });
      expect((await listBackups(root, signal)).map(({ key, kind }) => [key, kind])).toEqual([
        ["", "directory"],
        ["below/single.dump", "object"],
      ]);
      expect((await open({ store: root, key: "", kind: "directory" })).archive.header.format).toBe("directory");
      root.close();
      await put("packed/toc.dat.gz", Buffer.from("of no concern here"));
      await put("packed/1.dat.gz", Buffer.from("of no concern here"));
      expect(await find("packed")).toEqual(["packed/", "directory"]);
      await store.delete("packed/toc.dat.gz");
      await store.delete("packed/1.dat.gz");
    });
  });
}
