/**
 * `npm run fuzz`: files changed at random, guided by the code they reach, read as a restore reads them.
 *
 *   npm run fuzz -- --seconds 300 --seed 7 --only custom
 *
 * Found and told: errors that are none of ours, hangs (15 s without an end), memory beyond 900 MB, a walk that meets other
 * parts than requests give. The seed is printed; inputs that found something are kept, and their place is printed.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Report } from "./fuzz/worker.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    only: { type: "string", default: "" },
  },
});
const seconds = Number(values.seconds);
const seed = values.seed === undefined ? (Date.now() & 0x7fffffff) + 1 : Number(values.seed);
const hangs = 15_000;
const scratch = mkdtempSync(join(tmpdir(), "sanitize-fuzz-"));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Round {
  readonly findings: string[];
  last: Extract<Report, { type: "alive" }> | null;
}

/** Runs one worker until the time is over or it hangs. @returns false when it must not be started again. */
async function runWorker(until: number, from: number, round: Round): Promise<boolean> {
  const order = {
    corpus: fileURLToPath(new URL("../fixtures/corpus", import.meta.url)),
    scratch,
    seed: from,
    only: values.only,
  };
  const child = fork(fileURLToPath(new URL("./fuzz/worker.ts", import.meta.url)), [JSON.stringify(order)], {
    execArgv: ["--import", "tsx", "--max-old-space-size=512"],
  });
  let heard = performance.now();
  child.on("message", (report: Report) => {
    heard = performance.now();
    if (report.type === "alive") round.last = report;
    else round.findings.push(`${report.what}\n  ${report.file}`);
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  const watch = setInterval(() => {
    const now = performance.now();
    if (now - heard > hangs) round.findings.push(`no end after ${hangs / 1000} s\n  ${join(scratch, "current")}`);
    if (now - heard > hangs || now > until) stop(child);
  }, 100);
  const code = await ended;
  clearInterval(watch);
  if (code !== null && code !== 0)
    round.findings.push(`the process ended with code ${code}\n  ${join(scratch, "current")}`);
  return code === null && performance.now() < until && round.findings.length === 0;
}

function stop(child: ChildProcess): void {
  child.kill("SIGKILL");
}

const round: Round = { findings: [], last: null };
const until = performance.now() + seconds * 1000;
let from = seed;
while (await runWorker(until, from, round)) from++;
const { last, findings } = round;
say(
  last === null
    ? "fuzz: no run was finished"
    : `fuzz: seed ${seed}, ${last.runs} files read, ${last.refused} refused, ${last.blocks} blocks reached, ${last.kept} inputs kept, ${Math.round(last.rss / 1e6)} MB`,
);
for (const finding of findings) say(`finding: ${finding}`);
process.exitCode = findings.length > 0 || last === null ? 1 : 0;
