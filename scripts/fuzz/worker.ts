/** The fuzzing process: reads mutated files until it is told to stop, and tells its parent what it is doing. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Coverage } from "./coverage.ts";
import { mutate, Random } from "./mutate.ts";
import { type FuzzKeys, type Outcome, readEverything } from "./read-everything.ts";

/** From worker to parent. */
export type Report =
  | {
      readonly type: "alive";
      readonly runs: number;
      readonly blocks: number;
      readonly kept: number;
      readonly refused: number;
      readonly rss: number;
    }
  | { readonly type: "finding"; readonly what: string; readonly file: string };

interface Order {
  readonly corpus: string;
  readonly scratch: string;
  readonly seed: number;
  /** Only files of the corpus whose name holds this. */
  readonly only: string;
}

interface Seed {
  readonly name: string;
  readonly bytes: Buffer;
}

const largestInput = 64 * 1024;
const largestCorpus = 3000;
/** Resident bytes that no input may drive this process beyond. */
const memoryLimit = 900 * 1024 * 1024;

const order = JSON.parse(process.argv[2] ?? "{}") as Order;
const send = (report: Report): void => void process.send?.(report);

async function main(): Promise<void> {
  const keys = JSON.parse(readFileSync(join(order.corpus, "keys.json"), "utf8")) as FuzzKeys;
  const seeds = readdirSync(order.corpus, { withFileTypes: true })
    .filter(
      (item) =>
        item.isFile() && item.name !== "keys.json" && item.name !== "README.md" && item.name.includes(order.only),
    )
    .map(({ name }): Seed => ({ name, bytes: readFileSync(join(order.corpus, name)) }));
  const random = new Random(order.seed);
  const coverage = new Coverage();
  await coverage.start();
  for (const { name, bytes } of seeds) {
    const outcome = await readEverything(bytes, keys);
    if (outcome.kind !== "read") throw new Error(`${name} of the corpus cannot be read: ${outcome.message}`);
    await coverage.news();
  }
  const corpus = [...seeds];
  const tally = { runs: 0, refused: 0, reported: 0 };
  for (;;) {
    const parent = random.below(3) === 0 ? random.of(seeds) : random.of(corpus);
    const bytes = mutate(parent.bytes, random, random.of(seeds).bytes);
    if (bytes.length > largestInput) continue;
    const outcome = await attempt(bytes, keys);
    tally.runs++;
    if (outcome?.kind === "refused") tally.refused++;
    if ((await coverage.news()) && corpus.length < largestCorpus) corpus.push({ name: parent.name, bytes });
    const { rss } = process.memoryUsage();
    if (rss > memoryLimit) finding(`the process grew to ${Math.round(rss / 1e6)} MB`, bytes);
    if (performance.now() - tally.reported > 250) {
      tally.reported = performance.now();
      send({
        type: "alive",
        runs: tally.runs,
        blocks: coverage.blocks,
        kept: corpus.length,
        refused: tally.refused,
        rss,
      });
    }
  }
}

async function attempt(bytes: Buffer, keys: FuzzKeys): Promise<Outcome | null> {
  // the parent has it should this process never come back
  writeFileSync(join(order.scratch, "current"), bytes);
  try {
    return await readEverything(bytes, keys);
  } catch (error) {
    finding(error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error), bytes);
    return null;
  }
}

function finding(what: string, bytes: Buffer): void {
  const file = join(order.scratch, `finding-${Date.now()}`);
  writeFileSync(file, bytes);
  send({ type: "finding", what, file });
}

process.on("unhandledRejection", (error) => {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  finding(`a promise nobody waited for failed: ${what}`, readFileSync(join(order.scratch, "current")));
});
await main();
