import { InvalidArgumentError, Option } from "commander";
import type { CompressionChoice, ScrubFormat } from "../../operations/scrub/scrub-shape.ts";
import type { CommandIo } from "../io.ts";
import type { Register } from "../register.ts";
import { type DatabaseFlag, databaseOption, runWithEvidence } from "../run.ts";

interface ScrubFlags extends DatabaseFlag {
  readonly out?: string;
  readonly replace?: boolean;
  readonly format?: ScrubFormat;
  readonly compress?: CompressionChoice;
  readonly recipient?: readonly string[];
  readonly passphraseFile?: string;
  readonly unencrypted?: boolean;
  readonly dryRun?: boolean;
}

const formats: readonly ScrubFormat[] = ["custom", "directory", "plain"];

export const registerScrub: Register = (program, io) => {
  program
    .command("scrub")
    .description("write a copy of a backup without the people erased since it was made, for pg_restore or psql")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(...databaseOption)
    .option("--out <place>", "where to: s3://bucket/key, a path, or a folder with a slash at its end")
    .option("--replace", "put the copy in the place of the backup and remove the backup's older versions")
    .addOption(
      new Option("--format <format>", "of the copy (otherwise as the backup; a tar becomes custom)").choices(formats),
    )
    .option("--compress <how>", "none, gzip, lz4 or zstd, with :level (otherwise as the backup)", compression)
    .option("--recipient <key>", "encrypt the copy with age for this public key (age1…); repeatable", collect)
    .option("--passphrase-file <file>", "encrypt the copy with age and the passphrase in this file")
    .option("--unencrypted", "leave the copy of an encrypted backup in the clear")
    .option("--dry-run", "read and judge everything, write nothing")
    .addHelpText(
      "after",
      `
The copy is read back whole and compared with what was written before it is told
of; a copy that is not right is removed. It is as old as its backup: the five
days go on from there, and "latest" is the backup with the youngest snapshot.
A directory cannot be replaced, only copied.

Examples:
  sanitize scrub 2026-11-22.dump --out s3://backups-ie/clean/2026-11-22.dump
  sanitize scrub latest --replace --compress zstd:9

Exit codes: 0 written, 2 usage, 3 backup refused, 4 ledger, 5 policy, 7 archive
damaged, 8 network or something is there already, 10 what was read back is not
right, 130 interrupted. See sanitize --help.`,
    )
    .action(async (backup: string, flags: ScrubFlags, command) => await scrub(io(command), backup, flags));
};

async function scrub(io: CommandIo, backup: string, flags: ScrubFlags): Promise<void> {
  const { planScrub, scrubBackup } = await import("../../operations/scrub/scrub.ts");
  const result = await runWithEvidence(io, flags.database === undefined ? {} : { database: flags.database }, (run) =>
    flags.dryRun
      ? planScrub(run, backup)
      : scrubBackup(run, backup, {
          out: flags.out ?? null,
          replace: flags.replace ?? false,
          format: flags.format ?? null,
          compression: flags.compress ?? null,
          recipients: flags.recipient ?? [],
          passphraseFile: flags.passphraseFile ?? null,
          unencrypted: flags.unencrypted ?? false,
        }),
  );
  const gone = (result.evidence.tables ?? []).some((table) => table.rows_erased + table.rows_anonymised > 0);
  if (!gone) io.note("no row of this backup is erased or anonymised: the copy holds what the backup holds");
}

function compression(text: string): CompressionChoice {
  const match = /^(none|gzip|lz4|zstd)(?::(-?\d{1,2}))?$/.exec(text);
  if (match) {
    return { by: match[1] as CompressionChoice["by"], level: match[2] === undefined ? null : Number(match[2]) };
  }
  throw new InvalidArgumentError("It has to be none, gzip, lz4 or zstd, with a level behind a colon if any.");
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
