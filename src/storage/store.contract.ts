/** What every store must do, run against each of them (`folder.test.ts`, `s3.integration.test.ts`). */

import { createHash, randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BackupRefused, Interrupted, SourceFailed, UsageError } from "../errors.ts";
import type { ObjectInfo, ObjectStore } from "./contract.ts";

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** The same root, opened a second time, as another process would. */
  readonly other: ObjectStore;
  readonly region: string | null;
  remove(): Promise<void>;
}

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

    describe("upload and ranged reads", () => {
      const content = randomBytes(20 * 1024 * 1024 + 12_345);
      let info: ObjectInfo;
      beforeAll(async () => {
        info = await store.upload("dump", pieces(content, 100_000), { metadata: { made: "now" } });
      });

      test("an upload tells what it made", async () => {
        expect(info).toMatchObject({ key: "dump", size: content.length });
        expect(info.etag).not.toBe("");
        expect(await store.head("dump")).toEqual(info);
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
        expect(await store.head("dump")).toEqual(info);
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

export async function listed(store: ObjectStore, prefix?: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of store.list(prefix === undefined ? {} : { prefix })) {
    found.push(object);
  }
  return found;
}

export async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text);
}

function inByteOrder(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
