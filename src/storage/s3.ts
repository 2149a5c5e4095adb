/**
 * The store on S3, or on a service that speaks its protocol.
 *
 * Invariants: a HEAD that fails is never taken at its word, since its answer has no body: a GET of the same object tells a
 * missing key from a missing bucket, and wrong credentials from a missing permission. A listing that is not in key order
 * is refused rather than sorted: what follows could miss an object.
 */

import type { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { SourceFailed, throwIfAborted } from "../errors.ts";
import type {
  CopyOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  ObjectVersion,
  PinnedObject,
  UploadedObject,
  UploadOptions,
} from "./contract.ts";
import type { StoreLimits, StoreLocation } from "./location.ts";
import { checkKeyOrder, notFound } from "./pinned.ts";
import { connectS3, failureAt, type S3Connection } from "./s3-client.ts";
import { copyObject } from "./s3-copy.ts";
import { s3CodeOf, statusOf } from "./s3-errors.ts";
import { infoOf, versionId } from "./s3-head.ts";
import { getWhole, pinnedObject } from "./s3-read.ts";
import { uploadStream } from "./s3-upload.ts";
import { lockOn, versionsOf } from "./s3-versions.ts";
import { conditionsOf, putOnCondition } from "./s3-write.ts";
import { checkKey } from "./url.ts";

/** @throws UsageError for a location that cannot be used. Sends nothing yet. */
export async function openS3(
  location: StoreLocation,
  address: { readonly bucket: string; readonly prefix: string },
  limits: StoreLimits,
): Promise<ObjectStore> {
  return new S3Store(await connectS3(location, address, limits));
}

class S3Store implements ObjectStore {
  readonly kind = "s3";
  readonly url: string;
  readonly #connection: S3Connection;

  constructor(connection: S3Connection) {
    this.#connection = connection;
    this.url = connection.url;
  }

  async *list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const { prefix } = this.#connection;
    let last = "";
    for await (const page of this.#pages(prefix + (options.prefix ?? ""), options.signal)) {
      for (const object of page.Contents ?? []) {
        const key = decodeURIComponent((object.Key ?? "").replaceAll("+", "%20")).slice(prefix.length);
        checkKeyOrder(this.url, last, key);
        last = key;
        // Consoles mark a "folder" with an empty object of that name; it is no key of ours.
        if (key !== "" && !key.endsWith("/")) {
          const { Size: size = 0, LastModified: lastModified = new Date(0), ETag: etag = "" } = object;
          yield { key, size, lastModified, etag, version: null, metadata: {} };
        }
      }
    }
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const { bucket, prefix, calls, customerKey } = this.#connection;
    const target = { Bucket: bucket, Key: prefix + checkKey(key), ...customerKey };
    for (let looks = 1; ; looks++) {
      try {
        return infoOf(key, await calls.send(new HeadObjectCommand(target)));
      } catch (error) {
        const refusal = statusOf(error) === undefined ? error : await this.#refusalOfGet(key);
        if (s3CodeOf(refusal) === "NoSuchKey") {
          return null;
        }
        // No refusal: the object came into being between the two questions.
        if (refusal !== null || looks > 1) {
          throw failureAt(this.#connection, "looking at", key, refusal ?? error);
        }
      }
    }
  }

  async open(key: string): Promise<PinnedObject> {
    const info = await this.head(key);
    if (info === null) {
      throw notFound(this.url, key);
    }
    return pinnedObject(this.#connection, info);
  }

  async get(key: string, maxBytes = 16 * 1024 * 1024) {
    return getWhole(this.#connection, checkKey(key), maxBytes);
  }

  async createIfAbsent(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const put = await putOnCondition(this.#connection, checkKey(key), bytes, { IfNoneMatch: "*" });
    return put ? "created" : "exists";
  }

  async replaceIf(key: string, bytes: Uint8Array, etag: string | null): Promise<"replaced" | "changed"> {
    // Whichever way to state the condition is accepted, it held.
    for (const condition of conditionsOf(etag)) {
      if (await putOnCondition(this.#connection, checkKey(key), bytes, condition)) {
        return "replaced";
      }
    }
    if (etag !== null && (await this.head(key))?.etag === etag) {
      // Ceph 16 judges a condition by the version to come: none ever holds, and "only if absent" always does.
      throw new SourceFailed(`the service refused to replace ${this.url}${key} as it was seen, though it is still so`, {
        code: "conditions_ignored",
        hint: "it does not judge conditions in a bucket that keeps versions: use a bucket without versions",
      });
    }
    return "changed";
  }

  async upload(key: string, body: AsyncIterable<Uint8Array>, options: UploadOptions = {}): Promise<UploadedObject> {
    throwIfAborted(options.signal);
    return await uploadStream(this.#connection, checkKey(key), body, options);
  }

  async copy(from: ObjectInfo, to: string, options: CopyOptions): Promise<ObjectInfo | "changed"> {
    return await copyObject(this.#connection, from, checkKey(to), options);
  }

  async versions(key: string, signal?: AbortSignal): Promise<readonly ObjectVersion[]> {
    return await versionsOf(this.#connection, checkKey(key), signal);
  }

  async tags(key: string, version?: string | null): Promise<Readonly<Record<string, string>>> {
    const { bucket, prefix, calls } = this.#connection;
    const target = { Bucket: bucket, Key: prefix + checkKey(key), ...versionId(version) };
    try {
      const { TagSet = [] } = await calls.send(new GetObjectTaggingCommand(target));
      return Object.fromEntries(TagSet.map(({ Key = "", Value = "" }) => [Key, Value]));
    } catch (error) {
      if (s3CodeOf(error) === "NoSuchTagSet") {
        return {};
      }
      const absent = statusOf(error) === 404 && s3CodeOf(error) !== "NoSuchBucket";
      throw absent ? notFound(this.url, key) : failureAt(this.#connection, "reading the tags of", key, error);
    }
  }

  async delete(key: string, version?: string | null): Promise<void> {
    const { bucket, prefix, calls } = this.#connection;
    const pinned = version === undefined ? {} : { VersionId: version ?? "null" };
    try {
      await calls.send(new DeleteObjectCommand({ Bucket: bucket, Key: prefix + checkKey(key), ...pinned }));
    } catch (error) {
      if (s3CodeOf(error) === "NoSuchKey" || s3CodeOf(error) === "NoSuchVersion") {
        return;
      }
      const lock = statusOf(error) === 403 ? await lockOn(this.#connection, key, version ?? null, new Date()) : null;
      throw lock ?? failureAt(this.#connection, "removing", key, error);
    }
  }

  async region(): Promise<string | null> {
    const { bucket: Bucket, calls } = this.#connection;
    try {
      const { LocationConstraint: location } = await calls.send(new GetBucketLocationCommand({ Bucket }));
      // Two names from before regions had names of their own.
      return location === undefined || `${location}` === "" ? "us-east-1" : location === "EU" ? "eu-west-1" : location;
    } catch (error) {
      const found = s3CodeOf(error) === "NoSuchBucket" ? null : await this.#regionByHead();
      if (found === null) {
        throw failureAt(this.#connection, "asking for the region of", "", error);
      }
      return found;
    }
  }

  close(): void {
    this.#connection.close();
  }

  async *#pages(prefix: string, signal: AbortSignal | undefined): AsyncIterable<ListObjectsV2CommandOutput> {
    const { bucket, calls } = this.#connection;
    let token: string | undefined;
    do {
      throwIfAborted(signal);
      // Keys may hold characters that XML cannot.
      const query = { Bucket: bucket, Prefix: prefix, EncodingType: "url" as const };
      const command = new ListObjectsV2Command(token === undefined ? query : { ...query, ContinuationToken: token });
      let page: ListObjectsV2CommandOutput;
      try {
        page = await calls.send(command, signal === undefined ? {} : { abortSignal: signal });
      } catch (error) {
        throwIfAborted(signal);
        throw failureAt(this.#connection, "listing", "", error);
      }
      yield page;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.IsTruncated === true && token === undefined) {
        throw new SourceFailed(`the listing of ${this.url} breaks off without saying where it goes on`, {
          code: "unexpected_answer",
          hint: "check that endpoint speaks the S3 protocol",
        });
      }
    } while (token !== undefined);
  }

  /** What a GET of the object is refused with, or `null` when it is not. */
  async #refusalOfGet(key: string): Promise<unknown> {
    const { bucket, prefix, calls, customerKey } = this.#connection;
    try {
      const answer = await calls.send(
        new GetObjectCommand({ Bucket: bucket, Key: prefix + key, Range: "bytes=0-0", ...customerKey }),
      );
      (answer.Body as Readable).on("error", () => undefined).destroy();
      return null;
    } catch (error) {
      return error;
    }
  }

  async #regionByHead(): Promise<string | null> {
    try {
      const { BucketRegion } = await this.#connection.calls.send(
        new HeadBucketCommand({ Bucket: this.#connection.bucket }),
      );
      return BucketRegion ?? null;
    } catch (error) {
      // The header also comes with a redirect and with a refusal.
      return error instanceof S3ServiceException
        ? ((error.$response?.headers["x-amz-bucket-region"] as string | undefined) ?? null)
        : null;
    }
  }
}
