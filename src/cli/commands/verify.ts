import type { Register } from "../register.ts";
import { type DatabaseFlag, databaseOption, runWithEvidence } from "../run.ts";

export const registerVerify: Register = (program, io) => {
  program
    .command("verify")
    .description("check that a backup could be restored: whole, young enough, covered by the policy, ledger alive")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(...databaseOption)
    .addHelpText(
      "after",
      `
Reads every block of the backup and decodes it; touches no database.

Examples:
  sanitize verify
  sanitize verify --json nightly/2026-11-22.dump

Exit codes: 0 the backup can be restored, 3 backup refused, 4 ledger, 5 policy,
7 archive damaged, 8 network.`,
    )
    .action(async (backup: string, flags: DatabaseFlag, command) => {
      const { verifyBackup } = await import("../../operations/verify.ts");
      await runWithEvidence(io(command), flags, (run) => verifyBackup(run, backup));
    });
};
