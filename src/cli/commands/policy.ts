import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Archive } from "../../archive/model.ts";
import { UsageError } from "../../errors.ts";
import type { Coverage } from "../../policy/model.ts";
import { readConfig } from "../config.ts";
import type { CommandIo } from "../io.ts";
import type { IoOf, Register } from "../register.ts";
import { type DatabaseFlag, databaseOption } from "../run.ts";

export const registerPolicy: Register = (program, io) => {
  const policy = program
    .command("policy")
    .description("the rules: which table's rows go, stay, or stay without their author");
  registerInit(policy, io);
  registerCheck(policy, io);
  registerExplain(policy, io);
};

function registerInit(policy: Command, io: IoOf): void {
  policy
    .command("init")
    .description("draft a policy from a backup's table definitions, with the reasons as comments")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(...databaseOption)
    .option("--out <file>", "write it there (never over a file) instead of printing it")
    .addHelpText(
      "after",
      `
Reads the schema only, no row. The draft is a start: what a person must decide
is marked DECIDE.

Examples:
  sanitize policy init > policy.yaml
  sanitize policy init nightly/2026-11-22.dump --out policy.yaml

Exit codes: 0 drafted, 2 usage, 3 backup not found, 7 archive damaged,
8 network.`,
    )
    .action(async (backup: string, flags: DatabaseFlag & { out?: string }, command: Command) => {
      const { draftPolicy } = await import("../../policy/draft.ts");
      const { parseCopyStatement } = await import("../../copy/statement.ts");
      const here = io(command);
      await withArchive(here, backup, flags, async (archive) => {
        const draft = await draftPolicy(archive, { parseCopy: parseCopyStatement });
        if (flags.out === undefined) here.print(draft);
        else {
          await writeFile(flags.out, draft, { flag: "wx" }).catch((cause: unknown) => {
            throw new UsageError(`${flags.out} cannot be written`, {
              code: "usage",
              hint: "a policy is never overwritten: name a new file",
              cause,
            });
          });
          here.print(flags.out);
        }
      });
    });
}

function registerCheck(policy: Command, io: IoOf): void {
  policy
    .command("check")
    .description("compare the policy with a backup: unknown or missing tables and columns, references left dangling")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(...databaseOption)
    .addHelpText(
      "after",
      `
Examples:
  sanitize policy check
  sanitize policy check nightly/2026-11-22.dump --json

Exit codes: 0 the policy covers the backup, 3 backup not found, 5 it does not,
7 archive damaged, 8 network.`,
    )
    .action(async (backup: string, flags: DatabaseFlag, command: Command) => {
      const here = io(command);
      await withCoverage(here, backup, flags, (coverage) => {
        for (const advice of coverage.advice) here.note(`advice: ${advice}`);
        const { policy: checked, tables, edges } = coverage;
        here.print(
          here.options.json
            ? JSON.stringify(
                { digest: checked.digest, tables: tables.size, references: edges.length, advice: coverage.advice },
                null,
                2,
              )
            : `the policy covers the backup: ${tables.size} tables with data, ${edges.length} references followed (${checked.digest.slice(0, 23)})`,
        );
      });
    });
}

function registerExplain(policy: Command, io: IoOf): void {
  policy
    .command("explain")
    .description("say in words what happens to a table's rows, and why")
    .argument("<table>", "the table, as in the policy")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(...databaseOption)
    .addHelpText(
      "after",
      `
Examples:
  sanitize policy explain public.reviews
  sanitize policy explain '"My Schema"."Odd ""Name"""'

Exit codes: 0 explained, 3 backup not found, 5 the policy does not cover the
backup, 7 archive damaged.`,
    )
    .action(async (table: string, backup: string, flags: DatabaseFlag, command: Command) => {
      const { explainTable } = await import("../../policy/describe.ts");
      const { parseTableName } = await import("../../policy/names.ts");
      const here = io(command);
      await withCoverage(here, backup, flags, (coverage) => here.print(explainTable(coverage, parseTableName(table))));
    });
}

async function withArchive(
  io: CommandIo,
  backup: string,
  database: DatabaseFlag,
  work: (archive: Archive) => Promise<void>,
): Promise<void> {
  const { findBackup } = await import("../../operations/find-backup.ts");
  const { closeArchive } = await import("../../archive/open-archive.ts");
  const { openPlace } = await import("../../operations/open-place.ts");
  const settings = await readConfig(io.options.config, io.environment, database);
  const place = await findBackup(settings, backup, io.signal);
  try {
    const { archive } = await openPlace(place, settings, io.signal);
    try {
      await work(archive);
    } finally {
      await closeArchive(archive);
    }
  } finally {
    place.store.close();
  }
}

async function withCoverage(
  io: CommandIo,
  backup: string,
  database: DatabaseFlag,
  work: (coverage: Coverage) => void,
): Promise<void> {
  const { coverBackup, readPolicy } = await import("../../operations/prepare.ts");
  const settings = await readConfig(io.options.config, io.environment);
  const policy = await readPolicy(settings.policyFile);
  await withArchive(io, backup, database, async (archive) => work(await coverBackup(policy, { archive }, settings)));
}
