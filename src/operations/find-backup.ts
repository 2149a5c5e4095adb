/**
 * Which backup is meant, where it lies, and what a listing of the bucket knows of each.
 *
 * A folder or prefix that holds `toc.dat` (as it is, or compressed by hand) directly is one backup, whose key ends with a
 * slash; the key of the store's own root is empty. What lies in folders below it is no part of it.
 */
import { stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, resolve } from "node:path";
import { BackupRefused } from "../errors.ts";
import type { ObjectInfo, ObjectStore } from "../storage/contract.ts";
import { openStore } from "../storage/open-store.ts";
import type { SourceSettings } from "./settings.ts";

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

/**
 * Resolves `latest`, an object key, an `s3://` URL or a path, of a file or of a directory (with or without its slash).
 * `beforeLooking` sees the store before anything is asked of it. The store must be closed by the caller.
 * @throws BackupRefused (`not_found`) when there is none.
 */
export async function findBackup(
  source: SourceSettings,
  backup: string,
  signal: AbortSignal,
  beforeLooking: (store: ObjectStore) => Promise<void> = () => Promise.resolve(),
): Promise<BackupPlace> {
  if (isAbsolute(backup) || /^\.{1,2}[/\\]/.test(backup)) return await atPath(resolve(backup), beforeLooking);
  const remote = backup.startsWith("s3://");
  // s3://bucket/dir/ is a root of its own; s3://bucket/key is a key of what it lies in
  const cut = remote ? backup.lastIndexOf("/") + 1 : 0;
  const store = await openStore(remote ? { ...source.location, url: backup.slice(0, cut) } : source.location);
  try {
    await beforeLooking(store);
    const newest = backup === "latest";
    const place = newest ? await newestIn(store, signal) : await placeIn(store, backup.slice(cut), signal);
    if (place !== null) return place;
  } catch (error) {
    store.close();
    throw error;
  }
  store.close();
  return await atPath(resolve(backup), beforeLooking);
}

async function newestIn(store: ObjectStore, signal: AbortSignal): Promise<BackupPlace> {
  const [newest] = await listBackups(store, signal);
  if (newest) return { store, key: newest.key, kind: newest.kind };
  throw new BackupRefused(`there is no backup in ${store.url}`, {
    code: "not_found",
    hint: "check source.url, or name a backup",
  });
}

/** `null`: there is no such file in the folder, so that the name must be a path. */
async function placeIn(store: ObjectStore, name: string, signal: AbortSignal): Promise<BackupPlace | null> {
  const key = name === sourceRoot ? "" : name.replace(/\/+$/, "");
  if (key === "") return { store, key, kind: "directory" };
  if (store.kind === "s3" && name.endsWith("/")) return { store, key: `${key}/`, kind: "directory" };
  const kind = await kindOf(store, key, signal);
  if (kind === "directory") return { store, key: `${key}/`, kind };
  return kind === null && store.kind === "folder" ? null : { store, key, kind: "object" };
}

/** `null` when there is nothing of that name. */
async function kindOf(store: ObjectStore, key: string, signal: AbortSignal): Promise<BackupKind | null> {
  if (store.kind === "s3" && (await store.head(key)) !== null) return "object";
  for await (const object of store.list({ prefix: `${key}/toc.dat`, signal })) {
    if (isContents(object.key)) return "directory";
  }
  return store.kind === "folder" && (await store.head(key)) !== null ? "object" : null;
}

async function atPath(path: string, beforeLooking: (store: ObjectStore) => Promise<void>): Promise<BackupPlace> {
  const directory = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false, // opening it will say why
  );
  const folder = directory ? path : dirname(path);
  const store = await openStore({ url: folder, baseDirectory: folder });
  await beforeLooking(store);
  return directory ? { store, key: "", kind: "directory" } : { store, key: basename(path), kind: "object" };
}
