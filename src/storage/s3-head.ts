/** What S3 says of an object, and what of it the store tells. */

import { HeadObjectCommand, type HeadObjectCommandOutput, PutObjectTaggingCommand } from "@aws-sdk/client-s3";
import type { ObjectInfo } from "./contract.ts";
import { objectChanged } from "./pinned.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { statusOf } from "./s3-errors.ts";

/** Metadata key of a write's ID; left out of what the store tells of an object. */
export const WRITE_ID = "sanitize-write";

/** The object's head, or `null` where there is no such object. */
export async function headOrNull(
  connection: S3Connection,
  key: string,
  version?: string | null,
): Promise<HeadObjectCommandOutput | null> {
  try {
    return await connection.calls.send(
      new HeadObjectCommand({
        Bucket: connection.bucket,
        Key: connection.prefix + key,
        ...versionId(version),
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

/** Whether what is there now was written under this ID. */
export async function isOurs(connection: S3Connection, key: string, writeId: string): Promise<boolean> {
  return (await headOrNull(connection, key))?.Metadata?.[WRITE_ID] === writeId;
}

export function infoOf(key: string, head: HeadObjectCommandOutput): ObjectInfo {
  const { [WRITE_ID]: _writeId, ...metadata } = head.Metadata ?? {};
  return {
    key,
    size: head.ContentLength ?? 0,
    lastModified: head.LastModified ?? new Date(0),
    etag: head.ETag ?? "",
    version: versionOf(head.VersionId),
    metadata,
  };
}

/** A version written while a bucket kept none is called "null" by some answers and has no ID in others. */
export function versionOf(versionId: string | undefined): string | null {
  return versionId === undefined || versionId === "null" ? null : versionId;
}

export function versionId(version: string | null | undefined): { VersionId?: string } {
  return version === null || version === undefined ? {} : { VersionId: version };
}

/** The `Tagging` of a request, where there are tags at all: it needs a permission of its own. */
export function tagging(tags: Readonly<Record<string, string>> | undefined): { Tagging?: string } {
  const pairs = Object.entries(tags ?? {}).map((pair) => pair.map(encodeURIComponent).join("="));
  return pairs.length === 0 ? {} : { Tagging: pairs.join("&") };
}

/**
 * Sets the tags where the service did not take them with the object: Ceph ignores them on parts and copies.
 * @returns the head as it is then: Ceph changes the time of an object that is tagged.
 */
export async function withTags(
  connection: S3Connection,
  key: string,
  head: HeadObjectCommandOutput,
  tags: Readonly<Record<string, string>> = {},
): Promise<HeadObjectCommandOutput> {
  const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  if (TagSet.length === 0 || head.TagCount === TagSet.length) {
    return head;
  }
  const version = versionOf(head.VersionId);
  const command = new PutObjectTaggingCommand({
    Bucket: connection.bucket,
    Key: connection.prefix + key,
    Tagging: { TagSet },
    ...versionId(version),
  });
  await connection.calls.send(command).catch((error: unknown) => {
    throw failureAt(connection, "tagging", key, error);
  });
  const tagged = await headOrNull(connection, key, version);
  if (tagged === null || tagged.ETag !== head.ETag) {
    throw objectChanged(connection.url, key);
  }
  return tagged;
}
