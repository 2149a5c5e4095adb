/**
 * The store in a local folder: keys are relative paths, objects are regular files.
 *
 * Invariants: an object appears whole and on disk (temporary file, fsync, link or rename, fsync of its directory), or not
 * at all. What lies under the root is ours only if it is there for real: symbolic links to files are followed while they
 * stay inside the root; links that lead outside, or nowhere, are left out of a listing and refused by name; links to
 * directories are never entered while listing. Files that a crash left (`.sanitize-tmp-*`, `.sanitize-lock-*`) are never
 * objects. The root may not exist: then it is empty, and the first write makes it (mode 0700).
 */

import { open, readFile, realpath, stat, unlink } from "node:fs/promises";
import { join, sep } from "node:path";
import { SourceFailed, UsageError } from "../errors.ts";
import type {
  CopyOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  ObjectVersion,
  PinnedObject,
  UploadedObject,
  UploadOptions,
} from "./contract.ts";
import { diskFailure, isAbsent } from "./folder-errors.ts";
import { infoOfFile, walk } from "./folder-list.ts";
import { withLock } from "./folder-lock.ts";
import { readRange } from "./folder-read.ts";
import { commitNew, commitOver, makeDirectory, syncDirectory, TemporaryFile } from "./folder-write.ts";
import { HashedBody } from "./hashed-body.ts";
import { alreadyThere, checkRange, notFound, objectChanged } from "./pinned.ts";
import { checkKey } from "./url.ts";

/** Opens the folder at an absolute path. Touches nothing yet. */
export function openFolder(path: string): ObjectStore {
  return new FolderStore(path);
}

