/**
 * Writing S3 objects: small ones whole and on condition, large ones streamed.
 *
 * Invariants: a condition is the service's to judge (If-None-Match, If-Match), never ours. Every write carries an ID of
 * its own in the metadata: when an answer was lost and the repeated request is refused, the ID tells whether it was our
 * own earlier attempt that is there.
 */

import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { HeadObjectCommand, type HeadObjectCommandOutput, PutObjectCommand } from "@aws-sdk/client-s3";
import { SourceFailed, throwIfAborted } from "../errors.ts";
import { abortable } from "./abortable.ts";
import { backOff } from "./backoff.ts";
import type { UploadOptions } from "./contract.ts";
import { objectChanged } from "./pinned.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { attemptsOf, s3CodeOf, statusOf } from "./s3-errors.ts";

/** Metadata key of a write's ID; left out of what the store tells of an object. */
export const WRITE_ID = "sanitize-write";

const PART_BYTES = 16 * 1024 * 1024;
const PARTS_IN_FLIGHT = 3;

export type Condition = { readonly IfNoneMatch: "*" } | { readonly IfMatch: string };

/**
 * Puts the object if the condition holds.
 * @returns whether it was put.
 */
export async function putOnCondition(
  connection: S3Connection,
  key: string,
  bytes: Uint8Array,
  condition: Condition,
): Promise<boolean> {
  const writeId = randomUUID();
  const command = new PutObjectCommand({
    Bucket: connection.bucket,
    Key: connection.prefix + key,
    Body: bytes,
    Metadata: { [WRITE_ID]: writeId },
    ...condition,
    ...connection.customerKey,
  });
  for (let conflicts = 1; ; conflicts++) {
    try {
      await connection.calls.send(command);
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 412) {
        return (conflicts > 1 || attemptsOf(error) > 1) && (await isOurs(connection, key, writeId));
      }
      if (status === 404 && s3CodeOf(error) !== "NoSuchBucket" && "IfMatch" in condition) {
        return false;
      }
      // Another conditional write is under way: which of the two is first shows when we ask again.
      if (status !== 409 || conflicts >= connection.limits.maxAttempts) {
        throw failureAt(connection, "writing", key, error);
      }
    }
    await backOff(conflicts);
  }
}

/**
 * Streams the body into the object, in parts of 16 MiB (10,000 at most: 156 GiB), holding four of them in memory.
 *
 * A failing body or an aborted signal ends the body with an error, not the upload: so the SDK waits for the parts under
 * way before it removes them all. An upload whose begin was answered into a broken connection stays, empty; a lifecycle
 * rule (AbortIncompleteMultipartUpload) removes such. Services that ignore If-None-Match on the completion of parts (Ceph does) leave a
 * window between the last look for an object and the completion.
 * @throws SourceFailed `exists`; Interrupted; whatever the body throws, as it is.
 */
export async function uploadStream(
  connection: S3Connection,
  key: string,
  body: AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<HeadObjectCommandOutput> {
  const { Upload } = await import("@aws-sdk/lib-storage");
  const writeId = randomUUID();
  const ifAbsent = options.ifAbsent === true;
  const refuseExisting = async () => {
    if (ifAbsent && (await headOrNull(connection, key)) !== null) {
      throw alreadyThere(connection, key);
    }
  };
  await refuseExisting();
  const watched = new WatchedBody(body, options.signal, refuseExisting);
  const upload = new Upload({
    client: connection.uploads,
    partSize: PART_BYTES,
    queueSize: PARTS_IN_FLIGHT,
    params: {
      Bucket: connection.bucket,
      Key: connection.prefix + key,
      Body: Readable.from(watched.bytes()),
      Metadata: { ...options.metadata, [WRITE_ID]: writeId },
      ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      ...connection.customerKey,
    },
  });
  let version: string | undefined;
  try {
    version = (await upload.done()).VersionId;
  } catch (error) {
    throwIfAborted(options.signal);
    if (watched.failure !== null) {
      throw watched.failure.error;
    }
    const refused = statusOf(error) === 412;
    if (!(refused && (await isOurs(connection, key, writeId)))) {
      throw refused ? alreadyThere(connection, key, error) : failureAt(connection, "writing", key, error);
    }
  }
  const head = await headOrNull(connection, key, version);
  if (head?.Metadata?.[WRITE_ID] !== writeId) {
    throw objectChanged(connection.url, key);
  }
  if (head.ContentLength !== watched.size) {
    throw new SourceFailed(
      `${connection.url}${key} has ${head.ContentLength} bytes there, but ${watched.size} were sent`,
      {
        code: "wrong_length",
        hint: "remove the object and run again",
      },
    );
  }
  return head;
}

/** Counts what goes through and remembers what went wrong: the SDK's own error would hide it. */
class WatchedBody {
  size = 0;
  failure: { readonly error: unknown } | null = null;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  readonly #atEnd: () => Promise<void>;

  constructor(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined, atEnd: () => Promise<void>) {
    this.#body = body;
    this.#signal = signal;
    this.#atEnd = atEnd;
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const piece of abortable(this.#body, this.#signal)) {
        this.size += piece.byteLength;
        yield piece;
      }
      await this.#atEnd();
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

/** The object's head, or `null` where there is no such object. */
export async function headOrNull(
  connection: S3Connection,
  key: string,
  version?: string,
): Promise<HeadObjectCommandOutput | null> {
  try {
    return await connection.calls.send(
      new HeadObjectCommand({
        Bucket: connection.bucket,
        Key: connection.prefix + key,
        ...(version === undefined ? {} : { VersionId: version }),
        ...connection.customerKey,
      }),
    );
  } catch (error) {
    if (statusOf(error) === 404) {
      return null;
    }
    throw failureAt(connection, "looking at", key, error);
  }
}

async function isOurs(connection: S3Connection, key: string, writeId: string): Promise<boolean> {
  return (await headOrNull(connection, key))?.Metadata?.[WRITE_ID] === writeId;
}

function alreadyThere(connection: S3Connection, key: string, cause?: unknown): SourceFailed {
  return new SourceFailed(`${connection.url}${key} is already there`, {
    code: "exists",
    hint: "choose another name, or remove the object first",
    ...(cause === undefined ? {} : { cause: new Error(s3CodeOf(cause)) }),
  });
}
