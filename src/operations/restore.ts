/**
 * The main job as a recipe, top to bottom. Its one promise to the reader: nothing carries the target's name before every
 * step above go-live has succeeded, and whatever stops the recipe, the side database is removed.
 */
import { finishArchive } from "../archive/open-archive.ts";
import type { ErasurePlan } from "../erasure/plan.ts";
import { Tally } from "../erasure/tally.ts";
import { LedgerRefused, SanitizeError, UsageError, VerificationFailed } from "../errors.ts";
import type { ErasureRequest } from "../ledger/model.ts";
import { scopeState } from "../ledger/requests.ts";
import { isLocal, parseConnectionUrl } from "../postgres/connection-settings.ts";
import { quoteIdentifier } from "../postgres/identifiers.ts";
import { type RestoreResult, runRestore } from "../postgres/run-restore.ts";
import { type SideDatabase, Target } from "../postgres/side-database.ts";
import { checkAge, checkTarget } from "./gates.ts";
import type { Journal } from "./journal.ts";
import { type Prepared, prepare, readLedger } from "./prepare.ts";
import { restoreEvents } from "./restore-events.ts";
import { sanitisedTable } from "./restore-table.ts";
import { type RunResult, withEvidence } from "./run-evidence.ts";
import type { RunContext, TargetSettings } from "./settings.ts";
import { largeObjectEvidence, readingEvidence, requestEvidence, tableEvidence } from "./summaries.ts";
import { planOnly } from "./verify.ts";
import { TargetVerification } from "./verify-target.ts";

/** The dry run: everything is read and judged, nothing is loaded. */
export async function planRestore(run: RunContext, backup: string): Promise<RunResult> {
  return await planOnly(run, backup, "restore --dry-run");
}

/** Restores a backup without the erased. Never throws for a run that failed: the result carries evidence and error. */
export async function restoreBackup(run: RunContext, backup: string): Promise<RunResult> {
  return await withEvidence(run, "restore", "restored", async (journal) => {
    const settings = run.settings.target;
    if (!settings) {
      throw new UsageError("there is no target", { code: "no_target", hint: "set target.url, or give --target" });
    }
    const target = await openTarget(run, settings);
    try {
      const prepared = await prepare(run, backup, journal);
      try {
        await journal.phase("checking target", () => target.preflight(prepared.backup.archive.toc));
        await loadAndGoLive(run, journal, prepared, target, settings);
      } finally {
        await prepared.backup.close();
      }
    } finally {
      await target.close();
    }
  });
}

/** Judges the target's address before anything is sent there, then keeps other restores away from its name. */
async function openTarget(run: RunContext, settings: TargetSettings): Promise<Target> {
  const connection = parseConnectionUrl(settings.url, settings.caFile === null ? {} : { caFile: settings.caFile });
  const local = isLocal(connection);
  checkTarget({ host: connection.host, local }, settings);
  // who names a CA wants it checked, also through a tunnel that ends on this machine
  const verified = local && settings.caFile !== null && !connection.host.startsWith("/");
  return await Target.open(verified ? { ...connection, tls: "verify-full" } : connection, run.signal);
}

async function loadAndGoLive(
  run: RunContext,
  journal: Journal,
  prepared: Prepared,
  target: Target,
  settings: TargetSettings,
): Promise<void> {
  for (const { name } of await target.leftovers()) {
    run.onEvent({
      type: "note",
      text: `a killed run left the database ${name}; remove it with: DROP DATABASE ${quoteIdentifier(name)};`,
    });
  }
  const side = await target.createSide({ run: journal.runId, archive: prepared.backup.archive, signal: run.signal });
  try {
    journal.add({
      target: {
        database: target.settings.database,
        region: settings.region,
        server_version: String(await target.serverVersion()),
        tls: target.settings.tls,
      },
    });
    const verification = new TargetVerification(prepared);
    await load(run, journal, prepared, side, verification);
    journal.add({
      verification: await journal.phase("verifying target", () => verification.finish(run, side)),
    });
    await journal.phase("go-live", () => goLive(run, journal, prepared, side));
  } catch (error) {
    await dropAside(run, side);
    throw error;
  }
}

