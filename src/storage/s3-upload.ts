/**
 * Streaming into S3: without a head by the SDK's own upload, with a late head by one of ours, which sends the first part
 * last.
 *
 * Invariants: memory holds five parts at most (three under way, one filling, and the first, which waits for its head),
 * 256 MiB under way where parts have grown large. The object that is there at the end is looked at: it has our write's ID
 * and as many bytes as were sent. Services that ignore If-None-Match on the completion of parts (Ceph does) leave a window
 * between the last look for an object and the completion.
 */

import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { DeleteObjectCommand, type HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { SourceFailed, throwIfAborted } from "../errors.ts";
import { abortable } from "./abortable.ts";
import type { LateHead, UploadedObject, UploadOptions } from "./contract.ts";
import { HashedBody } from "./hashed-body.ts";
import { cutIntoParts, partBytes } from "./parts.ts";
import { alreadyThere, bytesOfHead, objectChanged } from "./pinned.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { s3CodeOf, statusOf } from "./s3-errors.ts";
import { headOrNull, infoOf, isOurs, tagging, versionId, versionOf, WRITE_ID, withTags } from "./s3-head.ts";
import { PartsUpload } from "./s3-parts.ts";
import { type Condition, conditionsOf, putOnCondition, type WriteDetails } from "./s3-write.ts";

const PARTS_IN_FLIGHT = 3;
const BYTES_IN_FLIGHT = 256 * 1024 * 1024;

/**
 * Streams the body into the object: 156 GiB at most without a head, 968 GiB with one. `expected` is the etag that the
 * object must have meanwhile, `null` where it may not be there.
 * @throws SourceFailed `exists`; Interrupted; whatever the body and the head throw, as it is.
 */
export async function uploadStream(
  connection: S3Connection,
  key: string,
  body: AsyncIterable<Uint8Array>,
  options: UploadOptions,
  expected: string | null | undefined = options.ifAbsent === true ? null : undefined,
): Promise<UploadedObject> {
  const { head: lateHead, metadata, tags, signal } = options;
  const details: WriteDetails = { writeId: randomUUID(), metadata, tags, signal };
  const refuseOther = async (): Promise<void> => {
    if (expected !== undefined && ((await headOrNull(connection, key))?.ETag ?? null) !== expected) {
      throw alreadyThere(connection.url, key);
    }
  };
  await refuseOther();
  const hashed = new HashedBody(body, lateHead === undefined);
  const condition = expected === undefined ? null : (conditionsOf(expected)[0] ?? null);
  const target: Target = { connection, key, details, condition, refuseOther };
  const bytes = abortable(hashed.bytes(), signal);
  const version =
    lateHead === undefined ? await uploadBySdk(target, bytes) : await uploadWithHead(target, bytes, lateHead);
  try {
    const head = await headOrNull(connection, key, version);
    checkWritten(target, head, hashed.size + (lateHead?.length ?? 0));
    return { ...infoOf(key, await withTags(connection, key, head, tags)), sha256: hashed.digest() };
  } catch (error) {
    // Where something was there before, what is there now may be all that is left.
    if (expected === null) {
      await removeWritten(target, version);
    }
    throw error;
  }
}

interface Target {
  readonly connection: S3Connection;
  readonly key: string;
  readonly details: WriteDetails;
  /** As it is put to the service. */
  readonly condition: Condition | null;
  /** The last look before the object is made of its parts. */
  readonly refuseOther: () => Promise<void>;
}

/** Parts of 16 MiB by @aws-sdk/lib-storage; small objects whole. @returns the version ID, where the service says it. */
async function uploadBySdk(target: Target, bytes: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const { Upload } = await import("@aws-sdk/lib-storage");
  const { connection, key, details } = target;
  // A failing body ends with an error, not the upload: so the SDK waits for the parts under way before it removes them.
  let failure: { readonly error: unknown } | null = null;
  const watched = (async function* () {
    try {
      yield* bytes;
      await target.refuseOther();
    } catch (error) {
      failure = { error };
      throw error;
    }
  })();
  const upload = new Upload({
    client: connection.uploads,
    partSize: partBytes(1),
    queueSize: PARTS_IN_FLIGHT,
    params: {
      Bucket: connection.bucket,
      Key: connection.prefix + key,
      Body: Readable.from(watched),
      Metadata: { ...details.metadata, [WRITE_ID]: details.writeId },
      ...tagging(details.tags),
      ...target.condition,
      ...connection.customerKey,
    },
  });
  try {
    return (await upload.done()).VersionId;
  } catch (error) {
    throwIfAborted(details.signal);
    const broken = failure as { readonly error: unknown } | null;
    if (broken !== null) {
      throw broken.error;
    }
    // The answer to an earlier attempt may have been lost, and the upload be gone because it was completed.
    if (await isOurs(connection, key, details.writeId).catch(() => false)) {
      return undefined;
    }
    throw statusOf(error) === 412
      ? alreadyThere(connection.url, key, new Error(s3CodeOf(error)))
      : failureAt(connection, "writing", key, error);
  }
}

/** The first part waits for the head that begins it; the others go as they come. What fits into one part is put whole. */
async function uploadWithHead(
  target: Target,
  bytes: AsyncIterable<Uint8Array>,
  head: LateHead,
): Promise<string | undefined> {
  const { connection, key, details, condition } = target;
  const parts = cutIntoParts(bytes, head.length);
  let upload: PartsUpload | null = null;
  try {
    const first = (await parts.next()).value ?? Buffer.alloc(0);
    let number = 1;
    for await (const part of parts) {
      number += 1;
      upload ??= await PartsUpload.begin(connection, key, details);
      await upload.put(number, part, Math.max(1, Math.min(PARTS_IN_FLIGHT, BYTES_IN_FLIGHT / partBytes(number))));
    }
    await upload?.settled();
    const whole = Buffer.concat([bytesOfHead(head), first]);
    if (upload === null) {
      if (await putOnCondition(connection, key, whole, condition, details)) {
        return undefined;
      }
      throw alreadyThere(connection.url, key);
    }
    await upload.put(1, whole, 1);
    await upload.settled();
    await target.refuseOther();
    const completed = await upload.complete(condition);
    if (completed === null) {
      throw alreadyThere(connection.url, key);
    }
    return completed.version;
  } catch (error) {
    await upload?.abandon();
    throw error;
  } finally {
    await parts.return();
  }
}

/** Takes away what is there and found wrong, or could not be tagged. Never throws: why it is done is the news. */
async function removeWritten({ connection, key, details }: Target, version: string | undefined): Promise<void> {
  try {
    const head = await headOrNull(connection, key, version);
    if (head?.Metadata?.[WRITE_ID] === details.writeId) {
      await connection.calls.send(
        new DeleteObjectCommand({
          Bucket: connection.bucket,
          Key: connection.prefix + key,
          ...versionId(versionOf(head.VersionId)),
        }),
      );
    }
  } catch {
    // The store that refused the look or the tags refuses this, too: the error that follows names the key.
  }
}

function checkWritten(
  { connection, key, details }: Target,
  head: HeadObjectCommandOutput | null,
  size: number,
): asserts head is HeadObjectCommandOutput {
  if (head?.Metadata?.[WRITE_ID] !== details.writeId) {
    throw objectChanged(connection.url, key);
  }
  if (head.ContentLength !== size) {
    throw new SourceFailed(`${connection.url}${key} has ${head.ContentLength} bytes there, but ${size} were sent`, {
      code: "wrong_length",
      hint: "remove the object and run again",
    });
  }
}
