import type { CommandIo } from "../io.ts";
import type { Register } from "../register.ts";
import { type DatabaseFlag, databaseOption, runWithEvidence, wholeNumber } from "../run.ts";

interface RestoreFlags extends DatabaseFlag {
  readonly target?: string;
  readonly jobs?: number;
  readonly dryRun?: boolean;
}

export const registerRestore: Register = (program, io) => {
  program
    .command("restore")
    .description("restore a backup without the people erased since it was made")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(
      "--target <url>",
      "postgres:// URL of the database to make (otherwise target.url); it must not exist or be empty",
    )
    .option(...databaseOption)
    .option("--jobs <n>", "connections at a time (otherwise limits.jobs, or 4)", wholeNumber(1, 64))
    .option("--dry-run", "read and judge everything, load nothing")
    .addHelpText(
      "after",
      `
The rows are filtered before they are loaded. The database is made beside its
final name, verified, and renamed last: whatever stops the run, nothing
half-restored is ever servable. A password belongs into the environment or
PGPASSFILE, not into --target. "latest" is the backup with the
youngest snapshot.

Examples:
  sanitize restore latest --dry-run
  sanitize restore 2026-11-22.dump --target postgres://me@db/shop --jobs 8

Exit codes: 0 restored, 3 backup refused, 4 ledger, 5 policy, 6 target,
7 archive damaged, 8 network, 9 PostgreSQL, 10 a survivor was found,
130 interrupted. See sanitize --help.`,
    )
    .action(async (backup: string, flags: RestoreFlags, command) => await restore(io(command), backup, flags));
};

async function restore(io: CommandIo, backup: string, flags: RestoreFlags): Promise<void> {
  const { restoreBackup, planRestore } = await import("../../operations/restore.ts");
  await runWithEvidence(io, { ...flags, needsTarget: !flags.dryRun }, (run) =>
    flags.dryRun ? planRestore(run, backup) : restoreBackup(run, backup),
  );
}
