/**
 * Everything that must hold before a byte is loaded: backup through its gates, ledger proven current, policy covering the
 * dump, plan made. Restore, dry run, report and verify all begin here, so that they judge alike.
 */
import { readFile } from "node:fs/promises";
import { parseCopyStatement } from "../copy/statement.ts";
import { type ErasurePlan, planErasure } from "../erasure/plan.ts";
import { PolicyRefused } from "../errors.ts";
import type { LedgerEvidence } from "../evidence/document.ts";
import { loadKeyFile } from "../ledger/key-file.ts";
import type { KeySet } from "../ledger/key-set.ts";
import type { VerifiedLedger } from "../ledger/model.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { coverPolicy } from "../policy/coverage.ts";
import { loadPolicy } from "../policy/load.ts";
import type { Coverage, Policy } from "../policy/model.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { openStore } from "../storage/open-store.ts";
import type { Journal } from "./journal.ts";
import { checkMatchable } from "./matchable.ts";
import { type OpenBackup, openBackup } from "./open-backup.ts";
import type { RunContext, Settings } from "./settings.ts";
import { readingEvidence } from "./summaries.ts";

export interface Prepared {
  readonly backup: OpenBackup;
  readonly keys: KeySet;
  readonly ledger: VerifiedLedger;
  readonly coverage: Coverage;
  readonly plan: ErasurePlan;
  /** Instant at which request states were judged. */
  readonly at: Date;
}

/** Fills the journal as it goes, so that a refusal's evidence shows how far it came. The backup's store stays open. */
export async function prepare(run: RunContext, backupName: string, journal: Journal): Promise<Prepared> {
  const keys = await loadKeyFile(run.settings.ledger.keyFile);
  const ledger = await journal.phase("checking ledger", () => readLedger(run, keys));
  journal.add({ ledger: ledgerEvidence(ledger) });
  const policy = await readPolicy(run.settings.policyFile);
  journal.add({ policy: { digest: policy.digest } });
  checkMatchable(policy, ledger.requests);
  const backup = await journal.phase("opening backup", () => openBackup(run, backupName));
  try {
    journal.add({ backup: backup.evidence });
    const coverage = await coverBackup(policy, backup, run.settings);
    const at = run.now();
    const plan = await journal.phase("finding what goes", () => {
      run.onEvent({ type: "size", tables: 0, bytes: backup.archive.randomAccess ? 0 : backup.object.size });
      return planErasure({
        archive: backup.archive,
        coverage,
        ledger,
        keys,
        at,
        snapshotAt: backup.snapshot.at,
        zone: run.settings.source.timezone ?? "UTC",
        signal: run.signal,
      });
    });
    const advice = [...coverage.advice, ...adviceOn(run.settings)];
    journal.add({ backup: readingEvidence(backup, plan) });
    journal.add({ plan: { digest: plan.digest }, ...(advice.length > 0 ? { advice } : {}) });
    return { backup, keys, ledger, coverage, plan, at };
  } catch (error) {
    await backup.close();
    throw error;
  }
}

function adviceOn(settings: Settings): string[] {
  if (settings.source.timezone !== null) return [];
  return [
    "source.timezone is not set: a dump's clock is read as early as it can be meant, up to 14 hours older than it is",
  ];
}

/** The ledger verified whole and proven current. @throws LedgerRefused. */
export async function readLedger(run: RunContext, keys: KeySet): Promise<VerifiedLedger> {
  const store = await openStore(run.settings.ledger.location);
  try {
    return await verifyCurrent(store, run, keys);
  } finally {
    store.close();
  }
}

async function verifyCurrent(store: ObjectStore, run: RunContext, keys: KeySet): Promise<VerifiedLedger> {
  return await verifyLedger(store, keys, {
    now: run.now(),
    maxStalenessMs: run.settings.ledger.maxStaleness,
    signal: run.signal,
  });
}

function ledgerEvidence(ledger: VerifiedLedger): LedgerEvidence {
  return {
    id: ledger.ledgerId,
    size: ledger.size,
    head: ledger.head,
    root: ledger.root,
    checked_at: ledger.checkedAt.toISOString(),
    fresh_at: ledger.freshAt.toISOString(),
  };
}

/** @throws PolicyRefused when the file cannot be read or says something it may not. */
export async function readPolicy(file: string): Promise<Policy> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new PolicyRefused(`the policy ${file} cannot be read`, {
      code: "policy_missing",
      hint: "draft one from a backup with: sanitize policy init",
      cause,
    });
  });
  return await loadPolicy(text, file);
}

export async function coverBackup(
  policy: Policy,
  backup: Pick<OpenBackup, "archive">,
  settings: Settings,
): Promise<Coverage> {
  return await coverPolicy(policy, backup.archive, {
    timezone: settings.source.timezone,
    parseCopy: parseCopyStatement,
  });
}
