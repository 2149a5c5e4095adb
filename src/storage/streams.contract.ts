/** The part of the stores' contract that is about large objects: uploads and ranged reads. */

import { createHash, randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { Interrupted } from "../errors.ts";
import type { ObjectStore, UploadedObject } from "./contract.ts";
import { bytesOf, listed, once, pieces, readAll } from "./testing/bodies.ts";

/** Declares the suite. `opened` gives the store once the tests run. */
export function streamContract(opened: () => ObjectStore): void {
  describe("upload and ranged reads", () => {
    let store: ObjectStore;
    const content = randomBytes(20 * 1024 * 1024 + 12_345);
    let info: UploadedObject;
    beforeAll(async () => {
      store = opened();
      info = await store.upload("dump", pieces(content, 100_000), { metadata: { made: "now" } });
    });

    test("an upload tells what it made", async () => {
      const { sha256, ...known } = info;
      expect(info).toMatchObject({ key: "dump", size: content.length });
      expect(info.etag).not.toBe("");
      expect(await store.head("dump")).toEqual(known);
      expect(sha256).toBe(createHash("sha256").update(content).digest("hex"));
      expect(info.metadata).toEqual(store.kind === "s3" ? { made: "now" } : {});
    });

    test("the whole comes back in chunks of 256 KiB", async () => {
      const object = await store.open("dump");
      expect(object.size).toBe(content.length);
      const sizes: number[] = [];
      const hash = createHash("sha256");
      for await (const chunk of object.read(0)) {
        sizes.push(chunk.length);
        hash.update(chunk);
      }
      expect(hash.digest("hex")).toBe(createHash("sha256").update(content).digest("hex"));
      expect(new Set(sizes.slice(0, -1))).toEqual(new Set([262_144]));
    });

    test.each([
      [0, 1],
      [1, 2],
      [262_143, 262_145],
      [0, 262_144],
      [5_000_000, 6_000_001],
      [20 * 1024 * 1024 + 12_344, 20 * 1024 * 1024 + 12_345],
      [7, 7],
    ])("bytes %i to %i", async (start, end) => {
      const object = await store.open("dump");
      expect((await readAll(object.read(start, end))).equals(content.subarray(start, end))).toBe(true);
    });

    test.each([
      [-1, 5],
      [5, 4],
      [0, content.length + 1],
      [0.5, 2],
    ])("bytes %d to %d are refused", async (start, end) => {
      const object = await store.open("dump");
      await expect((async () => readAll(object.read(start, end)))()).rejects.toMatchObject({ code: "range_outside" });
    });

    test("many reads at once, most of them ended early", async () => {
      const object = await store.open("dump");
      const ends = Array.from({ length: 40 }, async (_, index) => {
        for await (const chunk of object.read(index * 1000)) {
          expect(chunk.equals(content.subarray(index * 1000, index * 1000 + chunk.length))).toBe(true);
          break;
        }
      });
      await Promise.all(ends);
      expect(await readAll(object.read(content.length - 5))).toHaveLength(5);
    });

    test("an aborted signal ends a read with Interrupted", async () => {
      const object = await store.open("dump");
      const abort = new AbortController();
      const reading = (async () => {
        for await (const _chunk of object.read(0, undefined, abort.signal)) {
          abort.abort();
        }
      })();
      await expect(reading).rejects.toThrow(Interrupted);
      await expect((async () => readAll(object.read(0, 5, abort.signal)))()).rejects.toThrow(Interrupted);
    });

    test("ifAbsent does not replace, neither small nor in parts", async () => {
      for (const again of [content.subarray(0, 10), content]) {
        const refused = store.upload("dump", pieces(again, 100_000), { ifAbsent: true });
        await expect(refused).rejects.toMatchObject({ code: "exists" });
      }
      expect((await store.head("dump"))?.etag).toBe(info.etag);
      expect((await store.upload("dump-new", once(bytesOf("new")), { ifAbsent: true })).size).toBe(3);
    });

    test("an upload replaces whole", async () => {
      const before = await store.upload("again", once(bytesOf("before")));
      const after = await store.upload("again", once(bytesOf("after!")));
      expect(after.etag).not.toBe(before.etag);
      expect((await store.get("again"))?.bytes.toString()).toBe("after!");
    });

    test("a failing body leaves nothing and surfaces as it is", async () => {
      for (const failAfter of [0, 1_000, 18_000_000]) {
        const failure = new Error("the source broke");
        const body = (async function* () {
          yield* pieces(content.subarray(0, failAfter), 100_000);
          throw failure;
        })();
        await expect(store.upload("broken", body)).rejects.toBe(failure);
      }
      expect(await store.head("broken")).toBeNull();
    });

    test("an abort breaks off a body that waits for ever, and leaves nothing", async () => {
      const abort = new AbortController();
      const body = (async function* () {
        yield* pieces(content.subarray(0, 18_000_000), 100_000);
        setImmediate(() => abort.abort());
        await new Promise(() => undefined);
      })();
      await expect(store.upload("aborted", body, { signal: abort.signal })).rejects.toThrow(Interrupted);
      expect(await store.head("aborted")).toBeNull();
      expect(await listed(store, "aborted")).toEqual([]);
    });

    test("an object that is gone cannot be read on", async () => {
      await store.upload("gone", once(bytesOf("content")));
      const object = await store.open("gone");
      await store.delete("gone", object.info.version);
      await expect((async () => readAll(object.read(0)))()).rejects.toMatchObject({ code: "object_changed" });
      expect(await store.head("gone")).toBeNull();
    });
  });
}
