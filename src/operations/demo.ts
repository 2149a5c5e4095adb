/**
 * The whole story on this machine, with nothing but npm packages: a backup is made, people ask to be erased, the server is
 * lost, the backup is restored into a real PostgreSQL, and plain SQL shows who is there and who is not.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startEmbedded } from "../embedded/embedded-postgres.ts";
import { UsageError } from "../errors.ts";
import type { EvidenceDocument } from "../evidence/document.ts";
import { appendEraseLines } from "../ledger/erase.ts";
import { appendRelease } from "../ledger/follow-up.ts";
import { initLedger } from "../ledger/init.ts";
import { connect } from "../postgres/connection.ts";
import { parseConnectionUrl } from "../postgres/connection-settings.ts";
import { openStore } from "../storage/open-store.ts";
import { type PersonTrace, tracePeople } from "./demo-proof.ts";
import { hardAgeLimit } from "./gates.ts";
import { type MarketplaceBackup, writeMarketplaceBackup } from "./marketplace/marketplace-backup.ts";
import { marketplacePolicy } from "./marketplace/marketplace-policy.ts";
import { planRestore, restoreBackup } from "./restore.ts";
import type { RunContext, Settings } from "./settings.ts";

export interface DemoOptions {
  /** Rows of the backup over all tables. */
  readonly rows: number;
  readonly jobs: number;
  /** Folder for the report; made if absent. */
  readonly out: string;
}

export interface DemoResult {
  readonly backup: MarketplaceBackup;
  readonly evidence: EvidenceDocument;
  /** The dry run made before had the same plan and the same counts. */
  readonly dryRunAgrees: boolean;
  readonly people: readonly PersonTrace[];
  readonly report: string;
  readonly serverVersion: string;
}

/** How long before now the demo's nightly backup was made. */
const backupAge = 8 * 3_600_000;
const demoDatabase = "marketplace";

/** Leaves nothing behind but the report. @throws whatever stops one of its steps. */
export async function runDemo(run: Omit<RunContext, "settings">, options: DemoOptions): Promise<DemoResult> {
  const folder = await mkdtemp(join(tmpdir(), "sanitize-demo-"));
  try {
    const settings = demoSettings(folder, options);
    const context: RunContext = { ...run, settings };
    const backup = await makeBackup(context, folder, options.rows);
    await recordRequests(context, backup);
    await writeFile(settings.policyFile, marketplacePolicy, { flag: "wx" });
    const planned = await planRestore({ ...context, settings: { ...settings, evidence: null } }, "latest");
    if (planned.error !== undefined) throw planned.error;
    run.onEvent({ type: "phase", name: "starting an embedded PostgreSQL" });
    const server = await startEmbedded({ signal: run.signal });
    try {
      const url = new URL(server.url);
      url.pathname = `/${demoDatabase}`;
      const target = { url: url.toString(), region: null, allowedHosts: [], tls: "verify-full" as const, caFile: null };
      const restored = await restoreBackup({ ...context, settings: { ...settings, target } }, "latest");
      if (restored.error !== undefined) throw restored.error;
      const connection = await connect(parseConnectionUrl(target.url), run.signal);
      try {
        run.onEvent({ type: "phase", name: "asking the restored database about the people" });
        return {
          backup,
          evidence: restored.evidence,
          dryRunAgrees: sameDecisions(planned.evidence, restored.evidence),
          people: await tracePeople(connection, backup),
          report: restored.location ?? settings.evidence?.location.url ?? "",
          serverVersion: server.version,
        };
      } finally {
        await connection.close();
      }
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function demoSettings(folder: string, options: DemoOptions): Settings {
  const at = (url: string): { url: string; baseDirectory: string } => ({ url, baseDirectory: folder });
  return {
    source: { location: at("backups"), region: null, timezone: "UTC" },
    target: null,
    ledger: { location: at("ledger"), keyFile: join(folder, "ledger.key"), maxStaleness: 15 * 60_000 },
    policyFile: join(folder, "policy.yaml"),
    limits: { maxBackupAge: hardAgeLimit, jobs: options.jobs },
    evidence: { location: { url: resolve(options.out), baseDirectory: folder }, signingKeyFile: null },
  };
}

async function makeBackup(run: RunContext, folder: string, rows: number): Promise<MarketplaceBackup> {
  run.onEvent({ type: "phase", name: "making last night's backup" });
  await mkdir(join(folder, "backups"));
  const createdAt = new Date(run.now().getTime() - backupAge);
  try {
    return await writeMarketplaceBackup(join(folder, "backups", "marketplace.dump"), { rows, createdAt });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
      throw new UsageError(`there is no room for the demo in ${folder}`, {
        code: "no_space",
        hint: "use fewer --rows, or set TMPDIR",
        cause: error,
      });
    }
    throw error;
  }
}

async function recordRequests(run: RunContext, backup: MarketplaceBackup): Promise<void> {
  run.onEvent({ type: "phase", name: "recording the day's erasure requests" });
  const store = await openStore(run.settings.ledger.location);
  try {
    const keys = await initLedger(store, run.settings.ledger.keyFile, { now: run.now() });
    const people = Object.values(backup.people);
    const lines = people.flatMap((person) => (person.request ? [JSON.stringify(person.request)] : []));
    for await (const receipt of appendEraseLines(store, keys, lines, run.now())) void receipt;
    for (const { request, released } of people) {
      for (const provider of request && released ? released.recipients : []) {
        await appendRelease(
          store,
          keys,
          { request_id: request!.request_id, provider, released_at: released!.at },
          run.now(),
        );
      }
    }
  } finally {
    store.close();
  }
}

function sameDecisions(planned: EvidenceDocument, restored: EvidenceDocument): boolean {
  const decisions = ({ plan, tables, requests }: EvidenceDocument): string =>
    JSON.stringify([plan, tables?.filter((table) => table.class !== "skip_data"), requests]);
  return decisions(planned) === decisions(restored);
}
