/** What only S3 has: versions, locks on them, copies by parts and under a customer's key. */

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { SourceFailed } from "../errors.ts";
import type { ObjectStore } from "./contract.ts";
import { copyContract } from "./copies.contract.ts";
import { lateHeadContract } from "./late-head.contract.ts";
import { connectS3 } from "./s3-client.ts";
import { copyObject } from "./s3-copy.ts";
import { streamContract } from "./streams.contract.ts";
import { bytesOf, once, pieces, readAll } from "./testing/bodies.ts";
import { TestBucket } from "./testing/s3-bucket.ts";

const s3 = testServers().s3;
const server = s3 as NonNullable<typeof s3>;
const LIMITS = { idleTimeoutMs: 30_000, maxAttempts: 5, maxSockets: 16 };
const PART = 5 * 1024 * 1024;

describe.skipIf(s3 === null)("S3 with versions", () => {
  // Not the whole contract: Ceph 16 ignores the conditions of small writes in a bucket that keeps versions.
  describe("the contract of streams and copies", () => {
    let bucket: TestBucket;
    let store: ObjectStore;
    beforeAll(async () => {
      bucket = await TestBucket.create(server, "versioned");
      store = await bucket.open();
    });
    afterAll(async () => {
      expect(await bucket.unfinishedUploads()).toBe(0);
      store.close();
      await bucket.remove();
    });
    streamContract(() => store);
    lateHeadContract(() => store);
    copyContract(() => store);
  });

  describe("one bucket", () => {
    let bucket: TestBucket;
    let store: ObjectStore;
    beforeAll(async () => {
      bucket = await TestBucket.create(server, "versioned");
      store = await bucket.open();
    });
    afterAll(async () => {
      store.close();
      await bucket.remove();
    });

    test("a removal is a marker, told with the versions it hides; all of them can go", async () => {
      const first = await store.upload("dump", once(bytesOf("1")));
      const second = await store.upload("dump", once(bytesOf("22")));
      await store.delete("dump");
      const versions = await store.versions("dump");
      expect(
        versions.map(({ version, size, isLatest, isDeleteMarker }) => [version, size, isLatest, isDeleteMarker]),
      ).toEqual([
        [expect.any(String), 0, true, true],
        [second.version, 2, false, false],
        [first.version, 1, false, false],
      ]);
      for (const { version } of versions) {
        await store.delete("dump", version);
      }
      expect(await store.versions("dump")).toEqual([]);
    });

    test("more versions than one page tells", async () => {
      for (let at = 0; at < 1010; at += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, n) => store.upload("many", once(bytesOf(String(at + n))))));
      }
      const versions = await store.versions("many");
      expect(versions).toHaveLength(1010);
      expect(new Set(versions.map(({ version }) => version)).size).toBe(1010);
      expect(versions.filter(({ isLatest }) => isLatest)).toEqual([versions[0]]);
      expect(versions[0]?.etag).toBe((await store.head("many"))?.etag);
    }, 120_000);

    test("an upload whose tags are refused behind it leaves nothing where nothing was", async () => {
      const tags = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`tag ${at}`, "v"]));
      const parts = () => pieces(randomBytes(17 * 1024 * 1024), 1_000_000);
      const head = { length: 4, bytes: () => Buffer.from("head") };
      for (const more of [{}, { head }]) {
        await expect(store.upload("untagged", parts(), { tags, ifAbsent: true, ...more })).rejects.toThrow(
          SourceFailed,
        );
        expect(await store.versions("untagged")).toEqual([]);
      }
      await store.upload("tagged", once(bytesOf("1")));
      await expect(store.upload("tagged", parts(), { tags })).rejects.toThrow(SourceFailed);
      expect(await store.head("tagged")).not.toBeNull();
      expect(await bucket.unfinishedUploads()).toBe(0);
    });

    test("a version is copied and tagged after a newer one has come", async () => {
      const old = await store.upload("source", once(bytesOf("old")), { tags: { which: "old" } });
      await store.upload("source", once(bytesOf("new")), { tags: { which: "new" } });
      const copied = await store.copy(old, "copy-of-old", { ifMatch: null, tags: { which: "copy" } });
      expect(copied).toMatchObject({ version: expect.any(String), size: 3 });
      expect((await store.get("copy-of-old"))?.bytes.toString()).toBe("old");
      expect(await store.tags("source", old.version)).toEqual({ which: "old" });
      expect(await store.tags("source")).toEqual({ which: "new" });
      expect(await store.tags("copy-of-old")).toEqual({ which: "copy" });
      // over itself: the old content is the newest again
      const latest = await store.head("source");
      await store.copy(old, "source", { ifMatch: latest?.etag ?? "" });
      expect((await store.get("source"))?.bytes.toString()).toBe("old");
      expect(await store.versions("source")).toHaveLength(3);
    });
  });

  test("what was written before the bucket kept versions is removed as a version", async () => {
    const bucket = await TestBucket.create(server);
    const store = await bucket.open();
    const before = await store.upload("dump", once(bytesOf("1")));
    expect(before.version).toBeNull();
    await bucket.keepVersions();
    const after = await store.upload("dump", once(bytesOf("22")));
    expect((await store.versions("dump")).map(({ version }) => version)).toEqual([after.version, null]);
    await store.delete("dump", null);
    expect((await store.versions("dump")).map(({ version }) => version)).toEqual([after.version]);
    expect((await store.get("dump"))?.bytes.toString()).toBe("22");
    store.close();
    await bucket.remove();
  });

  test("a service that judges no conditions is found out, not believed", async () => {
    const bucket = await TestBucket.create(server, "versioned");
    const store = await bucket.open();
    await store.createIfAbsent("head", bytesOf("1"));
    const etag = (await store.get("head"))?.etag ?? "";
    const outcome = await store.replaceIf("head", bytesOf("2"), etag).catch((error: SourceFailed) => error.code);
    expect(["replaced", "conditions_ignored"]).toContain(outcome);
    expect((await store.get("head"))?.bytes.toString()).toBe(outcome === "replaced" ? "2" : "1");
    store.close();
    await bucket.remove();
  });

  test("retention and legal hold: a removal is refused, and says until when", async () => {
    const bucket = await TestBucket.create(server, "lockable");
    const store = await bucket.open();
    const until = new Date(Date.now() + 3_600_000);
    const kept = await store.upload("kept", once(bytesOf("x")));
    await bucket.retain("kept", kept.version, until);
    const refused = store.delete("kept", kept.version);
    await expect(refused).rejects.toThrow(SourceFailed);
    await expect(refused).rejects.toMatchObject({ code: "locked", message: expect.stringContaining("governance") });
    await expect(refused).rejects.toThrow(until.toISOString().slice(0, 16));
    // without naming the version, only a marker is put over it
    await store.delete("kept");
    expect(await store.versions("kept")).toHaveLength(2);
    const held = await store.upload("held", once(bytesOf("x")));
    await bucket.hold("held", held.version, "ON");
    await expect(store.delete("held", held.version)).rejects.toMatchObject({ code: "locked" });
    await bucket.hold("held", held.version, "OFF");
    await store.delete("held", held.version);
    expect(await store.versions("held")).toEqual([]);
    store.close();
    await bucket.remove();
  });
});

