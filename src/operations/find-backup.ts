/** Which backup is meant, and where it lies. */
import { stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, resolve } from "node:path";
import { BackupRefused } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { openStore } from "../storage/open-store.ts";
import { type BackupKind, type BackupPlace, isContents, sourceRoot } from "./list-backups.ts";
import { newestBackup } from "./newest-backup.ts";
import type { ReadingSettings } from "./settings.ts";

export interface FindOptions {
  /** Sees the store before anything is asked of it. */
  readonly beforeLooking?: (store: ObjectStore) => Promise<void>;
  /** Judges which snapshot is the youngest. */
  readonly now?: () => Date;
}

/**
 * Resolves `latest`, an object key, an `s3://` URL or a path, of a file or of a directory (with or without its slash).
 * The store must be closed by the caller.
 * @throws BackupRefused (`not_found`) when there is none.
 */
export async function findBackup(
  settings: ReadingSettings,
  backup: string,
  signal: AbortSignal,
  { beforeLooking = () => Promise.resolve(), now = () => new Date() }: FindOptions = {},
): Promise<BackupPlace> {
  const { source } = settings;
  if (isAbsolute(backup) || /^\.{1,2}[/\\]/.test(backup)) return await atPath(resolve(backup), beforeLooking);
  const remote = backup.startsWith("s3://");
  // s3://bucket/dir/ is a root of its own; s3://bucket/key is a key of what it lies in
  const cut = remote ? backup.lastIndexOf("/") + 1 : 0;
  const store = await openStore(remote ? { ...source.location, url: backup.slice(0, cut) } : source.location);
  try {
    await beforeLooking(store);
    const place =
      backup === "latest"
        ? await newestIn(store, settings, signal, now())
        : await placeIn(store, backup.slice(cut), signal);
    if (place !== null) return place;
  } catch (error) {
    store.close();
    throw error;
  }
  store.close();
  return await atPath(resolve(backup), beforeLooking);
}

async function newestIn(
  store: ObjectStore,
  settings: ReadingSettings,
  signal: AbortSignal,
  now: Date,
): Promise<BackupPlace> {
  const newest = await newestBackup(store, settings, signal, now);
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
