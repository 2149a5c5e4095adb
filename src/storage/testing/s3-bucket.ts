/** A bucket of its own on the real S3 server, gone with its content when the test is over. */

import { randomUUID } from "node:crypto";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { TestS3 } from "../../embedded/testing/servers.ts";
import type { ObjectStore } from "../contract.ts";
import type { StoreLimits, StoreLocation } from "../location.ts";
import { openStore } from "../open-store.ts";

export class TestBucket {
  readonly name = `storage-${randomUUID()}`;
  readonly #server: TestS3;
  readonly #client: S3Client;

  private constructor(server: TestS3) {
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
    this.#server = server;
    this.#client = new S3Client({
      endpoint: server.endpoint,
      region: server.region,
      forcePathStyle: true,
      credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    });
  }

  static async create(server: TestS3, kind: "plain" | "versioned" | "lockable" = "plain"): Promise<TestBucket> {
    const bucket = new TestBucket(server);
    const lock = kind === "lockable" ? { ObjectLockEnabledForBucket: true } : {};
    await bucket.#client.send(new CreateBucketCommand({ Bucket: bucket.name, ...lock }));
    if (kind === "versioned") {
      await bucket.keepVersions();
    }
    return bucket;
  }

  async keepVersions(): Promise<void> {
    const VersioningConfiguration = { Status: "Enabled" as const };
    await this.#client.send(new PutBucketVersioningCommand({ Bucket: this.name, VersioningConfiguration }));
  }

  /** Retention in governance mode. */
  async retain(key: string, version: string | null, until: Date): Promise<void> {
    await this.#client.send(
      new PutObjectRetentionCommand({
        Bucket: this.name,
        Key: `some/prefix/${key}`,
        VersionId: version ?? undefined,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: until },
      }),
    );
  }

  async hold(key: string, version: string | null, status: "ON" | "OFF"): Promise<void> {
    await this.#client.send(
      new PutObjectLegalHoldCommand({
        Bucket: this.name,
        Key: `some/prefix/${key}`,
        VersionId: version ?? undefined,
        LegalHold: { Status: status },
      }),
    );
  }

  location(changes: Partial<StoreLocation> = {}): StoreLocation {
    const { endpoint, region, accessKeyId, secretAccessKey } = this.#server;
    return {
      url: `s3://${this.name}/some/prefix/`,
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      baseDirectory: "/",
      ...changes,
    };
  }

  open(changes: Partial<StoreLocation> = {}, limits: Partial<StoreLimits> = {}): Promise<ObjectStore> {
    return openStore(this.location(changes), limits);
  }

  /** Uploads begun and neither completed nor removed, of keys that end so. */
  async unfinishedUploads(keyEnd = ""): Promise<number> {
    const { Uploads } = await this.#client.send(new ListMultipartUploadsCommand({ Bucket: this.name }));
    return (Uploads ?? []).filter(({ Key }) => Key?.endsWith(keyEnd) === true).length;
  }

  async remove(): Promise<void> {
    for (let more = true; more; ) {
      const page = await this.#client.send(new ListObjectVersionsCommand({ Bucket: this.name }));
      const all = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
      for (let at = 0; at < all.length; at += 50) {
        await Promise.all(
          all
            .slice(at, at + 50)
            .map(({ Key, VersionId }) =>
              this.#client.send(
                new DeleteObjectCommand({ Bucket: this.name, Key, VersionId, BypassGovernanceRetention: true }),
              ),
            ),
        );
      }
      more = page.IsTruncated === true;
    }
    await this.#client.send(new DeleteBucketCommand({ Bucket: this.name }));
    this.#client.destroy();
  }
}