describe.skipIf(s3 === null)("S3 copies", () => {
  const content = randomBytes(3 * PART + 1);
  const sizes = { single: PART, part: PART };
  let bucket: TestBucket;
  let store: ObjectStore;
  beforeAll(async () => {
    bucket = await TestBucket.create(server);
    store = await bucket.open();
  });
  afterAll(async () => {
    store.close();
    await bucket.remove();
  });
  const address = () => ({ bucket: bucket.name, prefix: "some/prefix/" });

  test("by parts: whole, on condition, and nothing is left of those that may not be", async () => {
    const connection = await connectS3(bucket.location(), address(), LIMITS);
    const from = await store.upload("large", once(content));
    const copied = await copyObject(connection, from, "parts", { ifMatch: null, tags: { a: "b" } }, sizes);
    expect(copied).toMatchObject({ key: "parts", size: content.length });
    expect(sha256(await readAll((await store.open("parts")).read(0)))).toBe(sha256(content));
    expect(await store.tags("parts")).toEqual({ a: "b" });
    expect(await copyObject(connection, from, "parts", { ifMatch: null }, sizes)).toBe("changed");
    const there = await store.head("parts");
    expect(await copyObject(connection, from, "parts", { ifMatch: there?.etag ?? "" }, sizes)).not.toBe("changed");
    await store.upload("large", once(bytesOf("other")));
    const refused = copyObject(connection, from, "never", { ifMatch: null }, sizes);
    await expect(refused).rejects.toMatchObject({ code: "object_changed" });
    expect(await store.head("never")).toBeNull();
    expect(await bucket.unfinishedUploads()).toBe(0);
    connection.close();
  });

  test("under a customer's key, in one and by parts", async () => {
    const directory = await mkdtemp(join(tmpdir(), "sanitize-ssec-"));
    await writeFile(join(directory, "key"), randomBytes(32));
    const tls = { endpoint: server.endpointTls, caFile: server.caFile, baseDirectory: directory, sseCKeyFile: "key" };
    const secret = await bucket.open(tls);
    const connection = await connectS3(bucket.location(tls), address(), LIMITS);
    const from = await secret.upload("secret", once(content));
    for (const [to, limit] of [
      ["secret-1", content.length],
      ["secret-2", PART],
    ] as const) {
      await copyObject(connection, from, to, { ifMatch: null }, { single: limit, part: PART });
      expect(sha256(await readAll((await secret.open(to)).read(0)))).toBe(sha256(content));
      await expect(store.get(to)).rejects.toThrow(SourceFailed);
    }
    const head = { length: 100, bytes: () => content.subarray(0, 100) };
    await secret.upload("secret-3", pieces(Buffer.concat([content, content]).subarray(100), 1_000_000), { head });
    const stored = await readAll((await secret.open("secret-3")).read(0));
    expect(sha256(stored)).toBe(sha256(Buffer.concat([content, content])));
    connection.close();
    secret.close();
    await rm(directory, { recursive: true });
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
