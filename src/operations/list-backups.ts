/**
 * What a store holds that may be a backup.
 *
 * A folder or prefix that holds `toc.dat` (as it is, or compressed by hand) directly is one backup, whose key ends with a
 * slash; the key of the store's own root is empty. What lies in folders below it is no part of it.
 */
import type { ObjectInfo, ObjectStore } from "../storage/contract.ts";

export type BackupKind = "object" | "directory";

export interface BackupPlace {
  readonly store: ObjectStore;
  readonly key: string;
  readonly kind: BackupKind;
}

export interface ListedBackup extends ObjectInfo {
  readonly kind: BackupKind;
}

/** Stands for the root of the source, where that is a directory archive. */
export const sourceRoot = ".";

const companion = /(?:\.(?:json|sig|sha256|md5|txt|log|manifest|tmp|sanitize-\d{8}t\d{6}_[0-9a-f]+)|\/)$/i;
const contents = /(?:^|\/)toc\.dat(?:\.(?:gz|lz4|zst))?$/;

/** Files that tools put beside backups, and copies that a killed `scrub --replace` left; never taken for one. */
export function isCompanion(key: string): boolean {
  return companion.test(key);
}

/** Whether it is the table of contents of the directory archive that it lies in. */
export function isContents(key: string): boolean {
  return contents.test(key);
}

/** What the store holds that may be a backup, newest first; of a directory the size of all files and the age of toc.dat. */
export async function listBackups(store: ObjectStore, signal: AbortSignal): Promise<ListedBackup[]> {
  const folders = new Map<string, ObjectInfo[]>();
  for await (const object of store.list({ signal })) {
    if (object.size === 0 || isCompanion(object.key)) continue;
    const folder = object.key.slice(0, object.key.lastIndexOf("/") + 1);
    const files = folders.get(folder);
    if (files === undefined) folders.set(folder, [object]);
    else files.push(object);
  }
  return [...folders]
    .flatMap(([folder, files]) => asBackups(folder, files))
    .sort((a, b) => b.lastModified.getTime() - a.lastModified.getTime() || (a.key < b.key ? 1 : -1));
}

function asBackups(folder: string, files: readonly ObjectInfo[]): ListedBackup[] {
  const toc = files.find(({ key }) => isContents(key));
  if (toc === undefined) return files.map((file) => ({ ...file, kind: "object" }));
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return [{ ...toc, key: folder, size, kind: "directory" }];
}
