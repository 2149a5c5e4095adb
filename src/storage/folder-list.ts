/**
 * Listing a folder in ascending order of whole keys, holding one directory a level in memory.
 *
 * Invariant: sorting each directory by name, with `/` behind the names of directories, sorts the whole tree by key.
 */

import type { BigIntStats, Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { throwIfAborted } from "../errors.ts";
import type { ObjectInfo } from "./contract.ts";
import { diskFailure, errnoOf, isAbsent } from "./folder-errors.ts";
import { isReserved } from "./url.ts";

/** What the store tells of a file. */
export function infoOfFile(key: string, stats: BigIntStats): ObjectInfo {
  return {
    key,
    size: Number(stats.size),
    lastModified: new Date(Number(stats.mtimeNs / 1_000_000n)),
    etag: `${stats.dev}-${stats.ino}-${stats.size}-${stats.mtimeNs}`,
    version: null,
    metadata: {},
  };
}

/** Every object under the root whose key begins with `prefix`. A root that does not exist is empty. */
export async function* walk(root: string, prefix: string, signal?: AbortSignal): AsyncGenerator<ObjectInfo> {
  let realRoot: string;
  try {
    realRoot = await realpath(root);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") {
      return;
    }
    throw diskFailure(error, "listing", root);
  }
  yield* walkDirectory({ realRoot, prefix, signal }, "");
}

interface Walk {
  readonly realRoot: string;
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

/** `directory` is empty for the root, else a key that ends with `/`. */
async function* walkDirectory(walked: Walk, directory: string): AsyncGenerator<ObjectInfo> {
  throwIfAborted(walked.signal);
  for (const { name, entry } of await sortedEntries(walked, directory)) {
    const key = directory + name;
    if (entry.isDirectory()) {
      if (key.startsWith(walked.prefix) || walked.prefix.startsWith(key)) {
        yield* walkDirectory(walked, key);
      }
    } else if (key.startsWith(walked.prefix)) {
      const info = await look(walked, key, entry);
      if (info !== null) {
        yield info;
      }
    }
  }
}

async function sortedEntries(walked: Walk, directory: string): Promise<{ name: string; entry: Dirent }[]> {
  const path = join(walked.realRoot, directory);
  let entries: Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (directory !== "" && isAbsent(error)) {
      return [];
    }
    throw diskFailure(error, "listing", path);
  }
  return entries
    .filter(({ name }) => !isReserved(name))
    .map((entry) => ({ name: entry.isDirectory() ? `${entry.name}/` : entry.name, entry }))
    .map((named) => ({ ...named, bytes: Buffer.from(named.name) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
}

/** The file's info; `null` for what is no object, and for what has gone since its directory was read. */
async function look(walked: Walk, key: string, entry: Dirent): Promise<ObjectInfo | null> {
  if (!entry.isFile() && !entry.isSymbolicLink()) {
    return null;
  }
  const path = join(walked.realRoot, key);
  try {
    if (entry.isSymbolicLink() && !(await realpath(path)).startsWith(withSeparator(walked.realRoot))) {
      return null;
    }
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? infoOfFile(key, stats) : null;
  } catch (error) {
    if (isAbsent(error) || errnoOf(error) === "ELOOP") {
      return null;
    }
    throw diskFailure(error, "looking at", path);
  }
}

function withSeparator(path: string): string {
  return path.endsWith(sep) ? path : path + sep;
}
