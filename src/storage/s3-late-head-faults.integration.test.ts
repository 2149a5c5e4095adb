/** Uploads with a late head, and copies, through a network that fails, before the real server. */

import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { Interrupted } from "../errors.ts";
import type { ObjectStore } from "./contract.ts";
import { bytesOf, once, pieces, readAll } from "./testing/bodies.ts";
import { FaultProxy, s3Answer } from "./testing/fault-proxy.ts";
import { TestBucket } from "./testing/s3-bucket.ts";

const s3 = testServers().s3;
const server = s3 as NonNullable<typeof s3>;
const LIMITS = { idleTimeoutMs: 20_000, maxAttempts: 3 };
const PART = 16 * 1024 * 1024;

describe.skipIf(s3 === null)("late heads through a failing network", () => {
  const content = randomBytes(3 * PART);
  const head = { length: 4, bytes: () => Buffer.from("head") };
  const whole = Buffer.concat([Buffer.from("head"), content]);
  let bucket: TestBucket;
  let direct: ObjectStore;
  let proxy: FaultProxy;
  let store: ObjectStore;
  beforeAll(async () => {
    bucket = await TestBucket.create(server);
    direct = await bucket.open();
  });
  afterAll(async () => {
    direct.close();
    await bucket.remove();
  });
  beforeEach(async () => {
    proxy = await FaultProxy.before(server.endpoint);
    store = await bucket.open({ endpoint: proxy.endpoint }, LIMITS);
  });
  afterEach(async () => {
    store.close();
    await proxy.close();
  });

  /** The content, with something that happens once parts are on their way. */
  async function* interrupted(key: string, happens: () => void): AsyncGenerator<Buffer> {
    yield* pieces(content.subarray(0, 2 * PART), 1_000_000);
    await vi.waitFor(async () => expect(await bucket.unfinishedUploads(`/${key}`)).toBe(1));
    happens();
    yield* pieces(content.subarray(2 * PART), 1_000_000);
  }

  test("connections that die in the middle of parts: they are sent again, and the object is whole", async () => {
    const drops = setInterval(() => proxy.drop(), 15);
    const body = (async function* () {
      for (const piece of [content.subarray(0, PART), content.subarray(PART)]) {
        yield* pieces(piece, 1_000_000);
      }
      clearInterval(drops);
    })();
    const patient = await bucket.open({ endpoint: proxy.endpoint }, { ...LIMITS, maxAttempts: 10 });
    const info = await patient.upload("dropped", body, { head });
    expect(info.size).toBe(whole.length);
    expect(sha256(await readAll((await direct.open("dropped")).read(0)))).toBe(sha256(whole));
    patient.close();
  });

  test("a network that is gone for a part, and back for the removal: no parts are left", async () => {
    const body = interrupted("gone", () => {
      const from = proxy.connections;
      proxy.faultOf = (connection) =>
        connection - from <= 3 * LIMITS.maxAttempts ? { kind: "cut", afterBytes: 0 } : null;
      proxy.drop();
    });
    await expect(store.upload("gone", body, { head })).rejects.toMatchObject({ exitCode: 8 });
    expect(await direct.head("gone")).toBeNull();
    expect(await bucket.unfinishedUploads("/gone")).toBe(0);
  });

  test("refused half way, no parts are left", async () => {
    const text = s3Answer("403 Forbidden", "AccessDenied");
    const body = interrupted("refused", () => {
      const next = proxy.connections + 1;
      proxy.faultOf = (connection) => (connection === next ? { kind: "answer", text } : null);
      proxy.drop();
    });
    await expect(store.upload("refused", body, { head })).rejects.toMatchObject({ code: "access_denied" });
    expect(await direct.head("refused")).toBeNull();
    expect(await bucket.unfinishedUploads("/refused")).toBe(0);
  });

  test("an abort while parts stall breaks them off, and no parts are left", async () => {
    const abort = new AbortController();
    const body = interrupted("aborted", () => {
      const from = proxy.connections;
      proxy.faultOf = (connection) => (connection - from <= 2 ? { kind: "stall", afterBytes: 0 } : null);
      proxy.drop();
      setTimeout(() => abort.abort(), 300);
    });
    const patient = await bucket.open({ endpoint: proxy.endpoint });
    await expect(patient.upload("aborted", body, { head, signal: abort.signal })).rejects.toThrow(Interrupted);
    expect(await direct.head("aborted")).toBeNull();
    expect(await bucket.unfinishedUploads("/aborted")).toBe(0);
    patient.close();
  });

  test("the answer to the completion is lost: what is there is known as ours", async () => {
    let before = 0;
    const upload = (key: string) =>
      store.upload(key, pieces(content, 1_000_000), {
        head: {
          length: 4,
          bytes: () => {
            // All that follows goes one after the other over one connection.
            proxy.drop();
            before = proxy.passedBytes;
            return head.bytes();
          },
        },
        ifAbsent: true,
      });
    await upload("measure");
    const behindTheHead = proxy.passedBytes - before;
    const lastLook = proxy.passedBytes;
    await store.head("measure");
    const cutInCompletion = behindTheHead - (proxy.passedBytes - lastLook) - 10;
    let faults = 0;
    proxy.faultOf = () => {
      faults += proxy.passedBytes === before ? 1 : 0;
      return proxy.passedBytes === before && faults === 1 ? { kind: "cut", afterBytes: cutInCompletion } : null;
    };
    const info = await upload("between");
    expect(faults).toBe(1);
    expect(proxy.passedBytes - before).toBeGreaterThan(cutInCompletion);
    expect(info.size).toBe(whole.length);
    expect(sha256(await readAll((await direct.open("between")).read(0)))).toBe(sha256(whole));
    expect(await bucket.unfinishedUploads("/between")).toBe(0);
  });

  test("a small object whose answer is lost is known as ours; another's is refused", async () => {
    proxy.faultOf = (connection) => (connection === 2 ? { kind: "cut", afterBytes: 0 } : null);
    const first = (async function* () {
      yield bytesOf("body");
      proxy.drop();
    })();
    expect((await store.upload("small", first, { head, ifAbsent: true })).size).toBe(8);
    expect(proxy.connections).toBeGreaterThan(2);
    const again = store.upload("small", once(bytesOf("body")), { head, ifAbsent: true });
    await expect(again).rejects.toMatchObject({ code: "exists" });
  });

  test("a copy whose answer is lost is told as made", async () => {
    const from = await direct.upload("original", once(content.subarray(0, 1_000_000)));
    // The looks at source and target share the first connection, the copy is made to open one of its own.
    proxy.faultOf = (connection) => (connection === 1 ? { kind: "cut", afterBytes: 1100 } : null);
    expect(await store.copy(from, "copied", { ifMatch: null })).toMatchObject({ size: 1_000_000 });
    expect(await direct.versions("copied")).toHaveLength(1);
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
