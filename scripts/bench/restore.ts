/** Whole restores: this tool against `pg_restore -j` of the same archive into the same server, in turn. */
import { execFile } from "node:child_process";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeCustomArchiveFile } from "../../src/archive/custom/custom-writer.ts";
import { appendEraseLines } from "../../src/ledger/erase.ts";
import { heartbeat } from "../../src/ledger/follow-up.ts";
import { initLedger } from "../../src/ledger/init.ts";
import { loadKeyFile } from "../../src/ledger/key-file.ts";
import { connect } from "../../src/postgres/connection.ts";
import { parseConnectionUrl } from "../../src/postgres/connection-settings.ts";
import { openStore } from "../../src/storage/open-store.ts";
import { benchEntries, benchPolicy } from "./bench-database.ts";
import { type Measured, measure, median } from "./measure.ts";

const tool = fileURLToPath(new URL("../../bin/sanitize.js", import.meta.url));

export interface RestoreResult {
  readonly archiveMb: number;
  readonly copyMb: number;
  readonly ours: readonly Measured[];
  readonly theirs: readonly Measured[];
  /** Median of the pairwise ratios of wall time, ours to theirs; `null` without pg_restore. */
  readonly ratio: number | null;
  readonly peakMb: number;
}

export interface RestoreOptions {
  /** COPY text in the archive. */
  readonly megabytes: number;
  readonly runs: number;
  readonly jobs: number;
  /** Superuser URL of the server. */
  readonly server: string;
  readonly folder: string;
  readonly compare: boolean;
}

export async function benchRestore(options: RestoreOptions): Promise<RestoreResult> {
  const { folder, jobs, runs } = options;
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "backups"), { recursive: true });
  const archive = join(folder, "backups", "bench.dump");
  await writeCustomArchiveFile(archive, {
    compression: "gzip",
    level: 6,
    createdAt: new Date(Date.now() - 3_600_000),
    database: "bench",
    serverVersion: "15.18",
    dumpVersion: "15.18",
    entries: benchEntries(options.megabytes),
  });
  await configure(folder, options.server, jobs);
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  for (let run = 0; run < runs; run++) {
    await dropDatabase(options.server, "bench");
    await beat(folder);
    ours.push(await measure(process.execPath, [tool, "--config", join(folder, "sanitize.yaml"), "--quiet", "restore"]));
    if (!options.compare) continue;
    await dropDatabase(options.server, "bench");
    await createDatabase(options.server, "bench");
    theirs.push(await measure("pg_restore", ["-j", String(jobs), "-d", databaseUrl(options.server, "bench"), archive]));
  }
  await dropDatabase(options.server, "bench");
  const size = (await stat(archive)).size;
  await rm(folder, { recursive: true, force: true });
  return {
    archiveMb: size / 1e6,
    copyMb: options.megabytes,
    ours,
    theirs,
    ratio: theirs.length > 0 ? median(ours.map(({ seconds }, n) => seconds / theirs[n]!.seconds)) : null,
    peakMb: Math.max(...ours.map(({ peakMb }) => peakMb)),
  };
}

async function configure(folder: string, server: string, jobs: number): Promise<void> {
  const store = await openStore({ url: "ledger", baseDirectory: folder });
  const keyFile = join(folder, "ledger.key");
  const keys = await initLedger(store, keyFile, { now: new Date() });
  const lines = Array.from({ length: 100 }, (_, n) =>
    JSON.stringify({ keys: { account_id: [String(n * 977 + 3)], email: [`deelnemer${n * 7}@voorbeeld.example`] } }),
  );
  for await (const receipt of appendEraseLines(store, keys, lines, new Date())) void receipt;
  store.close();
  await writeFile(join(folder, "policy.yaml"), benchPolicy);
  await writeFile(
    join(folder, "sanitize.yaml"),
    `source: { url: backups, timezone: UTC }
target: { url: "${databaseUrl(server, "bench")}" }
ledger: { url: ledger, key_file: ledger.key, max_staleness: 1h }
policy: policy.yaml
limits: { jobs: ${jobs} }
evidence: { url: evidence }
`,
  );
}

async function beat(folder: string): Promise<void> {
  const store = await openStore({ url: "ledger", baseDirectory: folder });
  await heartbeat(store, await loadKeyFile(join(folder, "ledger.key")), new Date());
  store.close();
}

function databaseUrl(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.toString();
}

async function dropDatabase(server: string, name: string): Promise<void> {
  await run(server, `DROP DATABASE IF EXISTS ${name}`);
  await run(server, "CHECKPOINT");
}

async function createDatabase(server: string, name: string): Promise<void> {
  await run(server, `CREATE DATABASE ${name} TEMPLATE template0`);
}

async function run(server: string, sql: string): Promise<void> {
  const connection = await connect(parseConnectionUrl(server));
  try {
    await connection.run(sql, "the benchmark's server");
  } finally {
    await connection.close();
  }
}

/** Whether pg_restore can be called, and which. */
export async function pgRestoreVersion(): Promise<string | null> {
  try {
    return (await promisify(execFile)("pg_restore", ["--version"])).stdout.trim();
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}
