/**
 * One writer at a time for one key of a folder, across processes: a directory made beside the file.
 *
 * What is done under it takes a stat and a rename, so a lock older than ten seconds is one whose owner died: the next
 * comer removes it. Only one comer at a time may judge that (a second directory), and an owner that was merely slow looks
 * whether the lock is still its own before it commits. What remains is the moment between that look and the rename.
 */

import { createHash } from "node:crypto";
import { mkdir, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SourceFailed } from "../errors.ts";
import { errnoOf } from "./folder-errors.ts";
import { LOCK_PREFIX } from "./url.ts";

const STALE_MS = 10_000;
const LONGEST_WAIT_MS = 30_000;
const LONGEST_PAUSE_MS = 20;

/**
 * Runs `work` under the lock of the file at `path`, whose directory exists. `work` calls its argument right before it
 * commits.
 * @throws SourceFailed `locked` after thirty seconds of waiting, `lock_lost` when the lock was taken over.
 */
export async function withLock<T>(path: string, work: (stillOurs: () => Promise<void>) => Promise<T>): Promise<T> {
  const name = createHash("sha256").update(basename(path)).digest("hex").slice(0, 32);
  const lock = join(dirname(path), LOCK_PREFIX + name);
  await acquire(lock);
  const ours = await identityOf(lock);
  try {
    return await work(async () => {
      if (ours === null || (await identityOf(lock)) !== ours) {
        throw new SourceFailed(`the lock of ${path} was taken over by another process`, {
          code: "lock_lost",
          hint: "run again; this machine was too slow for ten seconds",
        });
      }
    });
  } finally {
    if (ours !== null && (await identityOf(lock)) === ours) {
      await unlessThere("ENOENT", rmdir(lock));
    }
  }
}

async function acquire(lock: string): Promise<void> {
  for (let waited = 0; !(await unlessThere("EEXIST", mkdir(lock, 0o700))); ) {
    if (await removeStale(lock)) {
      continue;
    }
    if (waited >= LONGEST_WAIT_MS) {
      throw new SourceFailed(`another process holds ${lock}`, {
        code: "locked",
        hint: `if none is running, remove ${lock} and ${guardOf(lock)}`,
      });
    }
    const pause = 1 + Math.random() * LONGEST_PAUSE_MS;
    waited += pause;
    await sleep(pause);
  }
}

/** Whether the lock is gone, so that asking for it again at once makes sense. */
async function removeStale(lock: string): Promise<boolean> {
  if (!(await isStale(lock))) {
    return false;
  }
  const guard = guardOf(lock);
  if (!(await unlessThere("EEXIST", mkdir(guard, 0o700)))) {
    return false;
  }
  try {
    // Again, since another comer may have removed it, and a third one made its own, before the guard was ours.
    return (await isStale(lock)) && (await unlessThere("ENOENT", rmdir(lock)));
  } finally {
    await rmdir(guard);
  }
}

function guardOf(lock: string): string {
  return `${lock}-stale`;
}

async function isStale(lock: string): Promise<boolean> {
  const stats = await statOrNull(lock);
  return stats !== null && Date.now() - Number(stats.mtimeNs / 1_000_000n) > STALE_MS;
}

async function identityOf(lock: string): Promise<string | null> {
  const stats = await statOrNull(lock);
  return stats === null ? null : `${stats.ino}-${stats.mtimeNs}`;
}

async function statOrNull(path: string) {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") {
      return null;
    }
    throw error;
  }
}

/** Whether the call succeeded; `false` for the one error that is expected. */
async function unlessThere(expected: string, call: Promise<void>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (errnoOf(error) === expected) {
      return false;
    }
    throw error;
  }
}
