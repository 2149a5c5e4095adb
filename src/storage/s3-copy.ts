/**
 * Copies inside S3, without the bytes passing through here.
 *
 * Invariants: what is copied is one version with one etag; the copy carries our write's ID, by which it is known when an
 * answer was lost. The conditions are the service's to judge where it can. Ceph (16) ignores them all on copies, both
 * the target's and the source's: so both are looked at before and the source again behind the copy. What remains there is
 * the moment between look and copy, in which another writer's object can be replaced (where versions are kept, it is one of them) or,
 * without versions, a source replaced in it be copied and found out afterwards.
 */

import { randomUUID } from "node:crypto";
import { CopyObjectCommand, type CopyObjectCommandInput, type HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { SourceFailed, throwIfAborted } from "../errors.ts";
import { backOff } from "./backoff.ts";
import type { CopyOptions, ObjectInfo } from "./contract.ts";
import { objectChanged } from "./pinned.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { attemptsOf, s3CodeOf, statusOf } from "./s3-errors.ts";
import { headOrNull, infoOf, isOurs, tagging, WRITE_ID, withTags } from "./s3-head.ts";
import { MAX_PARTS, type PartSource, PartsUpload } from "./s3-parts.ts";
import { pinnedObject } from "./s3-read.ts";
import { uploadStream } from "./s3-upload.ts";
import { conditionsOf, type WriteDetails } from "./s3-write.ts";

const PARTS_IN_FLIGHT = 4;

export interface CopySizes {
  /** Bytes that one request may copy: an answer that takes minutes looks like a dead connection. */
  readonly single: number;
  /** Bytes of a part beyond that. */
  readonly part: number;
}

const SIZES: CopySizes = { single: 256 * 1024 * 1024, part: 256 * 1024 * 1024 };

interface Copy {
  readonly connection: S3Connection;
  readonly from: ObjectInfo;
  readonly to: string;
  readonly details: WriteDetails;
}

/**
 * See `ObjectStore.copy`. `sizes` is for tests.
 * @throws SourceFailed `object_changed`; Interrupted.
 */
export async function copyObject(
  connection: S3Connection,
  from: ObjectInfo,
  to: string,
  options: CopyOptions,
  sizes: CopySizes = SIZES,
): Promise<ObjectInfo | "changed"> {
  const { metadata, tags, signal, ifMatch } = options;
  throwIfAborted(signal);
  const copy: Copy = { connection, from, to, details: { writeId: randomUUID(), metadata, tags, signal } };
  await checkSource(copy);
  if (((await headOrNull(connection, to))?.ETag ?? null) !== ifMatch) {
    return "changed";
  }
  const copied = from.size <= sizes.single ? await inOne(copy, ifMatch) : await inParts(copy, ifMatch, sizes.part);
  if (copied === "not implemented") {
    return await throughHere(copy, options);
  }
  if (!copied) {
    return "changed";
  }
  const head = await headOrNull(connection, to);
  checkCopied(copy, head);
  if (from.version === null && from.key !== to) {
    await checkSource(copy);
  }
  return infoOf(to, await withTags(connection, to, head, tags));
}

/** Whether it was copied: not, when the target is not as the condition says. */
async function inOne(copy: Copy, ifMatch: string | null): Promise<boolean | "not implemented"> {
  const { connection, details, to } = copy;
  for (const condition of conditionsOf(ifMatch)) {
    const command = new CopyObjectCommand({
      Bucket: connection.bucket,
      Key: connection.prefix + to,
      ...sourceOf(copy),
      MetadataDirective: "REPLACE",
      Metadata: { ...details.metadata, [WRITE_ID]: details.writeId },
      TaggingDirective: "REPLACE",
      ...tagging(details.tags),
      ...condition,
      ...connection.customerKey,
    });
    const copied = await sent(copy, command);
    if (copied !== false) {
      return copied;
    }
  }
  return false;
}

async function sent(copy: Copy, command: CopyObjectCommand): Promise<boolean | "not implemented"> {
  const { connection, to, details } = copy;
  for (let conflicts = 1; ; conflicts++) {
    throwIfAborted(details.signal);
    try {
      await connection.uploads.send(command);
      return true;
    } catch (error) {
      if ((conflicts > 1 || attemptsOf(error) > 1) && (await isOurs(connection, to, details.writeId))) {
        return true;
      }
      if (statusOf(error) === 501) {
        return "not implemented";
      }
      if ([404, 412].includes(statusOf(error) ?? 0) && s3CodeOf(error) !== "NoSuchBucket") {
        // Either of the two conditions may have failed.
        await checkSource(copy);
        return false;
      }
      if (statusOf(error) !== 409 || conflicts >= connection.limits.maxAttempts) {
        throw failureAt(connection, "writing", to, error);
      }
    }
    await backOff(conflicts, details.signal);
  }
}

/** For services that do not copy what is encrypted (Ceph 16 under a customer's key). */
async function throughHere(
  { connection, from, to }: Copy,
  { ifMatch, ...options }: CopyOptions,
): Promise<ObjectInfo | "changed"> {
  const bytes = pinnedObject(connection, from).read(0, from.size, options.signal);
  try {
    const { sha256: _sha256, ...info } = await uploadStream(connection, to, bytes, options, ifMatch);
    return info;
  } catch (error) {
    if (error instanceof SourceFailed && error.code === "exists") {
      return "changed";
    }
    throw error;
  }
}

async function inParts(copy: Copy, ifMatch: string | null, atLeast: number): Promise<boolean> {
  const { connection, from, to, details } = copy;
  const size = Math.max(atLeast, Math.ceil(from.size / MAX_PARTS));
  const upload = await PartsUpload.begin(connection, to, details);
  try {
    for (let start = 0, number = 1; start < from.size; start += size, number++) {
      const range = `bytes=${start}-${Math.min(start + size, from.size) - 1}`;
      await upload.copy(number, { ...sourceOf(copy), CopySourceRange: range }, PARTS_IN_FLIGHT);
    }
    await upload.settled();
    await checkSource(copy);
    if (((await headOrNull(connection, to))?.ETag ?? null) === ifMatch) {
      for (const condition of conditionsOf(ifMatch)) {
        if ((await upload.complete(condition)) !== null) {
          return true;
        }
      }
    }
  } catch (error) {
    await upload.abandon();
    throw error;
  }
  await upload.abandon();
  return false;
}

function sourceOf({ connection, from }: Copy): PartSource & Pick<CopyObjectCommandInput, "CopySource"> {
  const path = `${connection.bucket}/${connection.prefix}${from.key}`.split("/").map(encodeURIComponent).join("/");
  const { customerKey } = connection;
  return {
    CopySource: from.version === null ? path : `${path}?versionId=${encodeURIComponent(from.version)}`,
    CopySourceIfMatch: from.etag,
    ...(customerKey.SSECustomerKey === undefined
      ? {}
      : {
          CopySourceSSECustomerAlgorithm: customerKey.SSECustomerAlgorithm,
          CopySourceSSECustomerKey: customerKey.SSECustomerKey,
        }),
  };
}

async function checkSource({ connection, from }: Copy): Promise<void> {
  const head = await headOrNull(connection, from.key, from.version);
  if (head?.ETag !== from.etag) {
    throw objectChanged(connection.url, from.key);
  }
}

function checkCopied(
  { connection, from, to, details }: Copy,
  head: HeadObjectCommandOutput | null,
): asserts head is HeadObjectCommandOutput {
  if (head?.Metadata?.[WRITE_ID] !== details.writeId) {
    throw objectChanged(connection.url, to);
  }
  if (head.ContentLength !== from.size) {
    throw new SourceFailed(`${connection.url}${to} has ${head.ContentLength} bytes, its original ${from.size}`, {
      code: "wrong_length",
      hint: "remove the copy and run again",
    });
  }
}
