/** The versions of one S3 object, and why one of them may not be removed. */

import {
  type DeleteMarkerEntry,
  type HeadObjectCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
} from "@aws-sdk/client-s3";
import { SourceFailed, throwIfAborted } from "../errors.ts";
import type { ObjectVersion } from "./contract.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { headOrNull, versionOf } from "./s3-head.ts";

/** Newest first. A listing by prefix also tells of longer keys, which follow. */
export async function versionsOf(
  connection: S3Connection,
  key: string,
  signal?: AbortSignal,
): Promise<readonly ObjectVersion[]> {
  const name = connection.prefix + key;
  const found: ObjectVersion[] = [];
  let from: { KeyMarker?: string; VersionIdMarker?: string } | null = {};
  while (from !== null) {
    throwIfAborted(signal);
    const query: ListObjectVersionsCommandInput = {
      Bucket: connection.bucket,
      Prefix: name,
      EncodingType: "url",
      ...from,
    };
    const page: ListObjectVersionsCommandOutput = await connection.calls
      .send(new ListObjectVersionsCommand(query))
      .catch((error: unknown) => {
        throw failureAt(connection, "listing the versions of", key, error);
      });
    for (const version of page.Versions ?? []) {
      if (decoded(version.Key) === name) {
        found.push({ ...common(version), etag: version.ETag ?? "", size: version.Size ?? 0, isDeleteMarker: false });
      }
    }
    for (const marker of page.DeleteMarkers ?? []) {
      if (decoded(marker.Key) === name) {
        found.push({ ...common(marker), etag: "", size: 0, isDeleteMarker: true });
      }
    }
    const { NextKeyMarker: keyMarker, NextVersionIdMarker: versionMarker } = page;
    const more = page.IsTruncated === true && decoded(keyMarker) === name;
    from = more ? { KeyMarker: name, ...(versionMarker ? { VersionIdMarker: versionMarker } : {}) } : null;
  }
  return found.sort(
    (a, b) => Number(b.isLatest) - Number(a.isLatest) || b.lastModified.getTime() - a.lastModified.getTime(),
  );
}

function common(version: DeleteMarkerEntry) {
  return {
    version: versionOf(version.VersionId),
    isLatest: version.IsLatest === true,
    lastModified: version.LastModified ?? new Date(0),
  };
}

function decoded(key: string | undefined): string {
  return decodeURIComponent((key ?? "").replaceAll("+", "%20"));
}

/** Why a removal that was denied is denied: a lock on the version, or `null` where there is none to be seen. */
export async function lockOn(
  connection: S3Connection,
  key: string,
  version: string | null,
  now: Date,
): Promise<SourceFailed | null> {
  const head = await headOrNull(connection, key, version).catch(() => null);
  const reason = head === null ? null : lockOf(head, now);
  return reason === null
    ? null
    : new SourceFailed(`${connection.url}${key} may not be removed: ${reason.fact}`, {
        code: "locked",
        hint: reason.hint,
      });
}

function lockOf(head: HeadObjectCommandOutput, now: Date): { readonly fact: string; readonly hint: string } | null {
  if (head.ObjectLockLegalHoldStatus === "ON") {
    return { fact: "it is under a legal hold", hint: "have the hold lifted (s3:PutObjectLegalHold), then run again" };
  }
  const until = head.ObjectLockRetainUntilDate;
  if (until === undefined || until <= now) {
    return null;
  }
  const mode = head.ObjectLockMode === "COMPLIANCE" ? "compliance" : "governance";
  return {
    fact: `it is retained until ${until.toISOString()} (Object Lock, ${mode} mode)`,
    hint:
      mode === "governance"
        ? "run again after that, or have the retention shortened (s3:BypassGovernanceRetention)"
        : "nobody can remove it before that; shorten the bucket's default retention for backups to come",
  };
}
