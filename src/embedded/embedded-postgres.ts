/**
 * A throw-away PostgreSQL for `demo`, `verify --drill` and the tests: real, loopback only, gone after `stop()`.
 *
 * Invariants: needs nothing installed but npm packages; never creates an operating system user; nothing of it, neither
 * process nor file, outlives the process that started it.
 */

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { TargetRefused, throwIfAborted } from "../errors.ts";
import { asUser, type NativeBinaries, nativeBinaries, type OsUser, serverUser } from "./native-binaries.ts";
import { abandonedDirectories, giveTo, makeServerDirectory, removeServerDirectory } from "./server-directory.ts";
import { endAbandonedServer, startServer } from "./server-process.ts";

const run = promisify(execFile);

export interface EmbeddedServer {
  /** Superuser `postgres` with its random password, database `postgres`, on 127.0.0.1. */
  readonly url: string;
  /** For example `18.4`. */
  readonly version: string;
  /** Removed by `stop`. */
  readonly directory: string;
  /** Fast shutdown, kill after ten seconds, removal of the directory. May be called more than once. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Made if absent, otherwise it must be empty; default: a new one under the temporary folder. */
  readonly directory?: string;
  /** Server parameters on top of the built-in ones, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Aborts the start; a server that runs is ended by `stop` alone. */
  readonly signal?: AbortSignal;
  /** Default: a free one. */
  readonly port?: number;
}

/**
 * Makes a new cluster (UTF8, locale C.UTF-8 where the server brings its own, else C) and starts a server on it. As root
 * the server runs as the user `postgres` or `nobody`.
 * @throws TargetRefused `embedded_unavailable` (platform), `embedded_directory`, `embedded_start`; Interrupted.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  throwIfAborted(options.signal);
  const user = await serverUser();
  await removeAbandoned();
  const directory = await makeServerDirectory(options.directory, user);
  try {
    const passwordFile = join(directory, "password");
    const password = randomBytes(24).toString("base64url");
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: "wx" });
    await giveTo(user, directory, [passwordFile, join(directory, "owner")]);
    const binaries = await nativeBinaries(user, join(directory, "native"));
    await makeCluster(binaries, user, directory, passwordFile, options.signal);
    await rm(passwordFile);
    const { signal, settings = {}, port } = options;
    const server = await startServer({ binaries, user, directory, port, settings, signal });
    let stopped: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      await server.stop();
      await removeServerDirectory(directory);
    };
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`,
      version: binaries.version,
      directory,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await removeServerDirectory(directory);
    throw error;
  }
}

/** @throws TargetRefused `embedded_start`, Interrupted. */
async function makeCluster(
  binaries: NativeBinaries,
  user: OsUser | null,
  directory: string,
  passwordFile: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfAborted(signal);
  // From 17 on the server has a C.UTF-8 of its own, the same on every operating system; 18 turned page checksums on.
  const locale = binaries.major >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] : [];
  const checksums = binaries.major >= 18 ? ["--no-data-checksums"] : [];
  const flags = [
    "-U",
    "postgres",
    `--pwfile=${passwordFile}`,
    "-A",
    "scram-sha-256",
    "-E",
    "UTF8",
    "--locale=C",
    "--no-sync",
  ];
  try {
    await run(
      join(binaries.directory, "bin", "initdb"),
      ["-D", join(directory, "data"), ...flags, ...locale, ...checksums],
      {
        ...asUser(user),
        cwd: directory,
        env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
        ...(signal === undefined ? {} : { signal }),
      },
    );
  } catch (cause) {
    throwIfAborted(signal);
    throw new TargetRefused("the embedded PostgreSQL could not make its data directory", {
      code: "embedded_start",
      hint: "look at the cause: initdb's own last words",
      cause,
    });
  }
}

/** Tidies up after processes that were killed together with the watchdog of their server. */
async function removeAbandoned(): Promise<void> {
  for (const directory of await abandonedDirectories()) {
    await endAbandonedServer(directory);
    await removeServerDirectory(directory);
  }
}