/** Removes what was loaded. That this fails too must not hide why the run failed. */
async function dropAside(run: RunContext, side: SideDatabase): Promise<void> {
  try {
    await side.drop();
  } catch (error) {
    const why = error instanceof SanitizeError ? error.message : "an unexpected error";
    run.onEvent({
      type: "note",
      text: `the database ${side.name} could not be removed (${why}); it is not servable: drop it when the server is back`,
    });
  }
}

/** Loads the side database. The counts of filter and PostgreSQL must agree for every table. */
async function load(
  run: RunContext,
  journal: Journal,
  prepared: Prepared,
  side: SideDatabase,
  verification: TargetVerification,
): Promise<void> {
  const { archive } = prepared.backup;
  const { plan } = prepared;
  const tally = new Tally();
  const result = await runRestore({
    jobs: run.settings.limits.jobs,
    settings: side.settings,
    archive,
    tableData: (entry, signal) => ({ data: sanitisedTable(archive, entry, plan, tally, signal) }),
    skipData: (entry) => plan.tables.get(entry.dumpId)?.kind === "skip_data",
    checkTable: (entry, connection) => verification.checkTable(entry, connection),
    skipLargeObjects: plan.largeObjects,
    onEvent: restoreEvents(run, prepared.backup),
    signal: run.signal,
  });
  for (const { name, seconds } of result.phases) journal.addPhase(name, seconds);
  await finishArchive(archive, run.signal);
  journal.add({
    backup: readingEvidence(prepared.backup, plan),
    tables: tableEvidence(plan, tally),
    requests: requestEvidence(plan, tally),
    large_objects: largeObjectEvidence(plan, tally, result.largeObjects),
  });
  checkCounts(plan, tally, result);
}

/** PostgreSQL's own COPY count against ours, table by table. @throws VerificationFailed (`row_count`). */
function checkCounts(plan: ErasurePlan, tally: Tally, result: RestoreResult): void {
  for (const table of plan.tables.values()) {
    if (table.kind === "skip_data") continue;
    const counts = tally.table(table.dumpId);
    const loaded = result.tables.get(table.dumpId)?.rows;
    if (loaded === counts.kept + counts.anonymised) continue;
    throw new VerificationFailed(
      `table ${table.label}: PostgreSQL counted ${loaded ?? "no"} rows, the filter passed on ${counts.kept + counts.anonymised}`,
      { code: "row_count", hint: "a trigger or rule may have interfered; nothing was made servable" },
    );
  }
}

/** The requests are those of the plan, and each scope is in the state that the plan took it to be in. */
function sameRequests(prepared: Prepared, requests: readonly ErasureRequest[], now: Date): boolean {
  const planned = prepared.ledger.requests;
  if (requests.length !== planned.length) return false;
  return requests.every(
    (request, n) =>
      // one by one: together they may be longer than a string can be
      JSON.stringify(request) === JSON.stringify(planned[n]) &&
      request.scopes.every((scope) => scopeState(scope, now) === scopeState(scope, prepared.at)),
  );
}

/** Everything that may have changed while the load ran is judged again, then the database gets its name. */
async function goLive(run: RunContext, journal: Journal, prepared: Prepared, side: SideDatabase): Promise<void> {
  const ledger = await readLedger(run, prepared.keys);
  const now = run.now();
  if (!sameRequests(prepared, ledger.requests, now)) {
    throw new LedgerRefused("requests were recorded, changed or took effect while the backup was being loaded", {
      code: "ledger_moved",
      hint: "run the restore again: it will honour them",
    });
  }
  const age = checkAge(prepared.backup.snapshot, run.settings.limits.maxBackupAge, now, "before go-live");
  const live = await side.goLive(run.signal);
  if (live.leftover !== null) {
    run.onEvent({
      type: "note",
      text: `the empty database that had the name is now ${live.leftover}; it could not be dropped`,
    });
  }
  journal.add({ go_live: { at: now.toISOString(), age_seconds: Math.round(age), ledger_size: ledger.size } });
}
