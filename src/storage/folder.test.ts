import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, rmdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFolder } from "./folder.ts";
import { diskFailure } from "./folder-errors.ts";
import { openStore } from "./open-store.ts";
import { storeContract } from "./store.contract.ts";
import { bytesOf, listed, once, readAll } from "./testing/bodies.ts";

storeContract(
  "folder",
  async () => {
    const parent = await mkdtemp(join(tmpdir(), "sanitize-folder-"));
    const location = { url: "not/there/yet", baseDirectory: parent };
    return {
      store: await openStore(location),
      other: await openStore({ ...location, url: `file://${parent}/not/there/yet/` }),
      region: null,
      remove: () => rm(parent, { recursive: true }),
    };
  },
  300,
);

describe("files", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "sanitize-files-"));
  });
  afterEach(() => rm(root, { recursive: true }));

  test("directories are made 0700, files 0600, and nothing else is left", async () => {
    const store = openFolder(join(root, "deep/store"));
    await store.createIfAbsent("a/b", bytesOf("1"));
    await store.replaceIf("a/b", bytesOf("2"), (await store.head("a/b"))?.etag ?? "");
    await store.upload("a/c", once(bytesOf("3")));
    await store.delete("a/c");
    expect((await stat(join(root, "deep"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "deep/store/a"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "deep/store/a/b"))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(root, "deep/store"), { recursive: true })).toEqual(["a", "a/b"]);
  });

  test("links inside are followed, links outside are refused and not listed", async () => {
    const store = openFolder(join(root, "store"));
    await store.createIfAbsent("real", bytesOf("inside"));
    await mkdir(join(root, "store/dir"));
    await writeFile(join(root, "secret"), "outside");
    await symlink("real", join(root, "store/latest"));
    await symlink("../secret", join(root, "store/out"));
    await symlink("nowhere", join(root, "store/dangling"));
    await symlink("loop", join(root, "store/loop"));
    await symlink("..", join(root, "store/dir/up"));
    await symlink(root, join(root, "store/away"));
    expect((await listed(store)).map(({ key }) => key)).toEqual(["latest", "real"]);
    expect((await store.get("latest"))?.bytes.toString()).toBe("inside");
    const outside = { code: "outside_store" };
    await expect(store.get("out")).rejects.toMatchObject(outside);
    await expect(store.open("out")).rejects.toMatchObject(outside);
    await expect(store.head("away/secret")).rejects.toMatchObject(outside);
    await expect(store.createIfAbsent("away/new", bytesOf("x"))).rejects.toMatchObject(outside);
    await expect(store.upload("away/new", once(bytesOf("x")))).rejects.toMatchObject(outside);
    await expect(store.delete("away/secret")).rejects.toMatchObject(outside);
    expect(await readdir(root)).toEqual(["secret", "store"]);
    expect(await store.head("dangling")).toBeNull();
  });

  test("what is no regular file is no object", async () => {
    const store = openFolder(root);
    await mkdir(join(root, "dir"));
    await expect(store.open("dir")).rejects.toMatchObject({ code: "not_a_file" });
    expect(await listed(store)).toEqual([]);
    await writeFile(join(root, "file"), "x");
    await expect(listed(openFolder(join(root, "file")))).rejects.toMatchObject({ code: "not_a_folder", exitCode: 2 });
    await expect(store.createIfAbsent("file/below", bytesOf("x"))).rejects.toMatchObject({ code: "not_a_folder" });
  });

  test("leftovers of a crash are not listed", async () => {
    await writeFile(join(root, ".sanitize-tmp-1"), "half");
    await mkdir(join(root, ".sanitize-lock-1"));
    await writeFile(join(root, ".hidden"), "an object");
    expect((await listed(openFolder(root))).map(({ key }) => key)).toEqual([".hidden"]);
  });

  test("a file rewritten in place while it is read is noticed", async () => {
    const store = openFolder(root);
    await store.upload("dump", once(Buffer.alloc(1_000_000, 1)));
    const object = await store.open("dump");
    const reading = (async () => {
      for await (const _chunk of object.read(0)) {
        await writeFile(join(root, "dump"), Buffer.alloc(1_000_000, 2));
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "object_changed" });
  });

  test("a file cut short while it is read is noticed", async () => {
    const store = openFolder(root);
    await store.upload("dump", once(Buffer.alloc(1_000_000, 1)));
    const object = await store.open("dump");
    const reading = (async () => {
      for await (const _chunk of object.read(0)) {
        await writeFile(join(root, "dump"), "short");
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "object_changed" });
  });

  test("a file replaced while it is read is read on as it was; the next read refuses", async () => {
    const store = openFolder(root);
    await store.upload("dump", once(Buffer.alloc(1_000_000, 1)));
    const object = await store.open("dump");
    let replaced = false;
    for await (const chunk of object.read(0)) {
      expect(chunk.every((byte) => byte === 1)).toBe(true);
      if (!replaced) {
        await store.upload("dump", once(Buffer.alloc(1_000_000, 2)));
        replaced = true;
      }
    }
    await expect(readAll(object.read(0))).rejects.toMatchObject({ code: "object_changed" });
  });

  test("a replacement has a later time than what it replaces, even one from the future", async () => {
    const store = openFolder(root);
    await store.createIfAbsent("head", bytesOf("1"));
    const future = 4_000_000_000;
    await utimes(join(root, "head"), future, future);
    const seen = await store.get("head");
    expect(await store.replaceIf("head", bytesOf("2"), seen?.etag ?? "")).toBe("replaced");
    expect((await store.head("head"))?.lastModified.getTime()).toBeGreaterThan(future * 1000);
  });

  test("a lock whose owner died is taken over, and by several at once", async () => {
    const store = openFolder(root);
    await store.createIfAbsent("head", bytesOf("1"));
    const lock = lockOfHead(root);
    await mkdir(lock);
    await utimes(lock, 1000, 1000);
    const etag = (await store.head("head"))?.etag ?? "";
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => openFolder(root).replaceIf("head", bytesOf("2"), etag)),
    );
    expect(outcomes.filter((outcome) => outcome === "replaced")).toHaveLength(1);
    expect(await readdir(root)).toEqual(["head"]);
  });

  test("a lock that another holds is waited for", async () => {
    const store = openFolder(root);
    await store.createIfAbsent("head", bytesOf("1"));
    const lock = lockOfHead(root);
    await mkdir(lock);
    let done = false;
    const replacing = store.replaceIf("head", bytesOf("2"), (await store.head("head"))?.etag ?? "").finally(() => {
      done = true;
    });
    for (let looks = 0; looks < 20; looks++) {
      expect((await store.get("head"))?.bytes.toString()).toBe("1");
    }
    expect(done).toBe(false);
    await rmdir(lock);
    expect(await replacing).toBe("replaced");
  });

  test.each([
    ["EACCES", "access_denied", 8],
    ["ENOSPC", "disk_full", 8],
    ["EROFS", "read_only", 8],
    ["EIO", "disk_failed", 8],
    ["ENOTDIR", "not_a_folder", 2],
  ])("%s is told as %s", (errno, code, exitCode) => {
    const error = Object.assign(new Error(`${errno}: open '/x'`), { errno: -1, code: errno });
    expect(diskFailure(error, "writing", "/x")).toMatchObject({ code, exitCode });
  });
});

/** Where the store keeps the lock of the key `head`. */
function lockOfHead(root: string): string {
  return join(root, `.sanitize-lock-${createHash("sha256").update("head").digest("hex").slice(0, 32)}`);
}
