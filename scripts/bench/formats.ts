/**
 * Reading and scanning a backup in each format and compression, as `verify` and `report` do: every row through the filter
 * with 10,000 people to look for. Against the stock decompressor alone on the same content: `zstd -dc file > /dev/null`.
 *
 * The built program is measured, for its decoding threads start from files. What opening and planning cost is not counted
 * (a script is read whole once when it is opened: a run over one takes about twice the time told here); the first run
 * warms up and is not counted either. CPU seconds are those of all threads.
 */
import { execFile } from "node:child_process";
import { mkdir, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { generateKeySet } from "../../src/ledger/key-file.ts";
import { makeArchives, type StoredForm } from "./formats-made.ts";
import { median } from "./measure.ts";
import { makeRequests } from "./scan.ts";

const people = 10_000;

const policyText = `version: 1
tables:
  public.people: { match: { account_id: id, email: email }, created_at: created_at, action: delete }
  public.leads: { match: { account_id: person_id, email: email }, created_at: created_at, action: anonymise, set: { person_id: { value: 0 }, email: null, message: null } }
  public.notes: unaffected
  public.messages: { match: { account_id: person_id, email: email }, created_at: created_at, action: delete }
`;

export interface Pace {
  readonly seconds: number;
  /** User and system time together. */
  readonly cpuSeconds: number;
}

export interface FormatResult {
  readonly name: string;
  readonly storedMb: number;
  /** COPY text read, in MB: what the speeds of both count. */
  readonly copyMb: number;
  readonly ours: Pace;
  /** The stock decompressor; `null` where nothing is compressed. */
  readonly stock: Pace | null;
  /** Of the speeds: above 1 is faster than the decompressor alone. Median of the pairs. */
  readonly ratio: number | null;
}

export interface FormatOptions {
  /** COPY text in the database. */
  readonly megabytes: number;
  readonly runs: number;
  /** Made and removed. */
  readonly folder: string;
  /** Texts that compress to an eighth, or to a third. */
  readonly texts: "regular" | "varied";
}

/** One result for each format, as each is done. */
export async function* benchFormats(options: FormatOptions): AsyncGenerator<FormatResult> {
  const { folder, megabytes, texts } = options;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const program = await builtProgram();
    for await (const form of makeArchives(folder, megabytes, texts)) {
      yield await measureForm(program, form, options.runs);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureForm(program: Program, form: StoredForm, runs: number): Promise<FormatResult> {
  const { read, close } = await reading(program, form);
  const ours: Pace[] = [];
  const stock: Pace[] = [];
  const { bytes } = await read();
  for (let run = 0; run < runs; run++) {
    ours.push((await read()).pace);
    if (form.stock !== null) stock.push(await stockPace(form.stock));
  }
  await close();
  const middle = (paces: readonly Pace[]): Pace => ({
    seconds: median(paces.map((pace) => pace.seconds)),
    cpuSeconds: median(paces.map((pace) => pace.cpuSeconds)),
  });
  return {
    name: form.name,
    storedMb: form.storedBytes / 1e6,
    copyMb: bytes / 1e6,
    ours: middle(ours),
    stock: stock.length === 0 ? null : middle(stock),
    ratio: stock.length === 0 ? null : median(stock.map((pace, run) => pace.seconds / ours[run]!.seconds)),
  };
}

async function paceOf(work: () => Promise<unknown>): Promise<Pace> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

/** The shell's own count: two lines of minutes and seconds, the second that of its children. */
async function stockPace([command, ...args]: readonly [string, ...string[]]): Promise<Pace> {
  const started = performance.now();
  const { stdout } = await promisify(execFile)("sh", [
    "-c",
    '"$@" > /dev/null || exit 1; times',
    "sh",
    command,
    ...args,
  ]);
  const seconds = (performance.now() - started) / 1000;
  const times = [...stdout.split("\n")[1]!.matchAll(/(\d+)m([\d.]+)s/g)];
  return {
    seconds,
    cpuSeconds: times.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0),
  };
}

interface Reading {
  /** Of rows that came through. */
  readonly bytes: number;
  readonly pace: Pace;
}

/** Opens the backup and plans once, as a run does; `read` then reads everything and counts the time of that. */
async function reading(
  program: Program,
  form: StoredForm,
): Promise<{ read: () => Promise<Reading>; close: () => Promise<void> }> {
  const { signal } = new AbortController();
  const keys = generateKeySet();
  const now = new Date();
  const ledger = {
    ledgerId: keys.ledgerId,
    size: 1,
    head: "",
    root: "",
    checkedAt: now,
    freshAt: now,
    requests: makeRequests(people, keys),
  };
  const policy = await program.loadPolicy(policyText, "policy.yaml");
  const directory = (await stat(form.path)).isDirectory();
  const store = program.openFolder(directory ? form.path : dirname(form.path));
  const archive = directory
    ? await program.openArchiveFiles((await program.directoryFiles(store, "", signal)).files)
    : await program.openArchive(await store.open(basename(form.path)));
  const coverage = await program.coverPolicy(policy, archive, {
    timezone: "UTC",
    parseCopy: program.parseCopyStatement,
  });
  const plan = await program.planErasure({
    archive,
    coverage,
    ledger,
    keys,
    at: now,
    snapshotAt: now,
    zone: "UTC",
  });
  return {
    read: async () => {
      const tally = new program.Tally();
      let bytes = 0;
      const pace = await paceOf(async () => {
        for (const entry of archive.dataOrder.filter((one) => one.desc === "TABLE DATA")) {
          for await (const kept of program.sanitisedTable(archive, entry, plan, tally, signal)) bytes += kept.length;
        }
        await program.finishArchive(archive, signal);
      });
      return { bytes, pace };
    },
    close: async () => {
      await program.closeArchive(archive);
      store.close();
    },
  };
}

type Program = Awaited<ReturnType<typeof builtProgram>>;

async function builtProgram() {
  const part = async <T>(name: string): Promise<T> =>
    (await import(new URL(`../../dist/${name}.js`, import.meta.url).href)) as T;
  const [open, openFiles, files, folder, load, coverage, statement, plan, tally, table] = await Promise.all([
    part<typeof import("../../src/archive/open-archive.ts")>("archive/open-archive"),
    part<typeof import("../../src/archive/open-files.ts")>("archive/open-files"),
    part<typeof import("../../src/operations/directory-files.ts")>("operations/directory-files"),
    part<typeof import("../../src/storage/folder.ts")>("storage/folder"),
    part<typeof import("../../src/policy/load.ts")>("policy/load"),
    part<typeof import("../../src/policy/coverage.ts")>("policy/coverage"),
    part<typeof import("../../src/copy/statement.ts")>("copy/statement"),
    part<typeof import("../../src/erasure/plan.ts")>("erasure/plan"),
    part<typeof import("../../src/erasure/tally.ts")>("erasure/tally"),
    part<typeof import("../../src/operations/restore-table.ts")>("operations/restore-table"),
  ]);
  return {
    ...open,
    ...openFiles,
    ...files,
    ...folder,
    ...load,
    ...coverage,
    ...statement,
    ...plan,
    ...tally,
    ...table,
  };
}

/** The line above the results. */
export const formatHeading = row("format", "stored", "COPY", "ours", "CPU", "stock", "CPU", "ratio");

/** One line of the table: MB, MB, MB/s, seconds, MB/s, seconds. */
export function formatLine(result: FormatResult): string {
  const { name, storedMb, copyMb, ours, stock, ratio } = result;
  const speed = (pace: Pace): string => `${(copyMb / pace.seconds).toFixed(0)} MB/s`;
  const cpu = (pace: Pace): string => `${pace.cpuSeconds.toFixed(2)} s`;
  return row(
    name,
    `${storedMb.toFixed(0)} MB`,
    `${copyMb.toFixed(0)} MB`,
    speed(ours),
    cpu(ours),
    stock === null ? "" : speed(stock),
    stock === null ? "" : cpu(stock),
    ratio === null ? "" : ratio.toFixed(2),
  );
}

function row(name: string, ...cells: readonly string[]): string {
  return `${name.padEnd(28)}${cells.map((cell) => cell.padStart(10)).join("")}`.trimEnd();
}
