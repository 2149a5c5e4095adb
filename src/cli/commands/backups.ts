import { readConfig } from "../config.ts";
import { alignedTable } from "../evidence-text.ts";
import type { CommandIo } from "../io.ts";
import type { Register } from "../register.ts";
import { withProgress } from "../run.ts";

export const registerBackups: Register = (program, io) => {
  program
    .command("backups")
    .description("list the backups with age, size, format and whether each may be restored")
    .addHelpText(
      "after",
      `
Judged by name, age and how each begins, the youngest snapshot first; that one
is "latest". Whether one is whole, verify tells.

Examples:
  sanitize backups
  sanitize backups --json

Exit codes: 0 listed, 2 configuration, 3 bucket in the wrong region,
8 network.`,
    )
    .action(async (_flags: unknown, command) => await list(io(command)));
};

async function list(io: CommandIo): Promise<void> {
  const { describeBackups } = await import("../../operations/backups.ts");
  const settings = await readConfig(io.options.config, io.environment);
  const backups = await withProgress(io, settings, (run) => describeBackups(run));
  if (io.options.json) {
    io.print(JSON.stringify(backups, null, 2));
    return;
  }
  if (backups.length === 0) {
    io.note(`there are no backups in ${settings.source.location.url}`);
    return;
  }
  const rows = backups.map((backup) => [
    backup.key,
    backup.verdict,
    backup.format ?? "",
    `${(backup.age_seconds / 3600).toFixed(1)} h`,
    `${(backup.size / 1e6).toFixed(1)} MB`,
  ]);
  io.print(alignedTable(["backup", "verdict", "format", "age", "size"], rows, 3));
  for (const backup of backups) if (backup.reason) io.note(`${backup.key}: ${backup.reason}`);
}
