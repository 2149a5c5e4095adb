/** The nightly check and the officer's dry run: both read the whole backup through the filter and load nothing. */
import { prepare } from "./prepare.ts";
import { type RunResult, withEvidence } from "./run-evidence.ts";
import { scanBackup } from "./scan-backup.ts";
import type { RunContext } from "./settings.ts";

/** Every block of the backup read and decoded; gates, ledger and policy judged. Never throws for a backup that fails. */
export async function verifyBackup(run: RunContext, backup: string): Promise<RunResult> {
  return await withEvidence(run, "verify", "verified", async (journal) => {
    const prepared = await prepare(run, backup, journal);
    try {
      await scanBackup(run, prepared, journal, true);
    } finally {
      await prepared.backup.close();
    }
  });
}

/** What a restore would do, as evidence; with no database. */
export async function reportBackup(run: RunContext, backup: string): Promise<RunResult> {
  return await planOnly(run, backup, "report");
}

/** A dry run under the given command's name. */
export async function planOnly(run: RunContext, backup: string, command: string): Promise<RunResult> {
  return await withEvidence(run, command, "planned", async (journal) => {
    const prepared = await prepare(run, backup, journal);
    try {
      await scanBackup(run, prepared, journal, false);
    } finally {
      await prepared.backup.close();
    }
  });
}
