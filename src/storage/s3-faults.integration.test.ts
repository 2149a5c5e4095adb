/** Reads and writes through a network that fails, before the real server. */

import { createHash, randomBytes, randomInt } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { Interrupted, SourceFailed } from "../errors.ts";
import type { ObjectStore } from "./contract.ts";
import { bytesOf, listed, once, pieces, readAll } from "./testing/bodies.ts";
import { FaultProxy, s3Answer } from "./testing/fault-proxy.ts";
import { TestBucket } from "./testing/s3-bucket.ts";

const s3 = testServers().s3;
const server = s3 as NonNullable<typeof s3>;
const LIMITS = { idleTimeoutMs: 400, maxAttempts: 3 };

describe.skipIf(s3 === null)("S3 through a failing network", () => {
  const content = randomBytes(32 * 1024 * 1024);
  let bucket: TestBucket;
  let direct: ObjectStore;
  let proxy: FaultProxy;
  let store: ObjectStore;

  beforeAll(async () => {
    bucket = await TestBucket.create(server);
    direct = await bucket.open();
    await direct.upload("dump", once(content));
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

  test("cut again and again, the bytes are the object's own", async () => {
    const object = await store.open("dump");
    proxy.faultOf = () => ({ kind: "cut", afterBytes: randomInt(100_000, 6_000_000) });
    const before = proxy.connections;
    expect(sha256(await readAll(object.read(0)))).toBe(sha256(content));
    expect(proxy.connections - before).toBeGreaterThan(4);
  });

  test("stalled now and then, in head and body, the bytes are the object's own", async () => {
    const object = await store.open("dump");
    let faults = 0;
    proxy.faultOf = () => {
      faults += 1;
      return faults > 4 ? null : { kind: "stall", afterBytes: faults % 2 === 0 ? 0 : faults * 1_000_000 };
    };
    expect(sha256(await readAll(object.read(12_345)))).toBe(sha256(content.subarray(12_345)));
    expect(faults).toBe(5);
  });

  test("a server that answers 503 and 500 for a while is asked again", async () => {
    const object = await store.open("dump");
    const answers = [s3Answer("503 Slow Down", "SlowDown"), s3Answer("500 Internal Server Error", "InternalError")];
    proxy.faultOf = () => {
      const text = answers.shift();
      return text === undefined ? null : { kind: "answer", text };
    };
    expect(await readAll(object.read(5, 1000))).toHaveLength(995);
    expect(answers).toEqual([]);
  });

  test.each([
    ["cut", "connection_lost"],
    ["stall", "stalled"],
  ] as const)("always %s, a read gives up after the attempts it has", async (kind, code) => {
    const object = await store.open("dump");
    let connections = 0;
    proxy.faultOf = () => {
      connections += 1;
      return { kind, afterBytes: connections === 1 ? 1_000_000 : 100 };
    };
    const error = await readAll(object.read(0)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SourceFailed);
    expect(error).toMatchObject({ code });
    // The first one made progress, so it does not count.
    expect(String(error)).toMatch(/at byte [1-9]\d+ of .* after 3 attempts/);
    expect(connections).toBe(3);
  });

  test("refused for good, a read says so at once", async () => {
    const object = await store.open("dump");
    let connections = 0;
    proxy.faultOf = () => {
      connections += 1;
      return { kind: "answer", text: s3Answer("403 Forbidden", "AccessDenied") };
    };
    await expect(readAll(object.read(0))).rejects.toMatchObject({ code: "access_denied" });
    expect(connections).toBe(1);
  });

  test.each([
    ["no range at all", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"],
    ["another range", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc"],
  ])("%s in the answer is refused", async (_what, text) => {
    const object = await store.open("dump");
    proxy.faultOf = () => ({ kind: "answer", text });
    await expect(readAll(object.read(10))).rejects.toMatchObject({ code: "wrong_length" });
  });

  test("the first attempt of a read waits no longer for an answer than for a byte", async () => {
    const object = await store.open("dump");
    proxy.faultOf = () => ({ kind: "stall", afterBytes: 0 });
    await expect(readAll(object.read(0))).rejects.toMatchObject({ code: "stalled" });
  });

  test("replaced between two connections, the object is refused", async () => {
    await direct.upload("replaced", once(content));
    const object = await store.open("replaced");
    proxy.faultOf = () => ({ kind: "cut", afterBytes: 20_000_000 });
    const reading = (async () => {
      let first = true;
      for await (const _chunk of object.read(0)) {
        if (first) {
          await direct.upload("replaced", once(Buffer.alloc(content.length)));
          first = false;
        }
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "object_changed", exitCode: 8 });
  });

  test("replaced between two connections in a bucket with versions, the old one is read on", async () => {
    const versioned = await TestBucket.create(server, "versioned");
    const behind = await versioned.open({ endpoint: proxy.endpoint }, LIMITS);
    await behind.upload("dump", once(content));
    const object = await behind.open("dump");
    proxy.faultOf = () => ({ kind: "cut", afterBytes: 20_000_000 });
    const hash = createHash("sha256");
    let first = true;
    for await (const chunk of object.read(0)) {
      hash.update(chunk);
      if (first) {
        const other = await versioned.open();
        await other.upload("dump", once(bytesOf("new")));
        other.close();
        first = false;
      }
    }
    expect(hash.digest("hex")).toBe(sha256(content));
    behind.close();
    await versioned.remove();
  });

  test("a slow consumer is no stall, and holds the server back", async () => {
    const object = await store.open("dump");
    const chunks = object.read(0)[Symbol.asyncIterator]();
    const hash = createHash("sha256");
    hash.update((await chunks.next()).value as Buffer);
    const connections = proxy.connections;
    let passed = -1;
    while (passed !== proxy.passedBytes) {
      passed = proxy.passedBytes;
      await new Promise((resolve) => setTimeout(resolve, LIMITS.idleTimeoutMs * 1.5));
    }
    expect(passed).toBeLessThan(content.length / 2);
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      hash.update(next.value);
    }
    expect(hash.digest("hex")).toBe(sha256(content));
    expect(proxy.connections).toBe(connections);
  });

  test("ending early closes the connection; ending at the end keeps it for the next", async () => {
    const object = await store.open("dump");
    const idle = proxy.openConnections;
    for await (const _chunk of object.read(0)) {
      expect(proxy.openConnections).toBe(idle + 1);
      break;
    }
    await vi.waitFor(() => expect(proxy.openConnections).toBe(idle));
    const before = proxy.connections;
    for (let reads = 0; reads < 5; reads++) {
      await readAll(object.read(reads, reads + 1000));
    }
    // A read may begin a moment before the one before it has given its connection back.
    expect(proxy.connections).toBeLessThanOrEqual(before + 2);
  });

  test("sockets are bounded, and paused reads do not starve other calls", async () => {
    const few = await bucket.open({ endpoint: proxy.endpoint }, { ...LIMITS, maxSockets: 4, idleTimeoutMs: 30_000 });
    const object = await few.open("dump");
    const before = proxy.openConnections;
    const reads = Array.from({ length: 4 }, () => object.read(0)[Symbol.asyncIterator]());
    await Promise.all(reads.map((read) => read.next()));
    expect(proxy.openConnections).toBe(before + 4);
    const fifth = readAll(object.read(0, 10));
    expect(await listed(few, "dump")).toHaveLength(1);
    expect(await few.createIfAbsent("starved", bytesOf("x"))).toBe("created");
    expect(proxy.openConnections).toBeLessThanOrEqual(before + 4 + 1);
    await reads[0]?.return?.();
    expect(await fifth).toHaveLength(10);
    await Promise.all(reads.map((read) => Promise.resolve(read.return?.())));
    few.close();
  });

  test("an abort ends a read that waits for a stalled server", async () => {
    const patient = await bucket.open({ endpoint: proxy.endpoint });
    const object = await patient.open("dump");
    proxy.faultOf = () => ({ kind: "stall", afterBytes: 1_000_000 });
    const abort = new AbortController();
    const reading = readAll(object.read(0, undefined, abort.signal));
    setTimeout(() => abort.abort(), 200);
    await expect(reading).rejects.toThrow(Interrupted);
    await vi.waitFor(() => expect(proxy.openConnections).toBeLessThanOrEqual(1));
    patient.close();
  });

  test("a small object is read whole over a connection that breaks, or not at all", async () => {
    await direct.createIfAbsent("small", content.subarray(0, 500_000));
    let faults = 0;
    proxy.faultOf = () => {
      faults += 1;
      return faults > 2 ? null : { kind: faults === 1 ? "cut" : "stall", afterBytes: 200_000 };
    };
    expect((await store.get("small"))?.bytes.equals(content.subarray(0, 500_000))).toBe(true);
    expect(faults).toBe(3);
    const again = await bucket.open({ endpoint: proxy.endpoint }, LIMITS);
    proxy.faultOf = () => ({ kind: "cut", afterBytes: 200_000 });
    await expect(again.get("small")).rejects.toMatchObject({ code: "connection_lost" });
    again.close();
  });

  describe("writes whose answer is lost", () => {
    test("a creation that went through is told as ours, and another's is not", async () => {
      proxy.faultOf = (connection) => (connection === 1 ? { kind: "cut", afterBytes: 0 } : null);
      expect(await store.createIfAbsent("lost-1", bytesOf("ours"))).toBe("created");
      expect(proxy.connections).toBeGreaterThan(1);
      await direct.createIfAbsent("lost-2", bytesOf("theirs"));
      const again = await bucket.open({ endpoint: proxy.endpoint }, LIMITS);
      const next = proxy.connections + 1;
      proxy.faultOf = (connection) => (connection === next ? { kind: "cut", afterBytes: 0 } : null);
      expect(await again.createIfAbsent("lost-2", bytesOf("theirs"))).toBe("exists");
      again.close();
    });

    test("a replacement that went through is told as ours", async () => {
      await direct.createIfAbsent("lost-3", bytesOf("1"));
      const etag = (await direct.get("lost-3"))?.etag ?? "";
      proxy.faultOf = (connection) => (connection === 1 ? { kind: "cut", afterBytes: 0 } : null);
      expect(await store.replaceIf("lost-3", bytesOf("2"), etag)).toBe("replaced");
      expect((await direct.get("lost-3"))?.bytes.toString()).toBe("2");
    });

    test("two conditional writes at once (409) are asked again", async () => {
      const text = s3Answer("409 Conflict", "ConditionalRequestConflict");
      proxy.faultOf = (connection) => (connection <= 2 ? { kind: "answer", text } : null);
      expect(await store.createIfAbsent("conflict", bytesOf("x"))).toBe("created");
      expect(proxy.connections).toBe(3);
    });
  });

  test("an upload over connections that break is whole, or leaves nothing", async () => {
    proxy.faultOf = (connection) => (connection % 2 === 1 ? { kind: "cut", afterBytes: 0 } : null);
    const info = await store.upload("through", pieces(content, 1_000_000));
    expect(info.size).toBe(content.length);
    expect(sha256(await readAll((await direct.open("through")).read(0)))).toBe(sha256(content));
  });

  test("an upload that the server refuses half way leaves no parts", async () => {
    const text = s3Answer("403 Forbidden", "AccessDenied");
    const body = (async function* () {
      yield* pieces(content.subarray(0, 17_000_000), 1_000_000);
      await vi.waitFor(async () => expect(await bucket.unfinishedUploads("/refused")).toBe(1));
      const next = proxy.connections + 1;
      proxy.faultOf = (connection) => (connection === next ? { kind: "answer", text } : null);
      proxy.drop();
      yield* pieces(content.subarray(17_000_000), 1_000_000);
    })();
    await expect(store.upload("refused", body)).rejects.toMatchObject({ code: "access_denied" });
    expect(await direct.head("refused")).toBeNull();
    expect(await bucket.unfinishedUploads("/refused")).toBe(0);
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
