/**
 * Puts a copy that lies beside the original, read back and found right, in the original's place.
 *
 * Invariants: the original is replaced only if it is still the one that was read; only versions older than the copy are
 * removed, so that a backup written meanwhile stays; the copy is in its place before anything is removed, and stays beside it
 * where that cannot be seen.
 */
import { BackupRefused, SourceFailed } from "../../errors.ts";
import type { ObjectInfo, ObjectStore, ObjectVersion } from "../../storage/contract.ts";
import type { RunContext } from "../settings.ts";
import type { CopyLabels, ScrubPlace } from "./scrub-place.ts";

/** The key beside the original; listings do not take it for a backup. */
export function besideOriginal(key: string, run: string): string {
  return `${key}.sanitize-${run}`;
}

/**
 * @throws BackupRefused `backup_changed` when the original is another one now; nothing has been touched then.
 * @throws SourceFailed `replace_unfinished` when it failed and the original is no longer seen in its place; the copy is kept.
 */
export async function putInPlace(
  run: RunContext,
  place: ScrubPlace,
  original: ObjectInfo,
  labels: CopyLabels,
): Promise<ObjectInfo> {
  const { store } = place;
  const copy = place.put[0]!;
  let placed: ObjectInfo | "changed";
  try {
    placed = await store.copy(copy, original.key, { ...labels, ifMatch: original.etag, signal: run.signal });
  } catch (error) {
    if (await isUntouched(store, original)) throw error;
    throw unfinished(place, original.key, error);
  }
  if (placed === "changed") {
    throw new BackupRefused(`${store.url}${original.key} was changed while its copy was being made`, {
      code: "backup_changed",
      hint: "it was left as it is; run the command again",
    });
  }
  if (placed.size === copy.size) return placed;
  throw unfinished(place, original.key, new Error(`it has ${placed.size} bytes, its copy has ${copy.size}`));
}

/** False also where it cannot be seen: the copy may then be the only whole backup. */
async function isUntouched(store: ObjectStore, original: ObjectInfo): Promise<boolean> {
  const found = await store.head(original.key).catch(() => null);
  return found?.etag === original.etag;
}

function unfinished(place: ScrubPlace, key: string, cause: unknown): SourceFailed {
  const { location } = place;
  place.keep();
  return new SourceFailed(
    `${place.store.url}${key} may have been replaced already; the whole copy was kept at ${location}`,
    {
      code: "replace_unfinished",
      hint: "look at both; if the original is gone or whole, run scrub --replace on it again, which removes its older versions; then remove the copy",
      cause,
    },
  );
}

export interface RemovedVersions {
  readonly removed: number;
  /** Why not all of them: the first `locked` met, or what stopped the removing; `undefined` when all went. */
  readonly failure: unknown;
}

/** Removes every version and delete marker older than `placed`: all that can be, where retention keeps some. */
export async function removeOlderVersions(store: ObjectStore, placed: ObjectInfo): Promise<RemovedVersions> {
  const versions = await store.versions(placed.key);
  const at = versions.findIndex((version) => isPlaced(version, placed));
  if (at < 0) {
    throw new SourceFailed(`the copy at ${store.url}${placed.key} is not among its versions`, {
      code: "object_changed",
      hint: "something else writes to this key; look at its versions: the original may still be there",
    });
  }
  let removed = 0;
  let failure: unknown;
  for (const { version } of versions.slice(at + 1)) {
    try {
      await store.delete(placed.key, version);
      removed++;
    } catch (error) {
      failure ??= error;
      if (!(error instanceof SourceFailed && error.code === "locked")) break;
    }
  }
  return { removed, failure };
}

function isPlaced(version: ObjectVersion, placed: ObjectInfo): boolean {
  if (version.isDeleteMarker || version.version !== placed.version) return false;
  return placed.version !== null || version.etag === placed.etag;
}
