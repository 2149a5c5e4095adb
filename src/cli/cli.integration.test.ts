/** The built command line as its user meets it: processes, pipes, signals, exit codes. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeMarketplaceBackup } from "../operations/marketplace/marketplace-backup.ts";
import { marketplacePolicy } from "../operations/marketplace/marketplace-policy.ts";
import { databaseNames, dropDatabases, freshName, serverUrl, withConnection } from "../postgres/testing/real-server.ts";

const bin = fileURLToPath(new URL("../../bin/sanitize.js", import.meta.url));
const built = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const made: string[] = [];
let folder = "";

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd ?? folder,
    env: { ...process.env, CI: "true", ...options.env },
  });
}

async function ended(child: ChildProcess, input = ""): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout!.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr!.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdin!.end(input);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}

async function sanitize(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Ended> {
  return await ended(start(args, options), options.input);
}

function targetUrl(name: string): string {
  const url = new URL(serverUrl ?? "");
  url.pathname = `/${name}`;
  return url.toString();
}

function database(): string {
  const name = freshName("cli");
  made.push(name);
  return name;
}

beforeAll(async () => {
  expect(existsSync(built), "npm test builds first; otherwise: npm run build").toBe(true);
  folder = await mkdtemp(join(tmpdir(), "sanitize-cli-test-"));
  await mkdir(join(folder, "backups"));
  const backup = await writeMarketplaceBackup(join(folder, "backups", "a.dump"), {
    rows: 3000,
    createdAt: new Date(Date.now() - 4 * 3_600_000),
  });
  const requests = Object.values(backup.people).flatMap(({ request }) => (request ? [JSON.stringify(request)] : []));
  await writeFile(join(folder, "requests.jsonl"), `${requests.join("\n")}\n`);
  await writeFile(join(folder, "policy.yaml"), marketplacePolicy);
  await writeFile(
    join(folder, "sanitize.yaml"),
    `source: { url: backups, timezone: UTC }
target: { url: "\${DATABASE_URL}" }
ledger: { url: ledger, key_file: ledger.key, max_staleness: 15m }
policy: policy.yaml
evidence: { url: evidence }
`,
  );
});

afterAll(async () => {
  if (serverUrl !== null) await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

const anywhere = { env: { DATABASE_URL: "postgres://nobody@localhost/nothing" } };

describe("the command line", () => {
  it("helps a stranger: every command has examples and exit codes", async () => {
    const { code, out } = await sanitize(["--help"]);
    expect(code).toBe(0);
    for (const command of ["demo", "restore", "verify", "report", "scrub", "backups", "ledger", "policy"])
      expect(out).toContain(`  ${command}`);
    for (const command of [
      ["demo"],
      ["restore"],
      ["verify"],
      ["report"],
      ["report", "verify"],
      ["scrub"],
      ["backups"],
      ["ledger", "erase"],
      ["ledger", "amend"],
      ["ledger", "verify"],
      ["policy", "check"],
    ]) {
      const help = await sanitize([...command, "--help"]);
      expect(help.code).toBe(0);
      expect(help.out.match(/^ {2}(?:.*\| )?sanitize .*$/gm)!.length, command.join(" ")).toBeGreaterThanOrEqual(2);
      expect(help.out).toMatch(/Exit codes: 0 /);
      expect(
        help.out.split("\n").filter((line) => line.length > 80),
        command.join(" "),
      ).toEqual([]);
    }
    const { buildProgram } = await import("./main.ts");
    const leaves = buildProgram(new AbortController().signal).commands.flatMap((command) =>
      command.commands.length > 0 ? command.commands : [command],
    );
    expect(leaves.length).toBeGreaterThan(15);
  });

  it.each([
    [["restor"]],
    [["restore", "--jobs", "many"]],
    [["restore", "--frobnicate"]],
    [["--config", "absent.yaml", "backups"]],
    [[]],
  ])("ends with 2 on wrong usage: %j", async (args) => {
    const { code, out, err } = await sanitize(args);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).not.toBe("");
  });

  it("names line and column of a wrong configuration, and no secret in it", async () => {
    await writeFile(
      join(folder, "wrong.yaml"),
      `source: { url: backups, timezon: UTC }\nledger: { url: l, key_file: k }\ntarget: { url: "mysql://geheim@x/y" }\npolicy: p\n`,
    );
    const { code, err } = await sanitize(["--config", "wrong.yaml", "backups"]);
    expect(code).toBe(2);
    expect(err).toMatch(/wrong\.yaml:1:\d+ /);
    expect(err).toMatch(/wrong\.yaml:3:\d+ /);
    expect(err).toContain("hint:");
    expect(err).not.toContain("geheim");
  });

  it("keeps a ledger over pipes, and plaintext out of it", async () => {
    expect(await sanitize(["ledger", "init"], anywhere)).toMatchObject({ code: 0 });
    expect(await sanitize(["ledger", "init"], anywhere)).toMatchObject({ code: 4, out: "" });
    const erased = await sanitize(["ledger", "erase"], {
      ...anywhere,
      input: await readFile(join(folder, "requests.jsonl"), "utf8"),
    });
    expect(erased.code).toBe(0);
    const receipts = erased.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { recorded: string });
    expect(receipts.map(({ recorded }) => recorded)).toEqual(["new", "new", "new", "new"]);
    const wrong = await sanitize(["ledger", "erase"], {
      ...anywhere,
      input: '{"keys": {"email": ["geen adres GEHEIM"]}}\n',
    });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("line 1");
    expect(wrong.err).not.toContain("GEHEIM");
    expect(await sanitize(["ledger", "heartbeat"], anywhere)).toMatchObject({ code: 0 });
    const shown = JSON.parse((await sanitize(["ledger", "show", "--json"], anywhere)).out) as { requests: unknown[] };
    expect(shown.requests).toHaveLength(4);
    expect((await sanitize(["ledger", "verify"], anywhere)).out).toMatch(/is sound: 6 records, 4 requests/);
    for (const name of await readdir(join(folder, "ledger", "records"))) {
      expect(await readFile(join(folder, "ledger", "records", name), "utf8")).not.toMatch(
        /voorbeeld|dijkstra|0619900/i,
      );
    }
  });

  it("checks, explains and drafts policies", async () => {
    expect((await sanitize(["policy", "check"], anywhere)).out).toMatch(/^the policy covers the backup: 12 tables/);
    expect((await sanitize(["policy", "explain", "public.reviews"], anywhere)).out).toContain("author_name");
    const draft = await sanitize(["policy", "init"], anywhere);
    expect(draft).toMatchObject({ code: 0 });
    expect(draft.out).toMatch(/^version: 1$/m);
    expect((await sanitize(["backups"], anywhere)).out).toMatch(/a\.dump +restorable +custom 1\.1\d gzip/);
  });

  it("plans, verifies and reports as one JSON document on stdout", async () => {
    const planned = await sanitize(["restore", "--dry-run", "--json"], anywhere);
    expect(planned.code).toBe(0);
    const plan = JSON.parse(planned.out) as { outcome: string; plan: { digest: string } };
    expect(plan.outcome).toBe("planned");
    const verified = await sanitize(["verify", "--json", "--quiet"], anywhere);
    expect(verified.err).toBe("");
    expect(JSON.parse(verified.out)).toMatchObject({ outcome: "verified", plan: plan.plan });
    await mkdir(join(folder, "reports"));
    const report = await sanitize(["report", "--out", "reports", "--log-format", "json"], anywhere);
    for (const line of report.err.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("message");
    const file = report.out.trim();
    expect((await sanitize(["report", "verify", file])).code).toBe(0);
    await writeFile(
      join(folder, file),
      (await readFile(join(folder, file), "utf8")).replace('"planned"', '"restored"'),
    );
    expect((await sanitize(["report", "verify", file])).code).toBe(10);
  });

  it("ends with the code of what refused", async () => {
    expect(await sanitize(["verify", "absent.dump"], anywhere)).toMatchObject({ code: 3 });
    await writeFile(join(folder, "text.dump"), "no archive at all");
    expect(await sanitize(["verify", "./text.dump"], anywhere)).toMatchObject({ code: 7 });
    const unreachable = { env: { DATABASE_URL: "postgres://nobody:geheim@127.0.0.1:9/nothing" } };
    const refused = await sanitize(["restore"], unreachable);
    expect(refused).toMatchObject({ code: 6 });
    expect(refused.err).not.toContain("geheim");
  });
});

describe.skipIf(serverUrl === null)("restore from the command line", () => {
  it("restores, prints what it did, and will not do it again over the result", async () => {
    const name = database();
    const env = { DATABASE_URL: targetUrl(name) };
    const first = await sanitize(["restore"], { env });
    expect(first.err).toContain("loading rows");
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toMatch(/survivors: 0/);
    const rows = await withConnection(name, (inside) =>
      inside.rows<{ n: string }>("SELECT count(*) AS n FROM users", "test"),
    );
    expect(Number(rows[0]!.n)).toBeGreaterThan(100);
    const second = await sanitize(["restore", "--json"], { env });
    expect(second.code).toBe(6);
    expect(JSON.parse(second.out)).toMatchObject({ outcome: "refused", error: { code: "target_not_empty" } });
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "leaves nothing and ends with 130 on %s, wherever it comes",
    async (signal) => {
      for (const moment of ["finding what goes", "making schema", "building indexes and constraints"]) {
        const name = database();
        const child = start(["restore"], { env: { DATABASE_URL: targetUrl(name) } });
        let seen = "";
        child.stderr!.on("data", (chunk: Buffer) => {
          seen += chunk.toString();
          if (seen.includes(moment) && !child.killed) child.kill(signal);
        });
        const { code, err } = await ended(child);
        expect(code, err).toBe(130);
        expect(await databaseNames(name)).toEqual([]);
      }
    },
  );

  it("never shows a half-restored database when it is killed outright, and names what was left", async () => {
    const name = database();
    const child = start(["restore"], { env: { DATABASE_URL: targetUrl(name) } });
    let seen = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes("loading rows")) child.kill("SIGKILL");
    });
    await ended(child);
    const left = await databaseNames(name);
    expect(left).not.toContain(name);
    expect(left).toHaveLength(1);
    made.push(...left);
    const again = await sanitize(["restore"], { env: { DATABASE_URL: targetUrl(name) } });
    expect(again.code, again.err).toBe(0);
    for (const leftover of left) expect(again.err).toContain(leftover);
  });
});

describe("scrub from the command line", () => {
  const place = () => join(folder, "clean");
  /** What a listing of the place would show; our temporary files are no objects. */
  const copies = async () =>
    (await readdir(place()).catch(() => [])).filter((name) => !name.startsWith(".sanitize-tmp-"));

  it("writes a copy and tells of it", async () => {
    const { code, out, err } = await sanitize(["scrub", "a.dump", "--out", "clean/told.dump", "--json"]);
    expect(code, err).toBe(0);
    const evidence = JSON.parse(out) as { outcome: string; scrub: { location: string } };
    expect(evidence).toMatchObject({ outcome: "scrubbed", scrub: { location: join(place(), "told.dump") } });
    expect((await sanitize(["scrub", "a.dump", "--out", "clean/told.dump"])).code).toBe(8);
    await rm(place(), { recursive: true });
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 130],
    ["SIGKILL", null],
  ] as const)("leaves no copy on %s, and the original as it was", async (signal, expected) => {
    const original = await readFile(join(folder, "backups", "a.dump"));
    for (const how of [["--out", "clean/never.dump"], ["--replace"]]) {
      const child = start(["scrub", "a.dump", ...how]);
      let seen = "";
      child.stderr!.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
        if (seen.includes("writing copy") && !child.killed) child.kill(signal);
      });
      const { code, err } = await ended(child);
      expect(code, err).toBe(expected);
      expect(await copies()).toEqual([]);
      expect((await readFile(join(folder, "backups", "a.dump"))).equals(original)).toBe(true);
      expect((await sanitize(["backups", "--json"])).out).not.toMatch(/never|sanitize-\d/);
    }
  });
});

describe("the demo", () => {
  it("tells the whole story, twice in a row, and leaves only the report", async () => {
    // its own folder for what is temporary, open to the user that an embedded server runs as
    const scratch = join(folder, "tmp");
    await chmod(folder, 0o755);
    await mkdir(scratch, { mode: 0o755 });
    for (let time = 1; time <= 2; time++) {
      const { code, out, err } = await sanitize(["demo", "--rows", "2000", "--out", "demo"], {
        env: { TMPDIR: scratch },
      });
      expect(code, err).toBe(0);
      expect(out.match(/✔/g)).toHaveLength(5);
      expect(out).not.toMatch(/voorbeeld|06-?199/);
      expect(await readdir(scratch)).toEqual([]);
      expect((await readdir(join(folder, "demo"))).length).toBe(time * 2);
    }
  });
});
