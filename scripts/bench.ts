/**
 * `npm run bench`: speed as ratios against the alternative, on one machine in one run, medians of several.
 *
 *   npm run bench -- --mb 1000 --runs 3 --only scan,formats,restore,memory,help
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startEmbedded } from "../src/embedded/embedded-postgres.ts";
import { benchFormats, formatHeading, formatLine } from "./bench/formats.ts";
import { measureHelp } from "./bench/help.ts";
import { median } from "./bench/measure.ts";
import { benchRestore, pgRestoreVersion } from "./bench/restore.ts";
import { benchScan } from "./bench/scan.ts";

const { values } = parseArgs({
  options: {
    mb: { type: "string", default: "1000" },
    runs: { type: "string", default: "3" },
    jobs: { type: "string", default: "2" },
    only: { type: "string", default: "scan,formats,restore,memory,help" },
    "formats-mb": { type: "string", default: "300" },
    "memory-mb": { type: "string", default: "100,5000" },
    server: { type: "string" },
  },
});
const megabytes = Number(values.mb);
const runs = Number(values.runs);
const jobs = Number(values.jobs);
const wanted = new Set(values.only.split(","));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

if (wanted.has("scan")) {
  for (const tombstones of [1000, 1_000_000]) {
    const { mbPerSecond, rowsErased } = await benchScan(tombstones, megabytes, runs);
    say(
      `scan, ${tombstones.toLocaleString("en")} people by id and e-mail: ${mbPerSecond.toFixed(0)} MB/s of rows on one core (${rowsErased} rows erased)`,
    );
  }
}

if (wanted.has("formats")) {
  for (const texts of ["varied", "regular"] as const) {
    const folder = join(tmpdir(), `sanitize-bench-formats-${process.pid}`);
    say(`reading and scanning, 10,000 people by id and e-mail, ${texts} texts, against the decompressor alone:`);
    say(formatHeading);
    const megabytes = Number(values["formats-mb"]);
    for await (const result of benchFormats({ folder, megabytes, runs, texts })) say(formatLine(result));
  }
}

if (wanted.has("help")) {
  say(
    `sanitize --help: ${(await measureHelp(fileURLToPath(new URL("../bin/sanitize.js", import.meta.url)), runs)).toFixed(3)} s of CPU`,
  );
}

if (wanted.has("restore") || wanted.has("memory")) {
  const pgRestore = await pgRestoreVersion();
  const server =
    values.server === undefined
      ? await startEmbedded({ settings: { shared_buffers: "256MB", maintenance_work_mem: "256MB" } })
      : null;
  const url = values.server ?? server!.url;
  try {
    const base = { runs, jobs, server: url, folder: join(tmpdir(), `sanitize-bench-${process.pid}`) };
    if (wanted.has("restore")) {
      const result = await benchRestore({ ...base, megabytes, compare: pgRestore !== null });
      const seconds = (of: readonly { seconds: number }[]): string => median(of.map((one) => one.seconds)).toFixed(1);
      say(`restore of ${result.copyMb} MB of rows (${result.archiveMb.toFixed(0)} MB gzip): ${seconds(result.ours)} s`);
      if (result.ratio === null) say("  pg_restore is not installed: nothing to compare with");
      else
        say(
          `  ${pgRestore} -j${jobs}: ${seconds(result.theirs)} s; ratio ${result.ratio.toFixed(2)} (median of ${runs} pairs)`,
        );
      say(`  peak memory ${result.peakMb} MB`);
    }
    if (wanted.has("memory")) {
      for (const size of values["memory-mb"].split(",").map(Number)) {
        const result = await benchRestore({ ...base, runs: 1, megabytes: size, compare: false });
        say(`peak memory restoring ${size} MB of rows: ${result.peakMb} MB`);
      }
    }
  } finally {
    await server?.stop();
  }
}
