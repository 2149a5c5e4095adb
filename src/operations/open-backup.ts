/** Opens a backup through its gates: region, then age, then the archive itself. */
import type { Archive, ByteSource } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import type { BackupEvidence } from "../evidence/document.ts";
import type { ObjectStore, PinnedObject } from "../storage/contract.ts";
import { findBackup } from "./find-backup.ts";
import { checkAge, checkSourceRegion, hardAgeLimit, type SnapshotTime, snapshotTime } from "./gates.ts";
import type { RunContext } from "./settings.ts";

export interface OpenBackup {
  readonly store: ObjectStore;
  readonly object: PinnedObject;
  readonly archive: Archive;
  readonly snapshot: SnapshotTime;
  readonly evidence: BackupEvidence;
}

/** The store is to be closed by the caller. @throws BackupRefused, ArchiveDamaged, SourceFailed, UsageError. */
export async function openBackup(run: RunContext, backup: string): Promise<OpenBackup> {
  const { settings, signal } = run;
  const { store, key } = await findBackup(settings.source, backup, signal);
  try {
    const region = await checkSourceRegion(store, settings.source);
    const object = await store.open(key);
    const archive = await openArchive(counted(object, run), { signal });
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
    return { store, object, archive, snapshot, evidence };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** The object, telling how many bytes came from it. */
function counted(object: PinnedObject, run: RunContext): ByteSource {
  return {
    size: object.size,
    async *read(start, end, signal) {
      for await (const bytes of object.read(start, end, signal)) {
        run.onEvent({ type: "progress", rows: 0, bytes: bytes.length });
        yield bytes;
      }
    },
  };
}
