/** What lies in the bucket: each backup with its age, its format, and whether it may be restored. */
import type { Archive } from "../archive/model.ts";
import { SanitizeError } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { openStore } from "../storage/open-store.ts";
import { checkAge, checkSourceRegion, snapshotTime } from "./gates.ts";
import { type ListedBackup, listBackups, sourceRoot } from "./list-backups.ts";
import { describePlace } from "./open-place.ts";
import type { RunContext } from "./settings.ts";

export interface BackupDescription {
  /** Ends with a slash for a directory archive; `.` where the source itself is one. */
  readonly key: string;
  readonly size: number;
  readonly snapshot_at: string;
  readonly age_seconds: number;
  /** For example `custom 1.16 zstd`, `plain inside gzip`; `null` when the object is no archive. */
  readonly format: string | null;
  readonly database: string | null;
  readonly verdict: "restorable" | "too old" | "unreadable";
  readonly reason: string | null;
}

/** Youngest snapshot first. Reads of each backup what tells its tables, nothing else. @throws BackupRefused, SourceFailed. */
export async function describeBackups(run: RunContext): Promise<BackupDescription[]> {
  const store = await openStore(run.settings.source.location);
  try {
    await checkSourceRegion(store, run.settings.source);
    const described: BackupDescription[] = [];
    for (const object of await listBackups(store, run.signal)) described.push(await describe(store, object, run));
    return described.sort((a, b) => (a.snapshot_at < b.snapshot_at ? 1 : a.snapshot_at > b.snapshot_at ? -1 : 0));
  } finally {
    store.close();
  }
}

async function describe(store: ObjectStore, listed: ListedBackup, run: RunContext): Promise<BackupDescription> {
  const now = run.now();
  const base = { key: listed.key === "" ? sourceRoot : listed.key, size: listed.size };
  const unread = {
    snapshot_at: listed.lastModified.toISOString(),
    age_seconds: Math.round((now.getTime() - listed.lastModified.getTime()) / 1000),
  };
  try {
    const place = { store, key: listed.key, kind: listed.kind };
    const { object, header, wrapping } = await describePlace(place, run.settings, run.signal);
    const snapshot = snapshotTime(header, object.info, run.settings.source, now);
    const known = {
      ...base,
      snapshot_at: snapshot.at.toISOString(),
      age_seconds: Math.round((now.getTime() - snapshot.at.getTime()) / 1000),
      format: formatOf(header, wrapping),
      database: header.database === "" ? null : header.database,
    };
    try {
      checkAge(snapshot, run.settings.limits.maxBackupAge, now, "at start");
    } catch (error) {
      if (error instanceof SanitizeError) return { ...known, verdict: "too old", reason: error.message };
      throw error;
    }
    return { ...known, verdict: "restorable", reason: null };
  } catch (error) {
    // one bad object must not hide the others; what the network does is an error all the same
    if (!(error instanceof SanitizeError) || error.exitCode === 8 || error.exitCode === 130) throw error;
    return { ...base, ...unread, format: null, database: null, verdict: "unreadable", reason: error.message };
  }
}

function formatOf(header: Archive["header"], wrapping: readonly string[]): string {
  const inner = header.format === "plain" ? "plain" : `${header.format} ${header.version} ${header.compression}`;
  return wrapping.length === 0 ? inner : `${inner} inside ${wrapping.join(", ")}`;
}
