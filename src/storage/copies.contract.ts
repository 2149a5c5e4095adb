/** The part of the stores' contract that is about copies, versions and tags. */

import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { BackupRefused, Interrupted, SourceFailed } from "../errors.ts";
import type { ObjectStore } from "./contract.ts";
import { bytesOf, listed, once, pieces, readAll } from "./testing/bodies.ts";

/** Declares the suite. `opened` gives the store once the tests run. */
export function copyContract(opened: () => ObjectStore): void {
  describe("copy", () => {
    let store: ObjectStore;
    const content = randomBytes(6_000_000);
    beforeAll(async () => {
      store = opened();
      await store.upload("copy/a +é%", pieces(content, 100_000), { metadata: { made: "first" }, tags: { of: "a" } });
    });
    const original = async () => (await store.open("copy/a +é%")).info;

    test("onto nothing, with metadata and tags of its own", async () => {
      const copied = await store.copy(await original(), "copy/new", {
        ifMatch: null,
        metadata: { made: "by copy" },
        tags: { "with space": "é=&+" },
      });
      expect(copied).toMatchObject({ key: "copy/new", size: content.length });
      expect(copied).toEqual(await store.head("copy/new"));
      expect((await store.get("copy/new"))?.bytes.equals(content)).toBe(true);
      expect((await store.head("copy/new"))?.metadata).toEqual(store.kind === "s3" ? { made: "by copy" } : {});
      expect(await store.tags("copy/new")).toEqual(store.kind === "s3" ? { "with space": "é=&+" } : {});
    });

    test("over what is there, only if it is what was seen", async () => {
      const seen = await store.upload("copy/over", once(bytesOf("old")));
      expect(await store.copy(await original(), "copy/over", { ifMatch: null })).toBe("changed");
      const other = await store.upload("copy/over", once(bytesOf("newer")));
      expect(await store.copy(await original(), "copy/over", { ifMatch: seen.etag })).toBe("changed");
      expect((await store.get("copy/over"))?.bytes.toString()).toBe("newer");
      expect(await store.copy(await original(), "copy/over", { ifMatch: other.etag })).toMatchObject({
        size: content.length,
      });
      expect((await store.get("copy/over"))?.bytes.equals(content)).toBe(true);
      expect(await store.copy(await original(), "copy/none", { ifMatch: other.etag })).toBe("changed");
      expect(await store.head("copy/none")).toBeNull();
    });

    test("an original that was replaced or is gone is refused, and leaves nothing", async () => {
      const seen = await store.upload("copy/changing", once(bytesOf("1")));
      await store.delete("copy/changing", seen.version);
      const refused = () => store.copy(seen, "copy/of-changing", { ifMatch: null });
      await expect(refused()).rejects.toMatchObject({ code: "object_changed" });
      await store.upload("copy/changing", once(bytesOf("2")));
      await expect(refused()).rejects.toThrow(SourceFailed);
      expect(await listed(store, "copy/of-changing")).toEqual([]);
    });

    test("an empty object, and an aborted signal", async () => {
      await store.createIfAbsent("copy/empty", new Uint8Array());
      const { info } = await store.open("copy/empty");
      expect(await store.copy(info, "copy/empty-2", { ifMatch: null })).toMatchObject({ size: 0 });
      const aborted = store.copy(info, "copy/empty-3", { ifMatch: null, signal: AbortSignal.abort() });
      await expect(aborted).rejects.toThrow(Interrupted);
      expect(await store.head("copy/empty-3")).toBeNull();
    });

    test("tags come with an upload, small, in parts, and behind a late head", async () => {
      const tags = { sanitized: "run 1", "k/+": "é" };
      const head = { length: 4, bytes: () => Buffer.from("head") };
      const large = randomBytes(17_000_000);
      await store.upload("tagged/small", once(bytesOf("x")), { tags });
      await store.upload("tagged/parts", pieces(large, 1_000_000), { tags });
      await store.upload("tagged/head", once(bytesOf("x")), { tags, head });
      await store.upload("tagged/head-parts", pieces(large, 1_000_000), { tags, head });
      for (const key of ["tagged/small", "tagged/parts", "tagged/head", "tagged/head-parts"]) {
        expect(await store.tags(key)).toEqual(store.kind === "s3" ? tags : {});
        expect(await store.tags(key, (await store.head(key))?.version)).toEqual(store.kind === "s3" ? tags : {});
      }
      expect(await store.tags("copy/empty")).toEqual({});
      await expect(store.tags("tagged/none")).rejects.toThrow(BackupRefused);
    });

    test("the versions of a key are told newest first, and go one by one", async () => {
      expect(await store.versions("version")).toEqual([]);
      await store.upload("version", once(bytesOf("1")));
      await store.upload("versioned", once(bytesOf("a neighbour")));
      await store.upload("version-2", once(bytesOf("another")));
      const second = await store.upload("version", once(bytesOf("22")));
      const [latest, ...older] = await store.versions("version");
      expect(latest).toMatchObject({ version: second.version, etag: second.etag, size: 2, isLatest: true });
      expect(older.map(({ size, isLatest }) => [size, isLatest])).toEqual(second.version === null ? [] : [[1, false]]);
      for (const { version } of await store.versions("version")) {
        await store.delete("version", version);
      }
      expect(await store.versions("version")).toEqual([]);
      expect((await readAll((await store.open("versioned")).read(0))).toString()).toBe("a neighbour");
    });
  });
}
