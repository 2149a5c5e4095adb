/**
 * Puts a copy that lies beside the original, read back and found right, in the original's place.
 *
 * Invariants: the original is replaced only if it is still the one that was read; only versions older than the copy are
 * removed, so that a backup written meanwhile stays; the copy is in its place before anything is removed.
 */
import { BackupRefused, SourceFailed } from "../../errors.ts";
import type { ObjectInfo, ObjectStore, ObjectVersion } from "../../storage/contract.ts";
import type { RunContext } from "../settings.ts";
import type { CopyLabels } from "./scrub-place.ts";

/** The key beside the original; listings do not take it for a backup. */
export function besideOriginal(key: string, run: string): string {
  return `${key}.sanitize-${run}`;
}

/** @throws BackupRefused `backup_changed` when the original is another one now; nothing has been touched then. */
export async function putInPlace(
  run: RunContext,
  store: ObjectStore,
  copy: ObjectInfo,
  original: ObjectInfo,
  labels: CopyLabels,
): Promise<ObjectInfo> {
  const placed = await store.copy(copy, original.key, { ...labels, ifMatch: original.etag, signal: run.signal });
  if (placed === "changed") {
    throw new BackupRefused(`${store.url}${original.key} was changed while its copy was being made`, {
      code: "backup_changed",
      hint: "it was left as it is; run the command again",
    });
  }
  if (placed.size === copy.size) return placed;
  throw new SourceFailed(`${store.url}${original.key} has ${placed.size} bytes, its copy has ${copy.size}`, {
    code: "wrong_length",
    hint: `the whole copy still lies at ${copy.key}`,
  });
}

/** Removes every version and delete marker older than `placed`; tells how many. @throws SourceFailed `locked`. */
export async function removeOlderVersions(store: ObjectStore, placed: ObjectInfo): Promise<number> {
  const versions = await store.versions(placed.key);
  const at = versions.findIndex((version) => isPlaced(version, placed));
  if (at < 0) {
    throw new SourceFailed(`the copy at ${store.url}${placed.key} is not among its versions`, {
      code: "object_changed",
      hint: "something else writes to this key; look at its versions: the original may still be there",
    });
  }
  const older = versions.slice(at + 1);
  for (const { version } of older) await store.delete(placed.key, version);
  return older.length;
}

function isPlaced(version: ObjectVersion, placed: ObjectInfo): boolean {
  if (version.isDeleteMarker || version.version !== placed.version) return false;
  return placed.version !== null || version.etag === placed.etag;
}
