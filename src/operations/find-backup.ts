/** Which backup is meant, where it lies, and what a listing of the bucket knows of each. */
import { basename, dirname, isAbsolute, resolve } from "node:path";
import { BackupRefused } from "../errors.ts";
import type { ObjectInfo, ObjectStore } from "../storage/contract.ts";
import { openStore } from "../storage/open-store.ts";
import type { SourceSettings } from "./settings.ts";

export interface BackupPlace {
  readonly store: ObjectStore;
  readonly key: string;
}

/** Files that tools put beside backups, and copies that a killed `scrub --replace` left; never taken for one. */
const companion = /(?:\.(?:json|sig|sha256|md5|txt|log|manifest|tmp|sanitize-\d{8}t\d{6}_[0-9a-f]+)|\/)$/i;

/** Objects of the store that may be backups, newest first. */
export async function listBackups(store: ObjectStore, signal: AbortSignal): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of store.list({ signal })) {
    if (object.size > 0 && !companion.test(object.key)) found.push(object);
  }
  return found.sort((a, b) => b.lastModified.getTime() - a.lastModified.getTime() || (a.key < b.key ? 1 : -1));
}

/**
 * Resolves `latest`, an object key, an `s3://` URL or a path. The store must be closed by the caller.
 * @throws BackupRefused (`not_found`) when there is none.
 */
export async function findBackup(source: SourceSettings, backup: string, signal: AbortSignal): Promise<BackupPlace> {
  if (backup.startsWith("s3://")) {
    const cut = backup.lastIndexOf("/") + 1;
    return { store: await openStore({ ...source.location, url: backup.slice(0, cut) }), key: backup.slice(cut) };
  }
  const store = await openStore(source.location);
  if (backup === "latest") {
    const [newest] = await listBackups(store, signal);
    if (newest) return { store, key: newest.key };
    store.close();
    throw new BackupRefused(`there is no backup in ${store.url}`, {
      code: "not_found",
      hint: "check source.url, or name a backup",
    });
  }
  const looksLikePath = isAbsolute(backup) || /^\.{1,2}[/\\]/.test(backup);
  if (looksLikePath || (store.kind === "folder" && (await store.head(backup)) === null)) {
    store.close();
    const path = resolve(backup);
    return { store: await openStore({ url: dirname(path), baseDirectory: dirname(path) }), key: basename(path) };
  }
  return { store, key: backup };
}
