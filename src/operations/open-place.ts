/** Opens what lies at a place as an archive; no gate but the archive's own. */
import type { Archive, OpenOptions } from "../archive/model.ts";
import { closeArchive, openArchive, readHeaderOf } from "../archive/open-archive.ts";
import { openArchiveFiles } from "../archive/open-files.ts";
import { BackupRefused } from "../errors.ts";
import type { ObjectInfo, PinnedObject } from "../storage/contract.ts";
import { decryptionKeys } from "./decryption-keys.ts";
import { directoryFiles } from "./directory-files.ts";
import type { BackupPlace } from "./list-backups.ts";
import type { ReadingSettings } from "./settings.ts";

/** What is known of a backup as a whole. */
export interface BackupObject {
  /** Of a directory: see `DirectoryBackup.info`; its key ends with a slash, or is empty. */
  readonly info: ObjectInfo;
  readonly size: number;
  /** The file that carries metadata and tags: the backup itself, or a directory's toc.dat. */
  readonly labelled: ObjectInfo;
}

interface OpenPlace {
  readonly object: BackupObject;
  readonly archive: Archive;
}

/**
 * The archive at a place, and what is known of the place; no gate but the archive's own. `onBytes` is told of all that is
 * read. @throws BackupRefused `not_found`, `wrong_database`; ArchiveDamaged, SourceFailed, UsageError.
 */
export async function openPlace(
  place: BackupPlace,
  settings: ReadingSettings,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<OpenPlace> {
  const opened = await openAt(place, settings, signal, onBytes);
  const { database } = opened.archive.header;
  const wanted = settings.source.database;
  if (wanted === undefined || database === "" || database === wanted) return opened;
  await closeArchive(opened.archive);
  throw new BackupRefused(`the backup is of the database ${database}, not of ${wanted}`, {
    code: "wrong_database",
    hint: "name another backup, or leave out --database and source.database, which pick one of a pg_dumpall script",
  });
}

async function openAt(
  { store, key, kind }: BackupPlace,
  settings: ReadingSettings,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<OpenPlace> {
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
  settings: ReadingSettings,
  signal: AbortSignal,
): Promise<{ readonly object: BackupObject } & Pick<Archive, "header" | "wrapping">> {
  if (place.kind === "directory") {
    const { object, archive } = await openAt(place, settings, signal);
    return { object, header: archive.header, wrapping: archive.wrapping };
  }
  const file = await place.store.open(place.key);
  const { info, size } = file;
  const { header, wrapping } = await readHeaderOf(file, openOptions(settings, signal));
  return { object: { info, size, labelled: info }, header, wrapping };
}

function openOptions({ source, limits }: ReadingSettings, signal: AbortSignal): OpenOptions {
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
