/**
 * Writing small S3 objects whole and on condition.
 *
 * Invariants: a condition is the service's to judge (If-None-Match, If-Match), never ours. Every write carries an ID of
 * its own in the metadata: when an answer was lost and the repeated request is refused, the ID tells whether it was our
 * own earlier attempt that is there.
 */

import { randomUUID } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { throwIfAborted } from "../errors.ts";
import { backOff } from "./backoff.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { attemptsOf, s3CodeOf, statusOf } from "./s3-errors.ts";
import { isOurs, tagging, WRITE_ID } from "./s3-head.ts";

export type Condition = { readonly IfNoneMatch: "*" } | { readonly IfMatch: string };

/** What a write carries beside its bytes. */
export interface WriteDetails {
  readonly writeId: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The ways to state a condition: Ceph compares If-Match without quotes, against the standard; AWS takes both. */
export function conditionsOf(etag: string | null): readonly Condition[] {
  const bare = etag?.replaceAll('"', "");
  return bare === undefined ? [{ IfNoneMatch: "*" }] : [{ IfMatch: bare }, { IfMatch: `"${bare}"` }];
}

/**
 * Puts the object if the condition holds (`null`: whatever is there).
 * @returns whether it was put.
 */
export async function putOnCondition(
  connection: S3Connection,
  key: string,
  bytes: Uint8Array,
  condition: Condition | null,
  details: WriteDetails = { writeId: randomUUID() },
): Promise<boolean> {
  const { writeId, metadata, tags, signal } = details;
  const command = new PutObjectCommand({
    Bucket: connection.bucket,
    Key: connection.prefix + key,
    Body: bytes,
    Metadata: { ...metadata, [WRITE_ID]: writeId },
    ...tagging(tags),
    ...condition,
    ...connection.customerKey,
  });
  for (let conflicts = 1; ; conflicts++) {
    throwIfAborted(signal);
    try {
      await connection.calls.send(command);
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 412) {
        return (conflicts > 1 || attemptsOf(error) > 1) && (await isOurs(connection, key, writeId));
      }
      if (status === 404 && s3CodeOf(error) !== "NoSuchBucket" && condition !== null && "IfMatch" in condition) {
        return false;
      }
      // Another conditional write is under way: which of the two is first shows when we ask again.
      if (status !== 409 || conflicts >= connection.limits.maxAttempts) {
        throw failureAt(connection, "writing", key, error);
      }
    }
    await backOff(conflicts, signal);
  }
}
