/** Stock pg_restore is the oracle: what we write, it must read, and make the same script of. */

import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../../embedded/testing/servers.ts";
import type { ArchiveCompression } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import {
  copyOf,
  joined,
  memorySource,
  rowsText,
  sampleBytes,
  samplePath,
  sessionEntries,
  smallArchive,
  tableEntry,
} from "../testing/sources.ts";
import { writeCustomArchive, writeCustomArchiveFile } from "./custom-writer.ts";

const tools = testServers().pgTools;
const run = promisify(execFile);
/** pg_restore 15 loops for ever on some archives (trap 11): it gets ten seconds. */
const LIMITS = { timeout: 10_000, maxBuffer: 64 * 1024 * 1024 };

/** The script pg_restore makes of an archive, without what differs from run to run. */
async function script(path: string): Promise<string> {
  const { stdout } = await run(tools!.pg_restore, ["-f", "-", path], LIMITS);
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, "");
}

/** What a version implies: no access method below 1.14, "" for NULL owners below 1.14, lo_create at the data below 1.12. */
function withoutVersionDifferences(text: string): string {
  return text
    .replaceAll(/^SET default_table_access_method = heap;\n\n/gm, "")
    .replaceAll(/; Owner: -?$/gm, "; Owner:")
    .replaceAll(/^SELECT pg_catalog\.lo_create\('(\d+)'\);\n\n\n/gm, "")
    .replaceAll(/lo_open\(pg_catalog\.lo_create\('(\d+)'\), 131072\)/g, "lo_open('$1', 131072)");
}

describe.skipIf(tools === null)("pg_restore reads what we write (needs PostgreSQL's client tools)", () => {
  let directory: string;
  let major: number;
  let source: string;
  const newest = () => (major >= 17 ? 16 : major === 16 ? 15 : 14);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sanitize-oracle-"));
    await chmod(directory, 0o755);
    const { stdout } = await run(tools!.pg_restore, ["--version"], LIMITS);
    major = Number(/(\d+)/.exec(stdout)?.[1]);
    source = await script(samplePath("pg15-gzip.dump"));
    expect(source.match(/^COPY .* FROM stdin;$/gm)?.length).toBeGreaterThanOrEqual(15);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const written = async (name: string, minor: number, compression: ArchiveCompression, how: "raw" | "fields") => {
    const original = await openArchive(memorySource(sampleBytes("pg15-gzip.dump")));
    const path = join(directory, name);
    await writeCustomArchiveFile(path, { ...copyOf(original, how), minor, compression });
    return path;
  };

  it.each([
    [10, "gzip"],
    [11, "none"],
    [11, "gzip"],
    [12, "none"],
    [13, "gzip"],
    [13, "none"],
    [14, "none"],
    [14, "gzip"],
  ] as const)("version 1.%d, %s", async (minor, compression) => {
    const text = await script(await written(`v${minor}-${compression}.dump`, minor, compression, "fields"));
    if (minor === 14) {
      expect(text).toBe(source);
    }
    expect(withoutVersionDifferences(text)).toBe(withoutVersionDifferences(source));
  });

  it("entries written as they were stored", async () => {
    expect(await script(await written("raw.dump", 14, "gzip", "raw"))).toBe(source);
  });

  it("every compression, where this pg_restore knows it", async () => {
    for (const compression of newest() >= 15
      ? (["none", "gzip", "lz4", "zstd"] as const)
      : (["none", "gzip"] as const)) {
      const path = await written(`newest-${compression}.dump`, newest(), compression, "fields");
      expect(withoutVersionDifferences(await script(path)), compression).toBe(withoutVersionDifferences(source));
    }
  });

  it("a stream without offsets", async () => {
    const original = await openArchive(memorySource(sampleBytes("pg15-gzip.dump")));
    const path = join(directory, "streamed.dump");
    await writeFile(path, await joined(writeCustomArchive(copyOf(original, "fields"))));
    expect(await script(path)).toBe(source);
  });

  it.each(["none", "gzip"] as const)("a table of many chunks, %s, without hanging (trap 11)", async (compression) => {
    const rows = Buffer.concat([rowsText(), rowsText(), rowsText(), Buffer.from("\\.\n\n\n")]);
    const path = join(directory, `chunks-${compression}.dump`);
    const entries = [...sessionEntries, tableEntry(10, "t", rows, 100)];
    await writeCustomArchiveFile(path, smallArchive({}, { compression, entries }));
    expect(await script(path)).toContain(`COPY public.t (v) FROM stdin;\n${rows.toString()}`);
  });

  it("and lists it, by its offsets", async () => {
    const path = await written("listed.dump", 14, "gzip", "fields");
    const entries = (text: string) => text.split("\n").filter((line) => !line.startsWith(";"));
    const [ours, theirs] = await Promise.all(
      [path, samplePath("pg15-gzip.dump")].map((file) => run(tools!.pg_restore, ["-l", file], LIMITS)),
    );
    expect(entries(ours!.stdout)).toEqual(entries(theirs!.stdout));
  });
});
