import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Interrupted, TargetRefused } from "../errors.ts";
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from "./embedded-postgres.ts";
import { serverUser } from "./native-binaries.ts";
import { makeInstallation, starterOf } from "./testing/installation.ts";

const isRoot = process.getuid?.() === 0;
const nobody = { uid: 65_534, gid: 65_534 };

async function started(options?: EmbeddedOptions): Promise<EmbeddedServer> {
  const server = await startEmbedded(options);
  onTestFinished(() => server.stop());
  return server;
}

async function ask(url: string, query: string): Promise<unknown> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<{ answer: unknown }>(query)).rows[0]?.answer;
  } finally {
    await client.end();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Processes whose command line names `text`. */
async function processesNaming(text: string): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const name of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry))) {
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (command.includes(text)) {
      found.push({ pid: Number(name), command });
    }
  }
  return found;
}

/** Waits, as long as the test may take, until nothing of the server is left. */
async function untilGone(directory: string): Promise<void> {
  while ((await exists(directory)) || (await processesNaming(directory)).length > 0) {
    await delay(50);
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly directory: string;
}

async function runStarter(installation: string, what: string, user?: { uid: number; gid: number }): Promise<Started> {
  const child = spawn(process.execPath, [starterOf(installation), what], {
    ...user,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  for await (const line of createInterface(child.stdout)) {
    return { child, ...(JSON.parse(line) as { url: string; directory: string }) };
  }
  throw new Error("the starter ended without a word");
}

describe("an embedded server", () => {
  test("is a real PostgreSQL, and leaves nothing behind", async () => {
    const server = await started();
    expect(await ask(server.url, "SELECT split_part(version(), ' ', 2) AS answer")).toBe(server.version);
    expect(await ask(server.url, "SELECT getdatabaseencoding() || lower('É') AS answer")).toBe("UTF8é");
    await server.stop();
    expect(await exists(server.directory)).toBe(false);
    expect(await processesNaming(server.directory)).toEqual([]);
    await server.stop();
  });

  test("lets nobody in without its password, and keeps none on disk or in its command line", async () => {
    const server = await started();
    const { password } = new URL(server.url);
    await expect(ask(server.url.replace(password, "guess"), "SELECT 1")).rejects.toThrow(
      /password authentication failed/,
    );
    expect(await exists(join(server.directory, "password"))).toBe(false);
    expect((await processesNaming(server.directory)).filter(({ command }) => command.includes(password))).toEqual([]);
    expect((await stat(server.directory)).mode & 0o077).toBe(0);
  });

  test("does not write a failed statement's values into its log", async () => {
    const server = await started();
    await expect(ask(server.url, "SELECT 'canary'::int AS answer")).rejects.toThrow(/invalid input syntax/);
    expect(await readFile(join(server.directory, "log.1"), "utf8")).not.toContain("canary");
  });

  test("starts twice at once and twice in a row", async () => {
    const [one, two] = await Promise.all([started(), started()]);
    expect(one.url).not.toBe(two.url);
    expect(await Promise.all([ask(one.url, "SELECT 1 AS answer"), ask(two.url, "SELECT 2 AS answer")])).toEqual([1, 2]);
    await Promise.all([one.stop(), two.stop()]);
    expect(await ask((await started()).url, "SELECT 3 AS answer")).toBe(3);
  });

  test("takes a folder, settings and a port of the caller's", async () => {
    const parent = await mkdtemp(join(tmpdir(), "sanitize-test-"));
    await chmod(parent, 0o755);
    onTestFinished(() => rm(parent, { recursive: true, force: true }));
    const first = await started();
    const port = Number(new URL(first.url).port);
    await first.stop();
    const directory = join(parent, "server");
    const server = await started({ directory, port, settings: { work_mem: "7MB" } });
    expect(server.directory).toBe(directory);
    expect(new URL(server.url).port).toBe(String(port));
    expect(await ask(server.url, "SELECT current_setting('work_mem') AS answer")).toBe("7MB");
    await server.stop();
    expect(await readdir(parent)).toEqual([]);
  });

  test("ends with clients connected", async () => {
    const server = await started();
    const client = new pg.Client(server.url);
    client.on("error", () => undefined);
    await client.connect();
    await server.stop();
    expect(await processesNaming(server.directory)).toEqual([]);
  });
});

describe("a server that cannot be had", () => {
  test("a folder that is not empty is refused and left alone", async () => {
    const directory = await mkdtemp(join(tmpdir(), "sanitize-test-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, "precious"), "");
    await expect(startEmbedded({ directory })).rejects.toMatchObject({ code: "embedded_directory" });
    expect(await readdir(directory)).toEqual(["precious"]);
  });

  test("a port that is taken is named, and nothing stays", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    onTestFinished(() => void blocker.close());
    const address = blocker.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const parent = await mkdtemp(join(tmpdir(), "sanitize-test-"));
    await chmod(parent, 0o755);
    onTestFinished(() => rm(parent, { recursive: true, force: true }));
    const failure: unknown = await startEmbedded({ port, directory: join(parent, "server") }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(TargetRefused);
    expect(failure).toMatchObject({ code: "embedded_start", hint: "choose another port" });
    expect(await readdir(parent)).toEqual([]);
  });

  test("a setting it does not know is refused with the server's own words as cause", async () => {
    const failure: unknown = await startEmbedded({ settings: { no_such: "x" } }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "embedded_start", cause: { message: expect.stringContaining("no_such") } });
  });

  test.each([0, 100, 200, 300, 400, 500])("aborted after %d ms it ends, with nothing left", async (ms) => {
    const parent = await mkdtemp(join(tmpdir(), "sanitize-test-"));
    await chmod(parent, 0o755);
    onTestFinished(() => rm(parent, { recursive: true, force: true }));
    const abort = new AbortController();
    const starting = startEmbedded({ directory: join(parent, "server"), signal: abort.signal });
    const outcome = starting.then(
      (server) => server.stop(),
      (error: unknown) => error,
    );
    await delay(ms);
    abort.abort();
    const ended = await outcome;
    // Aborted too late is a server that started; it was stopped above.
    expect(ended === undefined || ended instanceof Interrupted).toBe(true);
    await untilGone(join(parent, "server"));
  });
});

describe("in processes of its own", () => {
  const installations: string[] = [];
  let open = "";

  beforeAll(async () => {
    open = await makeInstallation(tmpdir(), { links: true });
    installations.push(open);
    await chmod(open, 0o755);
  });
  afterAll(async () => {
    for (const directory of installations) {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test("a starter killed without warning takes its server along", async () => {
    const { child, url, directory } = await runStarter(open, "wait");
    expect(await ask(url, "SELECT 1 AS answer")).toBe(1);
    child.kill("SIGKILL");
    await untilGone(directory);
  });

  test("a starter that ends without stopping its server takes it along", async () => {
    const { child, directory } = await runStarter(open, "leave");
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
    await untilGone(directory);
  });

  test("when the watchdog was killed too, the next start clears up", async () => {
    const { child, url, directory } = await runStarter(open, "wait");
    const watchdogs = (await processesNaming(directory)).filter(({ command }) => command.includes("watchdog"));
    expect(watchdogs).toHaveLength(1);
    process.kill(watchdogs[0]?.pid ?? 0, "SIGKILL");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await ask(url, "SELECT 1 AS answer")).toBe(1);
    await (await started()).stop();
    await untilGone(directory);
  });

  test("the folder of a living owner stays", async () => {
    const { directory } = await runStarter(open, "wait");
    await (await started()).stop();
    expect(await exists(directory)).toBe(true);
  });

  test("packages installed without their scripts work", async () => {
    const bare = await makeInstallation(tmpdir(), { links: false });
    installations.push(bare);
    await chmod(bare, 0o755);
    const { child, directory } = await runStarter(bare, "stop");
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
    expect(await exists(directory)).toBe(false);
  });

  test.skipIf(!isRoot)("root runs it as an ordinary user, also from where that user may not look", async () => {
    const closed = await makeInstallation(tmpdir(), { links: true });
    installations.push(closed);
    const { child, url, directory } = await runStarter(closed, "wait");
    const user = await serverUser();
    const owner = await stat(join(directory, "data"));
    expect([owner.uid, owner.gid]).toEqual([user?.uid, user?.gid]);
    expect(await ask(url, "SELECT setting AS answer FROM pg_settings WHERE name = 'data_directory'")).toBe(
      join(directory, "data"),
    );
    expect(await exists(join(directory, "native"))).toBe(true);
    child.kill("SIGKILL");
    await untilGone(directory);
  });

  test.skipIf(!isRoot)("an ordinary user runs it as himself", async () => {
    const { child, url, directory } = await runStarter(open, "wait", nobody);
    expect((await stat(join(directory, "data"))).uid).toBe(nobody.uid);
    expect(await ask(url, "SELECT 1 AS answer")).toBe(1);
    child.kill("SIGKILL");
    await untilGone(directory);
  });
});
