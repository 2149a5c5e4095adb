/**
 * Owns the folder of one throw-away server: where it may lie, whose it is, and the removal of those left behind.
 *
 * Invariant: a folder is removed only when the process that made it is known to be dead. Its owner is recorded as process
 * id, start time (ids are reused) and PID namespace (containers may share /tmp and see each other's processes as dead).
 */

import { chown, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { TargetRefused } from "../errors.ts";
import type { OsUser } from "./native-binaries.ts";

const PREFIX = "sanitize-embedded-";
/** A folder without an owner record is either being made right now or was left by a process killed while making it. */
const UNOWNED_GRACE_MS = 10 * 60_000;

/**
 * Makes the server's folder, mode 0700, still ours: hand it over with {@link giveTo} once the files in it are written,
 * so that root never writes where another user could have planted a link.
 * @throws TargetRefused `embedded_directory` when `wanted` exists and is not empty, or no folder is open to `user`.
 */
export async function makeServerDirectory(wanted: string | undefined, user: OsUser | null): Promise<string> {
  const directory = wanted === undefined ? await temporaryDirectory(PREFIX, user) : await emptyDirectory(wanted);
  await writeFile(join(directory, "owner"), `${await processIdentity(process.pid)}\n`, { mode: 0o600 });
  return directory;
}

/** Hands the folder and the given files in it to the server's user; a no-op when that is ourselves. */
export async function giveTo(user: OsUser | null, directory: string, files: readonly string[]): Promise<void> {
  if (user !== null) {
    for (const path of [...files, directory]) {
      await chown(path, user.uid, user.gid);
    }
  }
}

/** Removes the folder, also while a dying server may still be writing into it. */
export async function removeServerDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** Folders of earlier servers whose maker is dead and that we may look into. */
export async function abandonedDirectories(): Promise<string[]> {
  const abandoned: string[] = [];
  for (const parent of temporaryParents()) {
    for (const name of await readdir(parent).catch((): string[] => [])) {
      if (name.startsWith(PREFIX) && (await isAbandoned(join(parent, name)))) {
        abandoned.push(join(parent, name));
      }
    }
  }
  return abandoned;
}

async function isAbandoned(directory: string): Promise<boolean> {
  try {
    const owner = await readOwner(directory);
    if (owner === null) {
      return Date.now() - (await stat(directory)).mtimeMs > UNOWNED_GRACE_MS;
    }
    const [namespace, pid] = owner.split(" ");
    const here = (await processIdentity(process.pid)).split(" ")[0];
    return namespace === here && (await processIdentity(Number(pid))) !== owner;
  } catch (error) {
    // Another user's folder, or one that its owner removes while we look.
    if (isErrno(error, "EACCES") || isErrno(error, "EPERM") || isErrno(error, "ENOENT")) {
      return false;
    }
    throw error;
  }
}

async function readOwner(directory: string): Promise<string | null> {
  try {
    return (await readFile(join(directory, "owner"), "utf8")).trim();
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      return null;
    }
    throw error;
  }
}

/** `<pid namespace> <pid> <start time>`; parts the platform does not tell are `-`, the last is `dead` for no process. */
async function processIdentity(pid: number): Promise<string> {
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "-");
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (isErrno(error, "ESRCH")) {
      return `${namespace} ${pid} dead`;
    }
    if (!isErrno(error, "EPERM")) {
      throw error;
    }
  }
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  // proc(5): the command in brackets may hold anything; field 22 is counted behind its closing bracket.
  const started = status?.slice(status.lastIndexOf(")") + 2).split(" ")[19] ?? "-";
  return `${namespace} ${pid} ${started}`;
}

/**
 * Makes a new folder, ours, mode 0700, at a place that `user` can reach once it is handed over.
 * @throws TargetRefused `embedded_directory`.
 */
export async function temporaryDirectory(prefix: string, user: OsUser | null): Promise<string> {
  for (const parent of temporaryParents()) {
    if (user === null || (await canReach(parent, user))) {
      return mkdtemp(join(parent, prefix));
    }
  }
  throw new TargetRefused(`no temporary folder is open to the user ${user?.name ?? ""}`, {
    code: "embedded_directory",
    hint: "set TMPDIR to a folder that every user may enter",
  });
}

async function emptyDirectory(wanted: string): Promise<string> {
  const directory = resolve(wanted);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if ((await readdir(directory)).length > 0) {
    throw new TargetRefused(`the folder for the embedded PostgreSQL is not empty: ${directory}`, {
      code: "embedded_directory",
      hint: "name a folder that does not exist yet: it is removed with the server",
    });
  }
  return directory;
}

function temporaryParents(): string[] {
  return [...new Set([resolve(tmpdir()), "/tmp", "/var/tmp"])];
}

/** Whether `user` may pass through `path` and every folder above it, judged by the mode bits. */
async function canReach(path: string, user: OsUser): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null) {
    return false;
  }
  const bit = found.uid === user.uid ? 0o100 : found.gid === user.gid ? 0o010 : 0o001;
  if ((found.mode & bit) === 0) {
    return false;
  }
  return dirname(path) === path || canReach(dirname(path), user);
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
