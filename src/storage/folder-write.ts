/**
 * Writing files so that a reader, or a crash, sees the old one or the new one, whole and on disk.
 *
 * Invariant: a file that takes the place of another has a later modification time, however coarse the clock, so that no
 * etag is ever given twice to one key by a replacement.
 */

import { randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, link, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SourceFailed } from "../errors.ts";
import { abortable } from "./abortable.ts";
import type { LateHead } from "./contract.ts";
import { diskFailure, errnoOf, isAbsent } from "./folder-errors.ts";
import { bytesOfHead } from "./pinned.ts";
import { TEMPORARY_PREFIX } from "./url.ts";

/** A file that nobody sees yet, beside the place it is meant for. */
export class TemporaryFile {
  readonly path: string;
  readonly #file: FileHandle;
  #end = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async beside(target: string): Promise<TemporaryFile> {
    const path = join(dirname(target), TEMPORARY_PREFIX + randomUUID());
    return new TemporaryFile(path, await open(path, "wx", 0o600));
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes, this.#end);
    this.#end += bytes.byteLength;
  }

  /**
   * Writes a whole body, behind the room for a head that it asks for when the body has ended. The errors of both come
   * through as they are.
   */
  async fill(body: AsyncIterable<Uint8Array>, head: LateHead | undefined, signal?: AbortSignal): Promise<void> {
    this.#end = head?.length ?? 0;
    for await (const piece of abortable(body, signal)) {
      await this.append(piece);
    }
    if (head !== undefined) {
      await this.#write(bytesOfHead(head), 0);
    }
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    let written = 0;
    try {
      while (written < bytes.byteLength) {
        written += (await this.#file.write(bytes, written, bytes.byteLength - written, at + written)).bytesWritten;
      }
    } catch (error) {
      throw diskFailure(error, "writing", this.path);
    }
  }

  /** Waits until the content is on disk. */
  flush(): Promise<void> {
    return this.#file.sync();
  }

  stats(): Promise<BigIntStats> {
    return this.#file.stat({ bigint: true });
  }

  /** Makes the modification time later than that of the file about to be replaced. */
  async outdate(replaced: BigIntStats): Promise<void> {
    if ((await this.stats()).mtimeNs <= replaced.mtimeNs) {
      const seconds = Number(replaced.mtimeNs / 1_000_000n + 2n) / 1000;
      await this.#file.utimes(seconds, seconds);
    }
  }

  /** Closes and removes it. After a rename there is nothing left to remove. */
  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.path, { force: true });
  }
}

/** Puts the file in its place if nothing is there: a hard link cannot replace. */
export async function commitNew(temporary: TemporaryFile, path: string): Promise<"created" | "exists"> {
  try {
    await link(temporary.path, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") {
      return "exists";
    }
    if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(errno)) {
      throw new SourceFailed(`the file system of ${path} has no hard links (${errno})`, {
        code: "no_hard_links",
        hint: "put the folder on a file system with hard links: without them two writers could overwrite each other",
        cause: error,
      });
    }
    throw error;
  }
  await syncDirectory(path);
  return "created";
}

/** Puts the file in the place of whatever is there. Call it under the key's lock. */
export async function commitOver(temporary: TemporaryFile, path: string): Promise<void> {
  const replaced = await stat(path, { bigint: true }).catch((error: unknown) => {
    if (isAbsent(error)) {
      return null;
    }
    throw error;
  });
  if (replaced !== null) {
    await temporary.outdate(replaced);
  }
  await rename(temporary.path, path);
  await syncDirectory(path);
}

/** Makes the directory and those above it, durably, and returns its real path. */
export async function makeDirectory(path: string): Promise<string> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first !== undefined) {
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      await syncDirectory(made);
    }
  }
  return realpath(path);
}

/** Waits until the entry of `path` in its directory is on disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
