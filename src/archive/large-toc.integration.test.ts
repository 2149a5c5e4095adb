/** Limits of a table of contents: 100,000 entries, in a process of its own, with a heap that would not hold much more. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";

const ENTRIES = 100_000;
const MEGABYTE = 1024 * 1024;
const PROCESS = fileURLToPath(new URL("testing/large-toc-process.ts", import.meta.url));

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-large-toc-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(mode: "write" | "read", heapMegabytes: number): Promise<unknown> {
  const script = [`--max-old-space-size=${heapMegabytes}`, "--import", "tsx", PROCESS];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...script,
    mode,
    join(folder, "large.dump"),
    String(ENTRIES),
  ]);
  return JSON.parse(stdout);
}

it("a table of contents of 100,000 entries opens within 500 MB", async () => {
  await run("write", 1000);
  const read = (await run("read", 300)) as { entries: number; rows: string; peak: number };
  expect(read.entries).toBe(ENTRIES + 2);
  const last = ENTRIES / 5 - 1;
  expect(read.rows).toBe(`${`${last}\t`.repeat(7)}${last}\n\\.\n\n\n`);
  expect(read.peak).toBeLessThan(500 * MEGABYTE);
});
