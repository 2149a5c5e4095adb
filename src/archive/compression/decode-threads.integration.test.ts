/** Whole processes: the built program really has decoding threads, and none of them keeps a process that is done. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { joined, pieces, variedText } from "../testing/sources.ts";
import { compress } from "./compression.ts";
import { decodeThreadLimit } from "./decode-threads.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const text = variedText(6 * 1024 * 1024);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-decode-"));
  await writeFile(join(folder, "rows.lz4"), await joined(compress("lz4", pieces(text, 100_000), undefined)));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The program as it is delivered, and as tests and benchmarks run it. */
const FORMS = [
  { form: "built", compression: "dist/archive/compression", extension: "js", flags: [] },
  {
    form: "from its sources",
    compression: "src/archive/compression",
    extension: "ts",
    flags: ["--import", pathToFileURL(join(PROJECT, "node_modules/tsx/dist/loader.mjs")).href],
  },
] as const;

describe.skipIf(decodeThreadLimit() === 0).each(FORMS)("the program, $form", ({ compression, extension, flags }) => {
  /** Runs a script that has `data()`, `decompress` and `threads()`, to the end of its process. */
  async function run(script: string): Promise<string> {
    const at = (name: string) => JSON.stringify(pathToFileURL(join(PROJECT, compression, `${name}.${extension}`)).href);
    const file = join(folder, `run-${extension}.mjs`);
    await writeFile(
      file,
      `import { createReadStream } from "node:fs";
      const { decompress } = await import(${at("compression")});
      const { decodeThreadCount: threads } = await import(${at("decode-threads")});
      const data = () => decompress("lz4", createReadStream(${JSON.stringify(join(folder, "rows.lz4"))}), "a test");
      ${script}`,
    );
    // in another directory: what a thread needs is found from its own file
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, file], { cwd: folder });
    expect(stderr).toBe("");
    return stdout;
  }

  it("decodes in a thread, which ends with the process", async () => {
    const script = `let length = 0;
      for await (const bytes of data()) length += bytes.length;
      console.log(length, threads());`;
    expect(await run(script)).toBe(`${text.length} 1\n`);
  });

  it("ends although a stream was left half read", async () => {
    const script = `const left = data();
      console.log((await left.next()).done, threads());`;
    expect(await run(script)).toBe("false 1\n");
  });

  it("stays alive while a thread's answer is awaited, and for nothing else", async () => {
    // nothing but the stream itself: no timer, no other handle
    const script = `let length = 0;
      const reading = (async () => { for await (const bytes of data()) length += bytes.length; })();
      process.on("exit", () => console.log(length));
      await reading;
      console.log(process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort|Timeout/.test(name)).join());`;
    expect(await run(script)).toBe(`\n${text.length}\n`);
  });
});
