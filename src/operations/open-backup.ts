/** Opens a backup through its gates: region, then age, then the archive itself. */
import type { Archive, OpenOptions } from "../archive/model.ts";
import { closeArchive, openArchive, readHeaderOf } from "../archive/open-archive.ts";
import { openArchiveFiles } from "../archive/open-files.ts";
import type { BackupEvidence } from "../evidence/document.ts";
import type { ObjectInfo, ObjectStore, PinnedObject } from "../storage/contract.ts";
import { decryptionKeys } from "./decryption-keys.ts";
import { directoryFiles } from "./directory-files.ts";
import { type BackupKind, type BackupPlace, findBackup } from "./find-backup.ts";
import { checkAge, checkSourceRegion, hardAgeLimit, type SnapshotTime, snapshotTime } from "./gates.ts";
import type { RunContext, Settings } from "./settings.ts";

/** What is known of a backup as a whole. */
export interface BackupObject {
  /** Of a directory: see `DirectoryBackup.info`; its key ends with a slash, or is empty. */
  readonly info: ObjectInfo;
  readonly size: number;
  /** The file that carries metadata and tags: the backup itself, or a directory's toc.dat. */
  readonly labelled: ObjectInfo;
}

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
  const place = await findBackup(settings.source, backup, signal, async (bucket) => {
    region = await checkSourceRegion(bucket, settings.source);
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

/**
 * The archive at a place, and what is known of the place; no gate but the archive's own. `onBytes` is told of all that is
 * read. @throws BackupRefused `not_found`, ArchiveDamaged, SourceFailed, UsageError.
 */
export async function openPlace(
  { store, key, kind }: BackupPlace,
  settings: Settings,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<{ readonly object: BackupObject; readonly archive: Archive }> {
  const options = openOptions(settings, signal);
  if (kind === "directory") {
    const { info, contents, files } = await directoryFiles(store, key, signal, (file) => counted(file, onBytes));
    return { object: { info, size: info.size, labelled: contents }, archive: await openArchiveFiles(files, options) };
  }
  const file = await store.open(key);
  const { info, size } = file;
  return { object: { info, size, labelled: info }, archive: await openArchive(counted(file, onBytes), options) };
}

/** As {@link openPlace}, for a listing: what can be told without reading a backup that has no table of contents. */
export async function describePlace(
  place: BackupPlace,
  settings: Settings,
  signal: AbortSignal,
): Promise<{ readonly object: BackupObject } & Pick<Archive, "header" | "wrapping">> {
  if (place.kind === "directory") {
    const { object, archive } = await openPlace(place, settings, signal);
    return { object, header: archive.header, wrapping: archive.wrapping };
  }
  const file = await place.store.open(place.key);
  const { info, size } = file;
  const { header, wrapping } = await readHeaderOf(file, openOptions(settings, signal));
  return { object: { info, size, labelled: info }, header, wrapping };
}

function openOptions({ source, limits }: Settings, signal: AbortSignal): OpenOptions {
  return {
    signal,
    keys: () => decryptionKeys(source),
    database: source.database,
    maxExpansion: limits.maxExpansion,
  };
}

/** The object, telling how many bytes came from it. */
function counted(object: PinnedObject, onBytes: (bytes: number) => void): Pick<PinnedObject, "size" | "read"> {
  return {
    size: object.size,
    async *read(start, end, signal) {
      for await (const bytes of object.read(start, end, signal)) {
        onBytes(bytes.length);
        yield bytes;
      }
    },
  };
}
