import { VerificationFailed } from "../../errors.ts";
import type { DemoResult } from "../../operations/demo.ts";
import type { PersonTrace } from "../../operations/demo-proof.ts";
import { evidenceText } from "../evidence-text.ts";
import type { CommandIo } from "../io.ts";
import type { Register } from "../register.ts";
import { wholeNumber } from "../run.ts";

interface DemoFlags {
  readonly rows: number;
  readonly jobs: number;
  readonly out: string;
}

export const registerDemo: Register = (program, io) => {
  program
    .command("demo")
    .description("the whole story on this machine: backup, erasures, restore into an embedded PostgreSQL, proof")
    .option("--rows <n>", "rows of the made-up marketplace", wholeNumber(200, 1_000_000_000), 200_000)
    .option("--jobs <n>", "connections at a time", wholeNumber(1, 64), 2)
    .option("--out <dir>", "folder for the signed report", "sanitize-demo")
    .addHelpText(
      "after",
      `
Needs nothing but the npm packages of this tool. Cleans up after itself; only
the report stays.

Examples:
  sanitize demo
  sanitize demo --rows 2000000 --out /tmp/report

Exit codes: 0 the erased are gone and the others are there, 10 they are not,
6 the embedded server does not start.`,
    )
    .action(async (flags: DemoFlags, command) => await demo(io(command), flags));
};

async function demo(io: CommandIo, flags: DemoFlags): Promise<void> {
  const { runDemo } = await import("../../operations/demo.ts");
  const progress = await io.progress();
  let result: DemoResult | undefined;
  try {
    result = await runDemo(
      { signal: io.signal, now: () => new Date(), onEvent: (event) => progress.event(event) },
      flags,
    );
  } finally {
    progress.stop(result ? "" : undefined);
  }
  const sound = result.dryRunAgrees && result.people.every((person) => person.asExpected);
  if (io.options.json)
    io.print(JSON.stringify({ ...result, backup: { tables: result.backup.tables }, sound }, null, 2));
  else io.print(story(result));
  if (!sound) {
    throw new VerificationFailed("the demo did not end as it should", {
      code: "demo",
      hint: "report it with the output above",
    });
  }
}

const roles: Readonly<Record<PersonTrace["role"], string>> = {
  erased: "asked to be erased, providers have let go",
  forgotten_reviews: "asked to be erased, reviews too",
  pending: "asked today, providers have thirty days",
  returned: "erased long ago, signed up again since",
  kept: "a namesake who asked for nothing",
};

function story(result: DemoResult): string {
  const people = result.people.map((person) => {
    const places = Object.entries(person.found).map(([table, rows]) => `${rows} in ${table}`);
    const account = person.accountRows === 1 ? "account there" : "account gone";
    const avatar = person.avatar ? "avatar there" : "avatar gone";
    return `  ${person.asExpected ? "✔" : "✘"} ${roles[person.role]}\n      ${account}, ${avatar}, rows with an address or number: ${places.join(", ") || "none"}`;
  });
  return [
    evidenceText(result.evidence),
    "",
    `what plain SQL finds in the restored database (PostgreSQL ${result.serverVersion}):`,
    ...people,
    "",
    `the dry run beforehand ${result.dryRunAgrees ? "made the same plan and the same counts" : "DISAGREES with the restore"}`,
    `signed report: ${result.report}`,
  ].join("\n");
}
