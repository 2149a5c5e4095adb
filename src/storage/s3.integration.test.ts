/** The S3 store against the real server: the contract, then what only S3 has. */

import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { type SanitizeError, SourceFailed, UsageError } from "../errors.ts";
import type { StoreLocation } from "./location.ts";
import { openStore } from "./open-store.ts";
import { storeContract } from "./store.contract.ts";
import { bytesOf, listed, once, readAll } from "./testing/bodies.ts";
import { FaultProxy } from "./testing/fault-proxy.ts";
import { TestBucket } from "./testing/s3-bucket.ts";

const s3 = testServers().s3;
const server = s3 as NonNullable<typeof s3>;

describe.skipIf(s3 === null)("S3", () => {
  for (const checksums of ["when_supported", "when_required"] as const) {
    storeContract(
      `S3, checksums ${checksums}`,
      async () => {
        const bucket = await TestBucket.create(server);
        const store = await bucket.open({ checksums });
        const other = await bucket.open({ checksums });
        return {
          store,
          other,
          region: server.region,
          remove: async () => {
            expect(await bucket.unfinishedUploads()).toBe(0);
            store.close();
            other.close();
            await bucket.remove();
          },
        };
      },
      checksums === "when_supported" ? 1100 : 20,
    );
  }

  describe("one bucket", () => {
    let bucket: TestBucket;
    let elsewhere: FaultProxy;
    beforeAll(async () => {
      bucket = await TestBucket.create(server);
      elsewhere = await FaultProxy.before(server.endpointTls, "127.0.0.2");
      const store = await bucket.open();
      await store.createIfAbsent("there", bytesOf("content"));
      store.close();
    });
    afterAll(async () => {
      await elsewhere.close();
      await bucket.remove();
    });

    test("keys outside the prefix are not seen, and a folder marker is no object", async () => {
      const root = await bucket.open({ url: `s3://${bucket.name}` });
      const inner = await bucket.open({ url: `s3://${bucket.name}/some` });
      await root.createIfAbsent("some-other/key", bytesOf("x"));
      expect(root.url).toBe(`s3://${bucket.name}/`);
      expect((await listed(inner)).map(({ key }) => key)).toEqual(["prefix/there"]);
      expect((await listed(root)).map(({ key }) => key)).toEqual(["some-other/key", "some/prefix/there"]);
      root.close();
      inner.close();
    });

    test("TLS with the CA works; the region is the service's own, whichever gateway is asked", async () => {
      const tls = await bucket.open({ endpoint: server.endpointTls, caFile: server.caFile });
      expect((await tls.get("there"))?.bytes.toString()).toBe("content");
      expect((await readAll((await tls.open("there")).read(3))).toString()).toBe("tent");
      tls.close();
      const away = await bucket.open({ endpoint: server.endpoint2, region: server.region2 });
      // A new bucket takes a moment to be known at the other gateway.
      await vi.waitFor(async () => expect(await away.region()).toBe(server.region), { timeout: 40_000, interval: 200 });
      await expect(away.get("there")).rejects.toMatchObject({ code: "wrong_region" });
      await expect(away.head("there")).rejects.toMatchObject({ code: "wrong_region" });
      away.close();
    });

    const refusals: [
      what: string,
      changes: () => Partial<StoreLocation>,
      code: string,
      type: typeof SourceFailed | typeof UsageError,
    ][] = [
      [
        "a wrong secret",
        () => ({ credentials: { ...key(), secretAccessKey: "wrong" } }),
        "credentials_refused",
        UsageError,
      ],
      [
        "an unknown key",
        () => ({ credentials: { ...key(), accessKeyId: "NOBODY" } }),
        "credentials_refused",
        UsageError,
      ],
      ["another user", () => ({ credentials: otherKey() }), "access_denied", SourceFailed],
      ["no such bucket", () => ({ url: "s3://sanitize-no-such-bucket/x/" }), "no_such_bucket", UsageError],
      ["a CA that is not known", () => ({ endpoint: server.endpointTls }), "tls_failed", SourceFailed],
      [
        "a certificate for another name",
        () => ({ endpoint: elsewhere.endpoint, caFile: server.caFile }),
        "tls_failed",
        SourceFailed,
      ],
      [
        "plain HTTP where TLS is spoken",
        () => ({ endpoint: server.endpointTls.replace("https", "http") }),
        "connection_lost|unexpected_answer",
        SourceFailed,
      ],
      [
        "TLS where plain HTTP is spoken",
        () => ({ endpoint: server.endpoint.replace("http", "https") }),
        "tls_failed",
        SourceFailed,
      ],
      ["a host that does not exist", () => ({ endpoint: "http://nowhere.invalid" }), "host_not_found", SourceFailed],
      ["nobody listening", () => ({ endpoint: "http://127.0.0.1:1" }), "connection_refused", SourceFailed],
    ];
    test.each(refusals)("%s: every call says so, without a secret", async (_what, changes, code, type) => {
      const store = await bucket.open(changes(), { maxAttempts: 2 });
      for (const call of [
        () => store.head("there"),
        () => store.open("there"),
        () => store.get("there"),
        () => listed(store),
        () => store.createIfAbsent("new", bytesOf("x")),
        () => store.upload("new", once(bytesOf("x"))),
      ]) {
        const error = await call().then(
          () => null,
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(type);
        expect((error as SanitizeError).code).toMatch(new RegExp(`^(${code})$`));
        expect((error as SanitizeError).hint).toBeTruthy();
        const told = `${String(error)} ${(error as SanitizeError).hint} ${String((error as SanitizeError).cause)}`;
        for (const secret of [server.secretAccessKey, server.otherSecretAccessKey, server.accessKeyId]) {
          expect(told).not.toContain(secret);
        }
      }
      store.close();
    });

    test.each([
      ["an endpoint that is no URL", { endpoint: "localhost" }, "bad_endpoint"],
      ["an endpoint with a password", { endpoint: "http://a:b@localhost" }, "bad_endpoint"],
      ["a CA file that is not there", { caFile: "no/such.pem" }, "ca_file_unreadable"],
      ["a CA file that is none", { caFile: import.meta.filename }, "ca_file_unreadable"],
      [
        "a customer key that is not there",
        { endpoint: "https://localhost", sseCKeyFile: "no/such" },
        "sse_key_unreadable",
      ],
      [
        "a customer key of another length",
        { endpoint: "https://localhost", sseCKeyFile: import.meta.filename },
        "sse_key_unreadable",
      ],
      [
        "a customer key in the clear",
        { endpoint: "http://localhost", sseCKeyFile: import.meta.filename },
        "bad_endpoint",
      ],
    ])("%s is refused at once", async (_what, changes, code) => {
      await expect(bucket.open(changes)).rejects.toMatchObject({ code, exitCode: 2 });
    });

    test("an object under a customer's key is read and written with it, and with nothing else", async () => {
      const directory = await mkdtemp(join(tmpdir(), "sanitize-ssec-"));
      const secret = randomBytes(32);
      await writeFile(join(directory, "raw"), secret);
      await writeFile(join(directory, "base64"), `${secret.toString("base64")}\n`);
      const tls = { endpoint: server.endpointTls, caFile: server.caFile, baseDirectory: directory };
      const store = await bucket.open({ ...tls, sseCKeyFile: "raw" });
      const content = randomBytes(17 * 1024 * 1024);
      expect((await store.upload("secret", once(content))).size).toBe(content.length);
      expect(await store.createIfAbsent("secret-2", bytesOf("x"))).toBe("created");
      const again = await bucket.open({ ...tls, sseCKeyFile: "base64" });
      expect((await readAll((await again.open("secret")).read(1_000))).equals(content.subarray(1_000))).toBe(true);
      expect((await again.get("secret-2"))?.bytes.toString()).toBe("x");
      const without = await bucket.open(tls);
      await expect(without.get("secret-2")).rejects.toThrow(SourceFailed);
      await expect(without.head("secret-2")).rejects.toThrow(SourceFailed);
      for (const opened of [store, again, without]) {
        opened.close();
      }
      await rm(directory, { recursive: true });
    });
  });

  describe("versions", () => {
    test("a pinned version outlives its replacement and its removal; one version is removed by name", async () => {
      const bucket = await TestBucket.create(server, "versioned");
      const store = await bucket.open();
      const first = await store.upload("dump", once(randomBytes(600_000)));
      expect(first.version).toMatch(/./);
      const old = await store.open("dump");
      const content = await readAll(old.read(0));
      await store.upload("dump", once(bytesOf("new")));
      expect((await readAll(old.read(0))).equals(content)).toBe(true);
      await store.delete("dump");
      expect(await store.head("dump")).toBeNull();
      expect((await readAll(old.read(500_000))).equals(content.subarray(500_000))).toBe(true);
      await store.delete("dump", first.version);
      await expect(readAll(old.read(0))).rejects.toMatchObject({ code: "object_changed" });
      store.close();
      await bucket.remove();
    });
  });
});

test.skipIf(s3 === null)("opening a store sends nothing", async () => {
  const store = await openStore({ url: "s3://bucket-of-nobody/", endpoint: "http://127.0.0.1:1", baseDirectory: "/" });
  store.close();
});

function key() {
  return { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey };
}

function otherKey() {
  return { accessKeyId: server.otherAccessKeyId, secretAccessKey: server.otherSecretAccessKey };
}
