/** Starts the servers of scripts/servers/ and makes sure that they end with this process, however it ends. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serverUser } from "../native-binaries.ts";
import { temporaryDirectory } from "../server-directory.ts";

const run = promisify(execFile);
const SCRIPTS = fileURLToPath(new URL("../../../scripts/servers/", import.meta.url));
const START_ATTEMPTS = 3;

/** A server for the tests, or why there is none. */
export type Provided =
  | { readonly environment: Readonly<Record<string, string>>; stop(): Promise<void> }
  | { readonly missing: string };

interface Recipe {
  /** Of the folder, which also carries the server's state. */
  readonly name: string;
  start(directory: string): Promise<Record<string, string>>;
  /** Command line that stops the server and removes the folder; does nothing when there is none. */
  wipe(directory: string): {
    readonly command: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  };
}

/** Debian's newest PostgreSQL from 15 on: its `bin` folder, else `null`. */
export async function debianPostgres(): Promise<string | null> {
  const root = "/usr/lib/postgresql";
  const majors = (await readdir(root).catch((): string[] => [])).map(Number).filter((major) => major >= 15);
  for (const major of majors.sort((a, b) => b - a)) {
    const bin = join(root, String(major), "bin");
    const tools = ["postgres", "initdb", "pg_ctl", "pg_dump", "pg_restore", "psql"];
    if ((await Promise.all(tools.map((tool) => exists(join(bin, tool))))).every(Boolean)) {
      return bin;
    }
  }
  return null;
}

/** A private cluster of the binaries in `bin`; its URL under the name `variable`. */
export async function startCluster(bin: string, variable: string, tls: boolean): Promise<Provided> {
  if (tls && !(await onPath("openssl"))) {
    return { missing: "no openssl found: apt-get install -y openssl" };
  }
  const script = join(SCRIPTS, "pg.sh");
  return startByScript({
    name: tls ? "pg-tls" : "pg",
    start: async (directory) => {
      const flags = tls ? ["tls"] : [];
      const port = String(await freePorts([0]));
      const { stdout } = await run(script, ["start", directory, port, bin, ...flags]);
      return { [variable]: settings(stdout).url ?? "" };
    },
    wipe: (directory) => ({ command: [script, "wipe", directory] }),
  });
}

/** The real S3 server, two regions. */
export async function startS3(): Promise<Provided> {
  for (const tool of ["radosgw", "ceph-mon", "ceph-osd", "ceph", "openssl", "curl"]) {
    if (!(await onPath(tool))) {
      const packages = "ceph-mon ceph-osd radosgw ceph-common openssl curl";
      return { missing: `no ${tool} found: apt-get install -y --no-install-recommends ${packages}` };
    }
  }
  return startByScript({
    name: "s3",
    start: async (directory) => {
      const base = String(await freePorts([0, 1, 10, 11, 20, 21]));
      const env = { ...process.env, S3_DIR: directory, S3_BASE_PORT: base };
      return settings((await run(join(SCRIPTS, "s3", "start.sh"), { env })).stdout);
    },
    wipe: (directory) => ({ command: [join(SCRIPTS, "s3", "stop.sh")], environment: { S3_DIR: directory } }),
  });
}

async function startByScript(recipe: Recipe): Promise<Provided> {
  let failure: unknown;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    const directory = await temporaryDirectory(`sanitize-test-${recipe.name}-`, await serverUser());
    const stop = stopLater(recipe, directory);
    try {
      return { environment: await recipe.start(directory), stop };
    } catch (error) {
      // Most likely someone took a port between the look and the bind.
      failure = error;
      await stop();
    }
  }
  const said = failure instanceof Error && "stderr" in failure ? String(failure.stderr) : String(failure);
  return { missing: `it did not start: ${said.trim().split("\n").slice(-3).join(" / ")}` };
}

/** One way to the end for all cases: the waiting script wipes when its standard input closes, by us or by our death. */
function stopLater(recipe: Recipe, directory: string): () => Promise<void> {
  const { command, environment } = recipe.wipe(directory);
  const waiting = spawn(join(SCRIPTS, "stop-when-orphaned.sh"), command, {
    cwd: "/",
    env: { ...process.env, ...environment },
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  waiting.unref();
  const ended = once(waiting, "exit");
  return async () => {
    waiting.ref();
    waiting.stdin.end();
    await ended;
  };
}

function settings(lines: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) {
      found[line.slice(0, at)] = line.slice(at + 1);
    }
  }
  return found;
}

/** A port number such that it and its neighbours at `offsets` are free; below the range the system gives out itself. */
async function freePorts(offsets: readonly number[]): Promise<number> {
  for (;;) {
    const base = 15_000 + 100 * Math.floor(Math.random() * 150);
    if ((await Promise.all(offsets.map((offset) => isFree(base + offset)))).every(Boolean)) {
      return base;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

async function onPath(tool: string): Promise<boolean> {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return (await Promise.all(folders.map((folder) => exists(join(folder, tool))))).some(Boolean);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