class FolderStore implements ObjectStore {
  readonly kind = "folder";
  readonly url: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.url = root.endsWith(sep) ? root : `${root}${sep}`;
  }

  list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    return walk(this.#root, options.prefix ?? "", options.signal);
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const path = await this.#existing(key);
    if (path === null) {
      return null;
    }
    const stats = await stat(path, { bigint: true }).catch(absentIsNull(path));
    return stats === null ? null : infoOfFile(key, stats);
  }

  async open(key: string): Promise<PinnedObject> {
    const info = await this.head(key);
    if (info === null) {
      throw notFound(this.url, key);
    }
    return { info, size: info.size, read: (start, end, signal) => this.#read(info, start, end ?? info.size, signal) };
  }

  async get(key: string, maxBytes = 16 * 1024 * 1024) {
    const path = await this.#existing(key);
    const file = path === null ? null : await open(path, "r").catch(absentIsNull(path));
    if (path === null || file === null) {
      return null;
    }
    try {
      const info = infoOfFile(key, await file.stat({ bigint: true }));
      if (info.size > maxBytes) {
        throw new SourceFailed(`${this.url}${key} holds ${info.size} bytes, more than the ${maxBytes} expected there`, {
          code: "too_large",
          hint: "check that the location names what it should",
        });
      }
      const bytes = await readFile(file);
      if (infoOfFile(key, await file.stat({ bigint: true })).etag !== info.etag) {
        throw objectChanged(this.url, key);
      }
      return { bytes, etag: info.etag };
    } finally {
      await file.close();
    }
  }

  async createIfAbsent(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const path = await this.#writable(key);
    return this.#written(path, async () => {
      const temporary = await TemporaryFile.beside(path);
      try {
        await temporary.append(bytes);
        await temporary.flush();
        return await commitNew(temporary, path);
      } finally {
        await temporary.discard();
      }
    });
  }

  async replaceIf(key: string, bytes: Uint8Array, etag: string | null): Promise<"replaced" | "changed"> {
    if (etag === null) {
      return (await this.createIfAbsent(key, bytes)) === "created" ? "replaced" : "changed";
    }
    const path = await this.#writable(key);
    return this.#written(path, async () => {
      const temporary = await TemporaryFile.beside(path);
      try {
        await temporary.append(bytes);
        await temporary.flush();
        return (await this.#commitIf(temporary, key, etag)) ? "replaced" : "changed";
      } finally {
        await temporary.discard();
      }
    });
  }

  async upload(key: string, body: AsyncIterable<Uint8Array>, options: UploadOptions = {}): Promise<UploadedObject> {
    const path = await this.#writable(key);
    const temporary = await this.#written(path, () => TemporaryFile.beside(path));
    const hashed = new HashedBody(body, options.head === undefined);
    try {
      await temporary.fill(hashed.bytes(), options.head, options.signal);
      await this.#written(path, async () => {
        await temporary.flush();
        if (options.ifAbsent !== true) {
          await withLock(path, () => commitOver(temporary, path));
        } else if ((await commitNew(temporary, path)) === "exists") {
          throw alreadyThere(this.url, key);
        }
      });
      return { ...infoOfFile(key, await temporary.stats()), sha256: hashed.digest() };
    } finally {
      await temporary.discard();
    }
  }

  /** A link would be quicker, but etags tell files by their inode. */
  async copy(from: ObjectInfo, to: string, options: CopyOptions): Promise<ObjectInfo | "changed"> {
    const path = await this.#writable(to);
    const temporary = await this.#written(path, () => TemporaryFile.beside(path));
    try {
      await temporary.fill(this.#read(from, 0, from.size, options.signal), undefined, options.signal);
      const committed = await this.#written(path, async () => {
        await temporary.flush();
        return options.ifMatch === null
          ? (await commitNew(temporary, path)) === "created"
          : await this.#commitIf(temporary, to, options.ifMatch);
      });
      return committed ? infoOfFile(to, await temporary.stats()) : "changed";
    } finally {
      await temporary.discard();
    }
  }

  async versions(key: string): Promise<readonly ObjectVersion[]> {
    const info = await this.head(key);
    if (info === null) {
      return [];
    }
    const { version, etag, size, lastModified } = info;
    return [{ version, etag, size, lastModified, isLatest: true, isDeleteMarker: false }];
  }

  async tags(key: string): Promise<Readonly<Record<string, string>>> {
    if ((await this.head(key)) === null) {
      throw notFound(this.url, key);
    }
    return {};
  }

  async delete(key: string): Promise<void> {
    const path = await this.#existing(key);
    if (path !== null) {
      await this.#written(path, () =>
        withLock(this.#path(key), async () => {
          await unlink(this.#path(key)).catch(absentIsNull(path));
          await syncDirectory(this.#path(key));
        }),
      );
    }
  }

  region(): Promise<null> {
    return Promise.resolve(null);
  }

  close(): void {
    // Files are closed by whoever reads them.
  }

  #path(key: string): string {
    return join(this.#root, checkKey(key));
  }

  #read(info: ObjectInfo, start: number, end: number, signal?: AbortSignal): AsyncIterable<Buffer> {
    checkRange(info, this.url, start, end);
    return readRange({ path: this.#path(info.key), url: this.url, info, start, end, signal });
  }

  /** Puts the file in the object's place if that has the etag. */
  #commitIf(temporary: TemporaryFile, key: string, etag: string): Promise<boolean> {
    const path = this.#path(key);
    return withLock(path, async (stillOurs) => {
      if ((await this.head(key))?.etag !== etag) {
        return false;
      }
      await stillOurs();
      await commitOver(temporary, path);
      return true;
    });
  }

  /** The real path of the object's file, or `null`. @throws UsageError for a link out of the store, or not a file. */
  async #existing(key: string): Promise<string | null> {
    const path = this.#path(key);
    const real = await realpath(path).catch(absentIsNull(path));
    if (real === null) {
      return null;
    }
    await this.#checkInside(real, key);
    const stats = await stat(real).catch(absentIsNull(path));
    if (stats !== null && !stats.isFile()) {
      throw new UsageError(`${path} is not a regular file`, { code: "not_a_file", hint: "name a file" });
    }
    return stats === null ? null : real;
  }

  /** The path to write the object at, its directory made. */
  async #writable(key: string): Promise<string> {
    const path = this.#path(key);
    await this.#written(path, async () => {
      await makeDirectory(this.#root);
      await this.#checkInside(await makeDirectory(join(path, "..")), key);
    });
    return path;
  }

  async #checkInside(real: string, key: string): Promise<void> {
    const root = await realpath(this.#root);
    if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) {
      throw new UsageError(`${this.url}${key} leads out of the store by a symbolic link`, {
        code: "outside_store",
        hint: "open the folder that holds the file itself",
      });
    }
  }

  async #written<T>(path: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw diskFailure(error, "writing", path);
    }
  }
}

function absentIsNull(path: string): (error: unknown) => null {
  return (error) => {
    if (isAbsent(error)) {
      return null;
    }
    throw diskFailure(error, "opening", path);
  };
}
