/**
 * The backup that `latest` means: the one with the youngest snapshot. A copy that was made of an old backup today is as old as
 * that backup, whatever its file says.
 */
import { SanitizeError } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { snapshotTime } from "./gates.ts";
import { type ListedBackup, listBackups } from "./list-backups.ts";
import { describePlace } from "./open-place.ts";
import type { ReadingSettings } from "./settings.ts";

/**
 * `null` in an empty store. A snapshot is never younger than its file, so that of a bucket in order only the newest file is
 * looked into. Where the newest file of all cannot be read it is the one: opening it says what is wrong with it.
 */
export async function newestBackup(
  store: ObjectStore,
  settings: ReadingSettings,
  signal: AbortSignal,
  now: Date,
): Promise<ListedBackup | null> {
  let newest: { readonly backup: ListedBackup; readonly snapshot: Date } | null = null;
  for (const backup of await listBackups(store, signal)) {
    if (newest !== null && backup.lastModified <= newest.snapshot) break;
    const snapshot = await snapshotOf(store, backup, settings, signal, now);
    if (snapshot === null && newest === null) return backup;
    if (snapshot !== null && (newest === null || snapshot > newest.snapshot)) newest = { backup, snapshot };
  }
  return newest?.backup ?? null;
}

/** `null` when nothing can be told of it. */
async function snapshotOf(
  store: ObjectStore,
  { key, kind }: ListedBackup,
  settings: ReadingSettings,
  signal: AbortSignal,
  now: Date,
): Promise<Date | null> {
  try {
    const { object, header } = await describePlace({ store, key, kind }, settings, signal);
    return snapshotTime(header, object.info, settings.source, now).at;
  } catch (error) {
    // what the network does, and what interrupts, is no property of the backup
    if (!(error instanceof SanitizeError) || error.exitCode === 8 || error.exitCode === 130) throw error;
    return null;
  }
}
