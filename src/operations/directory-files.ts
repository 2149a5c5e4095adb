/**
 * A backup that is a folder or a prefix, as the files that a directory archive is read from.
 *
 * Invariant: every file is opened as the listing saw it, or not at all: what was replaced since is refused.
 */
import { createHash } from "node:crypto";
import type { ArchiveFiles } from "../archive/model.ts";
import { BackupRefused } from "../errors.ts";
import type { ObjectInfo, ObjectStore, PinnedObject } from "../storage/contract.ts";
import { objectChanged } from "../storage/pinned.ts";
import { isCompanion, isContents } from "./list-backups.ts";

export interface DirectoryBackup {
  /**
   * The directory as one thing: its key, the size of all files, the oldest time that any of them has, as etag a digest
   * of all names, etags and sizes, and the metadata of toc.dat.
   */
  readonly info: ObjectInfo;
  /** toc.dat (or what it is called), which carries metadata and tags. */
  readonly contents: ObjectInfo;
  readonly files: ArchiveFiles;
}

/**
 * Lists the directory at `prefix` (empty, or ending with a slash). `opened` sees each file that is opened and may wrap it.
 * @throws BackupRefused `not_found` when it holds no toc.dat.
 */
export async function directoryFiles(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
  opened: (file: PinnedObject) => Pick<PinnedObject, "size" | "read"> = (file) => file,
): Promise<DirectoryBackup> {
  const listed = new Map<string, ObjectInfo>();
  for await (const object of store.list({ prefix, signal })) {
    const name = object.key.slice(prefix.length);
    if (!name.includes("/") && !isCompanion(name)) listed.set(name, object);
  }
  const toc = [...listed.values()].find(({ key }) => isContents(key));
  if (toc === undefined) {
    throw new BackupRefused(`${store.url}${prefix} holds no toc.dat: it is no backup of pg_dump -Fd`, {
      code: "not_found",
      hint: "list what there is with `sanitize backups`",
    });
  }
  const open = async (name: string): Promise<PinnedObject> => {
    const seen = listed.get(name);
    const file = await store.open(prefix + name);
    if (file.info.etag !== seen?.etag) throw objectChanged(store.url, prefix + name);
    return file;
  };
  const contents = (await open(toc.key.slice(prefix.length))).info;
  return {
    info: { ...whole(listed), key: prefix, metadata: contents.metadata },
    contents,
    files: {
      files: [...listed].map(([name, { size }]) => ({ name, size })),
      sequential: false,
      open: async (name) => opened(await open(name)),
    },
  };
}

function whole(listed: ReadonlyMap<string, ObjectInfo>): Omit<ObjectInfo, "key" | "metadata"> {
  const digest = createHash("sha256");
  let size = 0;
  let oldest = Number.POSITIVE_INFINITY;
  // a listing is in key order
  for (const [name, info] of listed) {
    digest.update(`${JSON.stringify([name, info.etag, info.size])}\n`);
    size += info.size;
    oldest = Math.min(oldest, info.lastModified.getTime());
  }
  return { size, lastModified: new Date(oldest), etag: digest.digest("hex"), version: null };
}
