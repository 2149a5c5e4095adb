/** What every store must do, run against each of them (`folder.test.ts`, `s3.integration.test.ts`). */

import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BackupRefused, Interrupted, SourceFailed, UsageError } from "../errors.ts";
import type { ObjectStore } from "./contract.ts";
import { copyContract } from "./copies.contract.ts";
import { lateHeadContract } from "./late-head.contract.ts";
import { streamContract } from "./streams.contract.ts";
import { bytesOf, listed, once, readAll } from "./testing/bodies.ts";

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** The same root, opened a second time, as another process would. */
  readonly other: ObjectStore;
  readonly region: string | null;
  remove(): Promise<void>;
}

const nothing = { size: 0, lastModified: new Date(0), etag: "", version: null, metadata: {} };
const ODD_KEYS = ["a b", "a+b", "a%2Bb", "é", "e\u0301", "日本/語", "😀", "\uffee", 'quo"te&<>', "-", "z".repeat(200)];

/** Declares the suite. `open` makes an empty store; `many` is how many objects make several pages of a listing. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>, many: number): void {
  describe(name, () => {
    let under: StoreUnderTest;
    let store: ObjectStore;
    beforeAll(async () => {
      under = await open();
      store = under.store;
    });
    afterAll(() => under?.remove());

    test("an empty store lists nothing and knows its region", async () => {
      expect(await listed(store)).toEqual([]);
      expect(await store.region()).toBe(under.region);
      expect(store.url).toMatch(/\/$/);
    });

    describe("missing objects", () => {
      test("head and get say null, open refuses", async () => {
        expect(await store.head("no/such")).toBeNull();
        expect(await store.get("no/such")).toBeNull();
        await expect(store.open("no/such")).rejects.toThrow(BackupRefused);
        await expect(store.open("no/such")).rejects.toMatchObject({ code: "not_found" });
      });

      test("removing what is not there is no error", async () => {
        await store.delete("no/such");
      });

      test.each(["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0b", ".sanitize-tmp-x", "d/.sanitize-lock-x"])(
        "the key %j is refused everywhere",
        async (key) => {
          for (const call of [
            () => store.head(key),
            () => store.open(key),
            () => store.get(key),
            () => store.createIfAbsent(key, bytesOf("x")),
            () => store.replaceIf(key, bytesOf("x"), null),
            () => store.upload(key, once(bytesOf("x"))),
            () => store.delete(key),
            () => store.versions(key),
            () => store.tags(key),
            () => store.copy({ ...nothing, key: "no/such" }, key, { ifMatch: null }),
          ]) {
            await expect(call()).rejects.toThrow(UsageError);
          }
        },
      );
    });

    describe("createIfAbsent", () => {
      test("creates once, never replaces", async () => {
        expect(await store.createIfAbsent("once", bytesOf("first"))).toBe("created");
        expect(await store.createIfAbsent("once", bytesOf("second"))).toBe("exists");
        expect((await store.get("once"))?.bytes.toString()).toBe("first");
      });

      test("of a hundred at once exactly one wins, and its bytes are there", async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 100 }, (_, writer) =>
            (writer % 2 === 0 ? store : under.other).createIfAbsent("race/create", bytesOf(`writer ${writer}`)),
          ),
        );
        expect(outcomes.filter((outcome) => outcome === "created")).toHaveLength(1);
        const winner = outcomes.indexOf("created");
        expect((await store.get("race/create"))?.bytes.toString()).toBe(`writer ${winner}`);
      });

      test("odd keys come back as they were given", async () => {
        for (const key of ODD_KEYS) {
          expect(await store.createIfAbsent(`odd/${key}`, bytesOf(key))).toBe("created");
        }
        for (const key of ODD_KEYS) {
          expect((await store.get(`odd/${key}`))?.bytes.toString()).toBe(key);
          expect((await store.head(`odd/${key}`))?.size).toBe(Buffer.byteLength(key));
        }
        const found = await listed(store, "odd/");
        expect(found.map(({ key }) => key)).toEqual(inByteOrder(ODD_KEYS.map((key) => `odd/${key}`)));
      });
    });

    describe("replaceIf", () => {
      test("null creates only", async () => {
        expect(await store.replaceIf("head-1", bytesOf("1"), null)).toBe("replaced");
        expect(await store.replaceIf("head-1", bytesOf("2"), null)).toBe("changed");
      });

      test("replaces what it was told, and nothing else", async () => {
        await store.createIfAbsent("head-2", bytesOf("1"));
        const first = (await store.get("head-2"))?.etag ?? "";
        expect(await store.replaceIf("head-2", bytesOf("2"), first)).toBe("replaced");
        expect(await store.replaceIf("head-2", bytesOf("3"), first)).toBe("changed");
        expect((await store.get("head-2"))?.bytes.toString()).toBe("2");
        expect(await store.replaceIf("head-none", bytesOf("x"), first)).toBe("changed");
        expect(await store.head("head-none")).toBeNull();
      });

      test("of twenty with the same etag exactly one wins", async () => {
        await store.createIfAbsent("race/replace", bytesOf("start"));
        const etag = (await store.get("race/replace"))?.etag ?? "";
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, (_, writer) =>
            (writer % 2 === 0 ? store : under.other).replaceIf("race/replace", bytesOf(`writer ${writer}`), etag),
          ),
        );
        expect(outcomes.filter((outcome) => outcome === "replaced")).toHaveLength(1);
        const winner = outcomes.indexOf("replaced");
        expect((await store.get("race/replace"))?.bytes.toString()).toBe(`writer ${winner}`);
      });

      test("a counter raised by several writers loses no step", async () => {
        await store.createIfAbsent("counter", bytesOf("0"));
        const raise = async (through: ObjectStore): Promise<void> => {
          for (;;) {
            const seen = await through.get("counter");
            const next = bytesOf(`${Number(seen?.bytes.toString()) + 1}`);
            if (seen !== null && (await through.replaceIf("counter", next, seen.etag)) === "replaced") {
              return;
            }
          }
        };
        await Promise.all([store, under.other, store, under.other, store].map(raise));
        expect((await store.get("counter"))?.bytes.toString()).toBe("5");
      });
    });

    describe("get", () => {
      test("gives the etag that head and the listing give", async () => {
        await store.createIfAbsent("tags", bytesOf("tagged"));
        const etag = (await store.get("tags"))?.etag;
        expect((await store.head("tags"))?.etag).toBe(etag);
        expect((await listed(store, "tags"))[0]?.etag).toBe(etag);
      });

      test("refuses an object larger than expected, and takes one just as large", async () => {
        await store.createIfAbsent("large", randomBytes(1000));
        await expect(store.get("large", 999)).rejects.toThrow(SourceFailed);
        await expect(store.get("large", 999)).rejects.toMatchObject({ code: "too_large" });
        expect((await store.get("large", 1000))?.bytes).toHaveLength(1000);
      });

      test("reads an empty object", async () => {
        await store.createIfAbsent("empty", new Uint8Array());
        expect((await store.get("empty"))?.bytes).toHaveLength(0);
        expect(await readAll((await store.open("empty")).read(0))).toHaveLength(0);
      });
    });

    streamContract(() => store);
    lateHeadContract(() => store);
    copyContract(() => store);

    describe("list", () => {
      test("every page, in byte order, below a prefix that is no directory", async () => {
        const keys = Array.from({ length: many }, (_, index) => `many/p${index % 7}/${index}-${randomUUID()}`);
        // Neighbours of the separator, for directories sorted against files.
        const created = [...keys, "many/p1-", "many/p1.x", "many/p10", "many/p1 "];
        for (let at = 0; at < created.length; at += 50) {
          await Promise.all(created.slice(at, at + 50).map((key) => store.createIfAbsent(key, bytesOf(key))));
        }
        const found = await listed(store, "many/");
        expect(found.map(({ key }) => key)).toEqual(inByteOrder(created));
        expect(found.every(({ key, size }) => size === key.length)).toBe(true);
        const below = (await listed(store, "many/p1")).map(({ key }) => key);
        expect(below).toEqual(inByteOrder(created).filter((key) => key.startsWith("many/p1")));
        expect(await listed(store, "many/none")).toEqual([]);
      });

      test("an aborted signal ends it", async () => {
        const listing = (async () => {
          for await (const _object of store.list({ signal: AbortSignal.abort() })) {
            throw new Error("nothing should come");
          }
        })();
        await expect(listing).rejects.toThrow(Interrupted);
      });
    });
  });
}

function inByteOrder(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
