import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { readConfig } from "../config.ts";
import type { CommandIo } from "../io.ts";
import type { Register } from "../register.ts";
import { type DatabaseFlag, databaseOption, withProgress } from "../run.ts";

interface ReportFlags extends DatabaseFlag {
  readonly format: string;
  readonly out?: string;
}

export const registerReport: Register = (program, io) => {
  const report = program
    .command("report")
    .description("what a restore would remove, for which requests: the data protection officer's dry run")
    .argument("[backup]", "latest, an object key, s3://bucket/key, or a path", "latest")
    .option(...databaseOption)
    .option("--format <format>", "json", "json")
    .option("--out <dir>", "write the signed report there instead of printing it")
    .addHelpText(
      "after",
      `
Needs no database. The report holds counts and request numbers, no personal
data.

Examples:
  sanitize report
  sanitize report latest --out reports/

Exit codes: 0 reported, 3 backup refused, 4 ledger, 5 policy, 7 archive damaged,
8 network.`,
    )
    .action(async (backup: string, flags: ReportFlags, command) => await writeReport(io(command), backup, flags));
  report
    .command("verify")
    .description("check a report's signature, offline")
    .argument("<file>", "the report; its signature is expected beside it as <file>.sig")
    .option("--key-id <kid>", "the ID of the key it must be signed with")
    .addHelpText(
      "after",
      `
Examples:
  sanitize report verify reports/20261123t031500_9f3a1c.json
  sanitize report verify evidence.json --key-id 9f86d081884c7d65

Exit codes: 0 the signature holds, 2 the files cannot be read, 10 it does not
hold.`,
    )
    .action(
      async (file: string, flags: { keyId?: string }, command) => await verifyReport(io(command), file, flags.keyId),
    );
};

async function writeReport(io: CommandIo, backup: string, flags: ReportFlags): Promise<void> {
  if (flags.format !== "json") {
    throw new UsageError("this version writes reports as json only", { code: "usage", hint: "use --format json" });
  }
  const { reportBackup } = await import("../../operations/verify.ts");
  const { signingKey } = await import("../../operations/run-evidence.ts");
  const { signEvidence } = await import("../../evidence/signature.ts");
  const settings = await readConfig(
    io.options.config,
    io.environment,
    flags.database === undefined ? {} : { database: flags.database },
  );
  const result = await withProgress(io, settings, (run) => reportBackup(run, backup));
  const text = `${JSON.stringify(result.evidence, null, 2)}\n`;
  if (flags.out === undefined) io.print(text);
  else {
    await mkdir(flags.out, { recursive: true });
    const file = join(flags.out, `${result.evidence.run}.json`);
    await writeFile(file, text, { flag: "wx" }).catch((cause: unknown) => {
      throw new UsageError(`the report cannot be written into ${flags.out}`, {
        code: "usage",
        hint: "make the folder first",
        cause,
      });
    });
    const signature = signEvidence(result.evidence, await signingKey(settings));
    await writeFile(`${file}.sig`, `${JSON.stringify(signature, null, 2)}\n`, { flag: "wx" });
    io.print(file);
  }
  if (result.error !== undefined) throw result.error;
}

async function verifyReport(io: CommandIo, file: string, keyId: string | undefined): Promise<void> {
  const { verifyEvidence } = await import("../../evidence/signature.ts");
  const [document, signature] = await Promise.all([readJson(file), readJson(`${file}.sig`)]);
  const checked = signature as Parameters<typeof verifyEvidence>[1];
  verifyEvidence(document, checked, keyId);
  const trusted = keyId === undefined ? "; compare the key ID with the one you know" : "";
  io.print(
    io.options.json
      ? JSON.stringify({ verified: true, kid: checked.kid, sha256: checked.sha256 })
      : `the signature holds (key ${checked.kid})${trusted}`,
  );
}

async function readJson(file: string): Promise<unknown> {
  const hint = "a report and its .sig belong side by side";
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new UsageError(`${file} cannot be read`, { code: "usage", hint, cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    // the parser's message quotes the input
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new UsageError(`${file} is not JSON`, { code: "usage", hint, cause: cause.name });
  }
}
