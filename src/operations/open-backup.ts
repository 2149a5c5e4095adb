/** Opens a backup through its gates: region, then age, then the archive itself. */
import type { Archive } from "../archive/model.ts";
import { closeArchive } from "../archive/open-archive.ts";
import type { BackupEvidence } from "../evidence/document.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { findBackup } from "./find-backup.ts";
import { checkAge, checkSourceRegion, hardAgeLimit, type SnapshotTime, snapshotTime } from "./gates.ts";
import type { BackupKind } from "./list-backups.ts";
import { type BackupObject, openPlace } from "./open-place.ts";
import type { RunContext } from "./settings.ts";

export interface OpenBackup {
  readonly store: ObjectStore;
  readonly kind: BackupKind;
  readonly object: BackupObject;
  readonly archive: Archive;
  readonly snapshot: SnapshotTime;
  readonly evidence: BackupEvidence;
  /** Ends what the archive keeps open between reads, and the store. */
  close(): Promise<void>;
}

/** To be closed by the caller. @throws BackupRefused, ArchiveDamaged, SourceFailed, UsageError. */
export async function openBackup(run: RunContext, backup: string): Promise<OpenBackup> {
  const { settings, signal } = run;
  let region: string | null = null;
  const place = await findBackup(settings, backup, signal, {
    now: run.now,
    beforeLooking: async (bucket) => {
      region = await checkSourceRegion(bucket, settings.source);
    },
  });
  const { store, key, kind } = place;
  let opened: Archive | null = null;
  const close = async (): Promise<void> => {
    if (opened !== null) await closeArchive(opened);
    store.close();
  };
  try {
    const counted = (bytes: number) => run.onEvent({ type: "progress", rows: 0, bytes });
    const { object, archive } = await openPlace(place, settings, signal, counted);
    opened = archive;
    const now = run.now();
    const snapshot = snapshotTime(archive.header, object.info, settings.source, now);
    const age = checkAge(snapshot, settings.limits.maxBackupAge, now, "at start");
    const { header } = archive;
    const evidence: BackupEvidence = {
      location: `${store.url}${key}`,
      version: object.info.version ?? object.info.etag,
      size: object.info.size,
      region,
      snapshot_at: snapshot.at.toISOString(),
      snapshot_evidence: snapshot.evidence,
      age_seconds: Math.round(age),
      age_limit_seconds: Math.min(settings.limits.maxBackupAge, hardAgeLimit) / 1000,
      format: header.format,
      archive_version: header.version,
      compression: header.compression,
      database: header.database,
    };
    return { store, kind, object, archive, snapshot, evidence, close };
  } catch (error) {
    await close();
    throw error;
  }
}
