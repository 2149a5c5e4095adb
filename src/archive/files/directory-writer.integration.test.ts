/** Stock pg_restore is the oracle: the directory we write, it must read, list, and make the same script and database of. */

import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../../embedded/testing/servers.ts";
import { newerClients } from "../../postgres/testing/newer-clients.ts";
import type { ArchiveCompression } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { copyOf, joined, memorySource, sampleBytes, sampleNames, samplePath } from "../testing/sources.ts";
import { writeDirectory } from "./directory-writer.ts";

const tools = testServers().pgTools;
const run = promisify(execFile);
const LIMITS = { timeout: 20_000, maxBuffer: 64 * 1024 * 1024 };

/** The script a pg_restore makes of an archive, without what differs from run to run. */
async function script(program: string, path: string): Promise<string> {
  const { stdout } = await run(program, ["-f", "-", path], LIMITS);
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, "");
}

const entriesIn = (list: string): string[] => list.split("\n").filter((line) => !line.startsWith(";"));

describe.skipIf(tools === null)("pg_restore reads what we write (needs PostgreSQL's client tools)", () => {
  let directory: string;
  let made = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sanitize-directory-oracle-"));
    await chmod(directory, 0o755);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** A sample as a directory archive on disk. */
  async function written(
    sample: string,
    how: "raw" | "fields",
    options: { readonly minor?: number; readonly compression?: ArchiveCompression } = {},
  ): Promise<string> {
    const folder = join(directory, String(made++));
    await mkdir(folder);
    await writeDirectory(
      { ...copyOf(await openArchive(memorySource(sampleBytes(sample))), how), level: undefined, ...options },
      async (name, body) => {
        await writeFile(join(folder, name), await joined(body));
      },
    );
    return folder;
  }

  it.each(["pg15-gzip.dump", "pg15-Z0.dump", "pg15.tar", "pg15-dir.tar"])(
    "%s: the same script and list",
    async (sample) => {
      const source = await script(tools!.pg_restore, samplePath("pg15-gzip.dump"));
      expect(source.match(/^COPY .* FROM stdin;$/gm)?.length).toBeGreaterThanOrEqual(15);
      for (const how of ["raw", "fields"] as const) {
        for (const compression of ["none", "gzip"] as const) {
          const folder = await written(sample, how, { compression });
          expect(await script(tools!.pg_restore, folder)).toBe(source);
          const [ours, theirs] = await Promise.all(
            [folder, samplePath("pg15-gzip.dump")].map((path) => run(tools!.pg_restore, ["-l", path], LIMITS)),
          );
          expect(entriesIn(ours!.stdout)).toEqual(entriesIn(theirs!.stdout));
          expect(ours!.stdout).toMatch(/^; {5}Format: DIRECTORY$/m);
        }
      }
    },
  );

  it.each([10, 11, 12, 13, 14])("version 1.%d", async (minor) => {
    const text = await script(tools!.pg_restore, await written("pg15-gzip.dump", "fields", { minor }));
    const source = await script(tools!.pg_restore, samplePath("pg15-gzip.dump"));
    const copied = (of: string): string[] => of.match(/^COPY [\s\S]*?^\\\.$/gm) ?? [];
    expect(copied(text)).toEqual(copied(source));
    const objects = (of: string): number => of.match(/pg_catalog\.lowrite/g)?.length ?? 0;
    expect(objects(text)).toBe(objects(source));
  });

  it("no file is there that pg_restore would not read", async () => {
    const names = await readdir(await written("pg15-gzip.dump", "raw"));
    expect(names.filter((name) => !/^(\d+\.dat\.gz|blob_\d+\.dat\.gz|blobs\.toc|toc\.dat)$/.test(name))).toEqual([]);
  });

  it.each(newerClients.filter(({ major }) => major >= 16))(
    "pg_restore $major: every newer sample in every compression",
    async ({ pg_restore: program, major }) => {
      const newest = major >= 17 ? 16 : 15;
      for (const sample of [...sampleNames, "extra-pg18.tar", "extra-pg18-dir-lz4.tar", "extra-pg16-dir-zstd.tar"]) {
        const { header } = await openArchive(memorySource(sampleBytes(sample)));
        if (header.minor < 15 || header.minor > newest) {
          continue;
        }
        const source = await script(program, await written(sample, "raw", { compression: "none" }));
        if (sample.endsWith(".dump")) {
          expect(await script(program, samplePath(sample)), sample).toBe(source);
        }
        for (const compression of ["gzip", "lz4", "zstd"] as const) {
          const folder = await written(sample, "raw", { compression });
          expect(await script(program, folder), `${sample} ${compression}`).toBe(source);
        }
      }
    },
    120_000,
  );
});
