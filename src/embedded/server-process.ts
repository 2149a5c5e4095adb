/**
 * Owns the server's process: start on a free port, readiness, shutdown, and its end when ours ends first.
 *
 * Mirrors pg_ctl.c (wait_for_postmaster: the 8th line of postmaster.pid says `ready`) and postmaster.c (SIGINT is a fast
 * shutdown, SIGQUIT an immediate one). Invariant: a server never outlives the process that started it, however that ends.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TargetRefused, throwIfAborted } from "../errors.ts";
import { asUser, type NativeBinaries, type OsUser } from "./native-binaries.ts";

/** sockaddr_un's path is 108 bytes with its closing zero on Linux, 104 elsewhere. */
const LONGEST_SOCKET_PATH = 103;
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 10_000;
const PORT_ATTEMPTS = 5;

/**
 * The last word when our process dies without one: its standard input is a pipe only we hold, which the system closes.
 * It kills only what the server's own postmaster.pid names, and removes the folder.
 */
const WATCHDOG = `read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
[ "$pid" = "$2" ] && kill -QUIT "$pid" 2>/dev/null
n=0
while [ "$pid" = "$2" ] && kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
[ "$pid" = "$2" ] && kill -KILL "$pid" 2>/dev/null
rm -rf "$1"`;

/** Speed over durability: the database is thrown away. Statements that fail are not logged: they may hold a row. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "4GB",
  shared_buffers: "128MB",
  maintenance_work_mem: "128MB",
  max_connections: "50",
  // Containers often have a tiny /dev/shm.
  dynamic_shared_memory_type: "mmap",
  log_min_messages: "log",
  log_min_error_statement: "panic",
};

export interface RunningServer {
  readonly port: number;
  /** Fast shutdown; kills after ten seconds. */
  stop(): Promise<void>;
}

export interface ServerStart {
  readonly binaries: NativeBinaries;
  readonly user: OsUser | null;
  /** Holds `data`, made by initdb. */
  readonly directory: string;
  /** `undefined`: a free one. */
  readonly port: number | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Starts the server and waits until it takes connections.
 * @throws TargetRefused `embedded_start`, with the end of the server's log as cause.
 */
export async function startServer(start: ServerStart): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    const port = start.port ?? (await freePort());
    const log = join(start.directory, `log.${attempt}`);
    const running = await tryStart(start, port, log);
    if (running !== null) {
      return running;
    }
    const said = await readFile(log, "utf8").catch(() => "");
    // Someone else took the port between our look and the server's bind.
    const collided = /could not bind|Address already in use/i.test(said);
    if (!collided || start.port !== undefined || attempt === PORT_ATTEMPTS) {
      throw new TargetRefused(`the embedded PostgreSQL did not start on port ${port}`, {
        code: "embedded_start",
        hint: collided ? "choose another port" : "look at the cause: the server's own last words",
        cause: new Error(said.trim().split("\n").slice(-5).join("\n")),
      });
    }
  }
}

/** Ends the server that a dead process left behind in `directory`, if it still runs. */
export async function endAbandonedServer(directory: string): Promise<void> {
  const data = join(directory, "data");
  const pid = Number((await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n")[0]);
  // The number may be another process's by now: a postmaster's working directory is its data directory.
  if (pid > 0 && (await readlink(`/proc/${pid}/cwd`).catch(() => "")) === data) {
    process.kill(pid, "SIGQUIT");
    for (let waited = 0; waited < STOP_WITHIN_MS && isAlive(pid); waited += 50) {
      await delay(50);
    }
  }
}

/** `null`: the server ended before it was ready. */
async function tryStart(start: ServerStart, port: number, log: string): Promise<RunningServer | null> {
  const data = join(start.directory, "data");
  const output = await open(log, "wx", 0o600);
  const postmaster = spawn(join(start.binaries.directory, "bin", "postgres"), serverArguments(start, port), {
    ...asUser(start.user),
    cwd: start.directory,
    // Messages in English, and none of the PG* variables that were meant for clients.
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
    stdio: ["ignore", output.fd, output.fd],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    postmaster.once("exit", () => resolve());
    postmaster.once("error", () => resolve());
  });
  await output.close();
  const watchdog = postmaster.pid === undefined ? null : watch(start, postmaster.pid);
  postmaster.unref();
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    postmaster.ref();
    postmaster.kill(signal);
    const patience = setTimeout(() => postmaster.kill("SIGKILL"), STOP_WITHIN_MS);
    await ended;
    clearTimeout(patience);
    watchdog?.kill("SIGKILL");
  };
  try {
    if (await isReady(data, postmaster, start.signal)) {
      return { port, stop: () => stop("SIGINT") };
    }
  } catch (error) {
    await stop("SIGQUIT");
    throw error;
  }
  await stop("SIGQUIT");
  return null;
}

function serverArguments(start: ServerStart, port: number): string[] {
  const longest = join(start.directory, ".s.PGSQL.65535");
  const settings = {
    ...SETTINGS,
    unix_socket_directories: Buffer.byteLength(longest) <= LONGEST_SOCKET_PATH ? start.directory : "",
    ...start.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", join(start.directory, "data"), "-p", String(port), ...flags];
}

function watch(start: ServerStart, pid: number): ChildProcess {
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "sanitize-embedded-watchdog", start.directory, String(pid)], {
    ...asUser(start.user),
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // A server without its watchdog is no worse than any other server: the next start tidies up after it.
  watchdog.on("error", () => undefined);
  watchdog.stdin?.on("error", () => undefined);
  watchdog.unref();
  return watchdog;
}

/** @throws TargetRefused `embedded_start` when it takes too long, Interrupted on abort. */
async function isReady(data: string, postmaster: ChildProcess, signal: AbortSignal | undefined): Promise<boolean> {
  const running = () => postmaster.pid !== undefined && postmaster.exitCode === null && postmaster.signalCode === null;
  for (let waited = 0; running(); waited += 20) {
    throwIfAborted(signal);
    const status = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    if (status[0] === String(postmaster.pid) && status[7]?.trim() === "ready") {
      return true;
    }
    if (waited >= READY_WITHIN_MS) {
      throw new TargetRefused(`the embedded PostgreSQL was not ready within ${READY_WITHIN_MS / 1000} s`, {
        code: "embedded_start",
        hint: "try again when this machine has less to do",
      });
    }
    await delay(20);
  }
  return false;
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
