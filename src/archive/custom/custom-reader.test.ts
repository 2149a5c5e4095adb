/** Real archives of pg_dump 15 to 19 (fixtures/archives): the traps of reading them, by their numbers. */

import { describe, expect, it } from "vitest";
import type { Archive } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import {
  type Contents,
  copyOf,
  digests,
  joined,
  memorySource,
  readAll,
  sampleBytes,
  sampleNames,
  smallArchive,
  walkAll,
} from "../testing/sources.ts";
import { entryBytes } from "../toc/toc.ts";
import { writeCustomArchive } from "./custom-writer.ts";

const openSample = (name: string, step?: number): Promise<Archive> =>
  openArchive(memorySource(sampleBytes(name), step));

/** How often each offset state occurs: 1 and 2 for entries with data, 3 for those without. */
function states(archive: Archive): Record<number, number> {
  const count: Record<number, number> = {};
  for (const entry of archive.toc) {
    const state = entry.hasData ? (entry.offset === null ? 1 : 2) : 3;
    count[state] = (count[state] ?? 0) + 1;
  }
  return count;
}

function rowsIn(contents: Contents): number {
  let rows = 0;
  for (const [name, bytes] of contents) {
    if (!name.startsWith("lo ")) {
      // All rows, the closing line, and two empty ones.
      rows += bytes.toString("latin1").split("\n").length - 1 - 3;
    }
  }
  return rows;
}

const reference = await walkAll(await openSample("pg15-gzip.dump"));
/** The 16 samples come from another server with the same schema: the same sizes, some other keys. */
const fromSixteen = await walkAll(await openSample("extra-pg16-zstd.dump"));

describe.each(sampleNames)("%s", (name) => {
  const expected = digests(name.startsWith("extra-pg16") ? fromSixteen : reference);

  it("holds 16 tables, 34 rows and 4 large objects", async () => {
    const archive = await openSample(name);
    const contents = await walkAll(archive);
    const tables = [...contents.keys()].filter((key) => !key.startsWith("lo "));
    expect(tables.length).toBe(16);
    expect(rowsIn(contents)).toBe(34);
    expect(contents.get("lo 100001")?.length).toBe(18);
    expect(contents.get("lo 100002")?.length).toBe(0); // trap 13
    expect(contents.get("lo 100003")?.length).toBe(40_001);
    expect(contents.get("lo 4000000000")?.length).toBe(3); // trap 4
    expect(archive.toc.filter((entry) => entry.desc === "SEQUENCE SET").length).toBe(5);
    expect(archive.encoding).toBe("UTF8");
    expect(archive.standardConformingStrings).toBe(true);
  });

  it("gives the same by requests, by a walk, and by requests after a walk (trap 1)", async () => {
    expect(digests(await readAll(await openSample(name)))).toEqual(expected);
    const archive = await openSample(name);
    expect(digests(await walkAll(archive))).toEqual(expected);
    expect(archive.randomAccess).toBe(true);
    expect(digests(await readAll(archive))).toEqual(expected);
  });

  it.each([1, 2, 3, 1000])("gives the same from a source of %d bytes at a time (trap 10)", async (step) => {
    expect(digests(await walkAll(await openSample(name, step)))).toEqual(expected);
  });

  it("gives the same when read backwards, several at once", async () => {
    const archive = await openSample(name);
    const parts = await Promise.all(
      [...archive.toc]
        .reverse()
        .filter((entry) => entry.hasData)
        .map((entry) => readAll(archive, [entry])),
    );
    expect(digests(new Map(parts.flatMap((part) => [...part])))).toEqual(expected);
  });

  it("ends its TOC exactly at the first block (traps 6, 7)", async () => {
    const bytes = sampleBytes(name);
    const source = memorySource(bytes);
    const archive = await openArchive(source);
    const first = archive.toc.find((entry) => entry.hasData)!;
    await joined(archive.tableData(first));
    const start = source.ranges.at(-1)![0];
    expect(bytes[start]).toBe(1);
  });

  it("writes its TOC back byte by byte (trap 5)", async () => {
    const archive = await openSample(name);
    const bytes = sampleBytes(name);
    let at = bytes.indexOf(archive.toc[0]!.raw);
    for (const entry of archive.toc) {
      expect(bytes.subarray(at, at + entry.raw.length).equals(entry.raw)).toBe(true);
      // From the decoded fields too: nothing is lost by decoding.
      expect(entryBytes(entry, entry.hasData, archive.header.minor).equals(entry.raw)).toBe(true);
      at += entry.raw.length + 9;
    }
    const [written] = [(await writeCustomArchive(copyOf(archive, "raw")).next()).value as Buffer];
    const withoutOffsets = blankOffsets(bytes.subarray(0, at), archive);
    expect(blankOffsets(written, archive).equals(withoutOffsets)).toBe(true);
  });

  it("has duplicate and dangling dependencies, which are kept (trap 31)", async () => {
    const archive = await openSample(name);
    const all = archive.toc.flatMap((entry) => entry.dependencies);
    expect(all.filter((id) => !archive.entry.has(id)).length).toBeGreaterThan(0);
    expect(archive.toc.some((entry) => new Set(entry.dependencies).size < entry.dependencies.length)).toBe(true);
    for (const entry of archive.toc.filter((item) => item.desc === "TABLE DATA")) {
      expect(entry.dependencies.length).toBe(1);
    }
  });
});

/** The TOC with every offset as a pipe's would be. Works in place on a copy. */
function blankOffsets(toc: Buffer, archive: Archive): Buffer {
  const copy = Buffer.from(toc);
  let at = copy.indexOf(archive.toc[0]!.raw);
  for (const entry of archive.toc) {
    at += entry.raw.length;
    copy.fill(0, at, at + 9);
    copy[at] = entry.hasData ? 1 : 3;
    at += 9;
  }
  return copy;
}

describe("positions", () => {
  it("are known in a file and unknown from a pipe (trap 1)", async () => {
    const file = await openSample("pg15-gzip.dump");
    const pipe = await openSample("pg15-pipe.dump");
    expect(states(file)).toEqual({ 2: 17, 3: 114 });
    expect(states(pipe)).toEqual({ 1: 17, 3: 114 });
    expect([file.randomAccess, pipe.randomAccess]).toEqual([true, false]);
    const last = (archive: Archive) => archive.toc.filter((entry) => entry.hasData).at(-1)!;
    expect(pipe.storedSize(last(pipe))).toBeNull();
    await walkAll(pipe);
    for (const entry of pipe.toc.filter((item) => item.hasData)) {
      expect(pipe.storedSize(entry)).toBe(file.storedSize(file.entry.get(entry.dumpId)!));
    }
  });

  it("of a pipe are learned on the way to the block that is asked for", async () => {
    const source = memorySource(sampleBytes("pg15-pipe.dump"), 512);
    const archive = await openArchive(source);
    const withData = archive.toc.filter((entry) => entry.hasData && entry.desc !== "BLOBS");
    await joined(archive.tableData(withData[5]!));
    const asked = source.ranges.length;
    await joined(archive.tableData(withData[2]!));
    expect(source.ranges.length).toBe(asked + 1); // straight to it
    await joined(archive.tableData(withData[7]!));
    const [scan] = source.ranges.slice(asked + 1);
    expect(scan![0]).toBeGreaterThan(source.ranges[1]![0]); // on from where it was, not from the start
  });

  it("that are off, as in an archive that was written behind other output, are found by reading (trap 2)", async () => {
    const archive = await openSample("pg15-gzip.dump");
    const whole = sampleBytes("pg15-gzip.dump");
    for (const shift of [10, -10]) {
      const bytes = Buffer.from(whole);
      let at = bytes.indexOf(archive.toc[0]!.raw);
      for (const entry of archive.toc) {
        at += entry.raw.length;
        if (entry.offset !== null) {
          bytes.writeBigUInt64LE(BigInt(entry.offset + shift), at + 1);
        }
        at += 9;
      }
      const shifted = await openArchive(memorySource(bytes));
      // Before the first block nothing can be; elsewhere a position counts until it is tried.
      expect(shifted.randomAccess).toBe(shift > 0);
      expect(digests(await readAll(shifted))).toEqual(digests(reference));
      expect(digests(await walkAll(await openArchive(memorySource(bytes))))).toEqual(digests(reference));
    }
  });

  it("beyond the file do not count as known", async () => {
    const bytes = sampleBytes("pg15-gzip.dump");
    const archive = await openArchive(memorySource(bytes));
    const first = archive.toc.find((entry) => entry.hasData)!;
    const at = bytes.indexOf(first.raw) + first.raw.length;
    bytes.writeBigUInt64LE(1n << 60n, at + 1);
    const other = await openArchive(memorySource(bytes));
    expect(other.randomAccess).toBe(false);
    expect(digests(await readAll(other))).toEqual(digests(reference));
  });

  it("let a block be read by one range that ends with it", async () => {
    const source = memorySource(sampleBytes("pg15-gzip.dump"), 512);
    const archive = await openArchive(source);
    const entry = archive.toc.filter((item) => item.hasData)[3]!;
    source.ranges.length = 0;
    await joined(archive.tableData(entry));
    expect(source.ranges).toEqual([[entry.offset, entry.offset! + archive.storedSize(entry)!]]);
  });
});

describe("bytes behind the last block", () => {
  const whole = sampleBytes("pg15-pipe.dump");
  const readings: ReadonlyArray<readonly [how: string, read: (archive: Archive) => Promise<unknown>]> = [
    ["a walk", walkAll],
    ["requests in order", (archive) => readAll(archive)],
    ["requests in reverse order", (archive) => readAll(archive, archive.toc.toReversed())],
  ];

  it.each(readings)(
    "are worth a remark when the table of contents stands there again (trap 3): %s",
    async (_how, read) => {
      const archive = await openSample("extra-pg15-append-redirect.dump");
      expect(archive.remarks).toEqual([]);
      await read(archive);
      expect(archive.remarks).toEqual([expect.stringMatching(/written with >>/)]);
    },
  );

  it.each(readings)("are none in a sound file, and may be zeros: %s", async (_how, read) => {
    const archive = await openSample("pg15-pipe.dump");
    await read(archive);
    expect(archive.remarks).toEqual([]);
    const padded = await openArchive(memorySource(Buffer.concat([whole, Buffer.alloc(5000)])));
    await read(padded);
    expect(padded.remarks).toEqual([expect.stringMatching(/zeros/)]);
  });

  it.each([
    ["yesterday's archive in front", sampleBytes("pg15-gzip.dump")],
    ["the same archive once more", whole],
    ["a piece of an archive", whole.subarray(0, 5000)],
    ["a log line", Buffer.from("pg_dump: done\n")],
  ])("refuse the file when they are something else: %s", async (_what, tail) => {
    for (const [, read] of readings) {
      const archive = await openArchive(memorySource(Buffer.concat([whole, tail])));
      await expect(read(archive)).rejects.toMatchObject({ code: "appended", exitCode: 7 });
    }
  });
});

describe("rows", () => {
  const table = (tag: string) => reference.get(`sales.${tag}`)!.toString("utf8");

  it("keep blank lines, which are rows of a table without columns (traps 19, 20)", () => {
    expect(table("zero_cols")).toBe("\n\n\n\\.\n\n\n");
    expect(table("empty_table")).toBe("\\.\n\n\n");
  });

  it("keep escapes and control bytes as they are (traps 21, 22)", () => {
    const rows = table("customers").split("\n");
    expect(rows[2]).toContain("cr\\rlf\\r\\nbs\\bff\\fvt\\vend");
    expect(rows[2]).toMatch(/\t\\\\N$/);
    expect(rows[3]).toMatch(/^4\t\\\\\.\t.*\t\\\\\.$/);
    expect(rows[4]).toContain("línea ünïcödé 😀 \u2028 ls");
    expect(rows[5]).toContain("\u0001\u0002\u007f control");
  });

  it("of one text column come back: empty, NULL, escapes, bytes that other readers split at (traps 20 to 22)", async () => {
    const bytes = Buffer.from("\n\\N\n\\\\N\n\\\\.\n\\t\n\v\f\x85\u2028\r\n\\.\n\n\n", "utf8");
    const parts = await joined(writeCustomArchive(smallArchive({ t: bytes })));
    const contents = await walkAll(await openArchive(memorySource(parts, 1)));
    expect(contents.get("public.t")!.equals(bytes)).toBe(true);
  });
});

describe("a walk", () => {
  it("skips what has no handler or is left untouched, in part, or wholly", async () => {
    for (const compression of ["none", "gzip"] as const) {
      const tables = { a: Buffer.alloc(500_000, "a"), b: Buffer.from("b\n"), c: Buffer.alloc(300_000, "c") };
      const objects = { 5: Buffer.alloc(100_000, "o"), 6: Buffer.from("six") };
      const bytes = await joined(writeCustomArchive(smallArchive(tables, { compression, objects })));
      const archive = await openArchive(memorySource(bytes, 1000));
      const seen: string[] = [];
      await archive.walk({
        tableData: async (entry, data) => {
          seen.push(entry.tag);
          if (entry.tag === "a") {
            const iterator = data[Symbol.asyncIterator]();
            await iterator.next(); // neither drained nor ended
          }
          if (entry.tag === "c") {
            for await (const _part of data) {
              break;
            }
          }
        },
        largeObjects: async (_entry, all) => {
          for await (const object of all) {
            seen.push(`lo ${object.oid}`);
          }
        },
      });
      expect(seen).toEqual(["a", "b", "c", "lo 5", "lo 6"]);
      await archive.walk({});
      const half: number[] = [];
      await archive.walk({
        largeObjects: async (_entry, all) => {
          for await (const object of all) {
            half.push(object.oid);
            break;
          }
        },
      });
      expect(half).toEqual([5]);
      expect(archive.remarks).toEqual([]);
    }
  });

  it("passes on what a handler throws and releases the source", async () => {
    let open = 0;
    const inner = memorySource(sampleBytes("pg15-gzip.dump"), 512);
    const archive = await openArchive({
      size: inner.size,
      async *read(start, end) {
        open++;
        try {
          yield* inner.read(start, end);
        } finally {
          open--;
        }
      },
    });
    await expect(archive.walk({ tableData: () => Promise.reject(new Error("from the handler")) })).rejects.toThrow(
      "from the handler",
    );
    const entry = archive.toc.find((item) => item.hasData)!;
    for await (const _part of archive.tableData(entry)) {
      break;
    }
    expect(open).toBe(0);
  });

  it("reads the file once", async () => {
    const bytes = sampleBytes("pg15-gzip.dump");
    const source = memorySource(bytes, 512);
    const archive = await openArchive(source);
    source.ranges.length = 0;
    await walkAll(archive);
    expect(source.ranges.length).toBe(1);
  });

  it("stops at an aborted signal with exit code 130", async () => {
    const archive = await openSample("pg15-gzip.dump", 64);
    const stop = new AbortController();
    const walking = archive.walk(
      {
        tableData: async (_entry, data) => {
          await joined(data);
          stop.abort();
        },
      },
      stop.signal,
    );
    await expect(walking).rejects.toThrow(expect.objectContaining({ exitCode: 130 }) as Error);
    const entry = archive.toc.find((item) => item.hasData)!;
    await expect(joined(archive.tableData(entry, stop.signal))).rejects.toThrow(
      expect.objectContaining({ exitCode: 130 }) as Error,
    );
    await expect(openArchive(memorySource(sampleBytes("pg15-gzip.dump")), { signal: stop.signal })).rejects.toThrow(
      expect.objectContaining({ exitCode: 130 }) as Error,
    );
  });
});

describe("blocks that the TOC does not announce", () => {
  const tables = { a: Buffer.from("a\n\\.\n\n\n"), b: Buffer.from("b\n\\.\n\n\n") };

  async function withChange(change: (bytes: Buffer, starts: number[]) => Buffer): Promise<Archive> {
    const bytes = await joined(writeCustomArchive(smallArchive(tables)));
    const archive = await openArchive(memorySource(bytes));
    const first = bytes.lastIndexOf(Buffer.from([1, 0, 10, 0, 0, 0]));
    const second = bytes.lastIndexOf(Buffer.from([1, 0, 11, 0, 0, 0]));
    expect(archive.toc.length).toBe(4);
    return openArchive(memorySource(change(bytes, [first, second])));
  }

  it("are refused by a walk and by a scan: unknown, twice, of the wrong type", async () => {
    const unknown = await withChange((bytes, [, second]) => bytes.fill(99, second! + 2, second! + 3));
    await expect(walkAll(unknown)).rejects.toThrow(/block of unknown dump ID 99 at byte \d+/);
    await expect(readAll(unknown)).rejects.toThrow(/block of unknown dump ID 99/);
    const twice = await withChange((bytes, [, second]) => bytes.fill(10, second! + 2, second! + 3));
    await expect(walkAll(twice)).rejects.toThrow(/second block of dump ID 10/);
    const wrong = await withChange((bytes, [first]) => bytes.fill(3, first!, first! + 1));
    await expect(walkAll(wrong)).rejects.toThrow(/block type 3 for dump ID 10/);
  });
});

describe("a truncated archive (trap 38)", () => {
  it("names the dump IDs that are missing, cut around every block's start", async () => {
    const whole = sampleBytes("pg15-Z0.dump");
    const archive = await openArchive(memorySource(whole));
    const blocks = archive.toc.filter((entry) => entry.hasData);
    for (const [index, block] of blocks.entries()) {
      for (const cut of [block.offset! - 1, block.offset!, block.offset! + 1]) {
        const short = () => openArchive(memorySource(whole.subarray(0, cut)));
        const error = await short()
          .then(walkAll)
          .then(
            () => null,
            (reason: Error) => reason,
          );
        expect(error, `cut at ${cut}`).toMatchObject({ name: "ArchiveDamaged", code: "truncated" });
        expect(error?.message).toContain(`at byte ${cut}`);
        if (cut === block.offset!) {
          expect(error?.message).toContain(
            `dump ID ${blocks
              .slice(index)
              .map((item) => item.dumpId)
              .join(", ")}`,
          );
        }
        await expect(short().then((cutShort) => readAll(cutShort))).rejects.toThrow(
          expect.objectContaining({ code: "truncated" }) as Error,
        );
      }
    }
  });
});

describe("table data without its table (trap 31)", () => {
  it("is read like any other", async () => {
    const archive = await openArchive(
      memorySource(await joined(writeCustomArchive(smallArchive({ t: Buffer.from("1\n\\.\n\n\n") })))),
    );
    const entry = archive.toc.at(-1)!;
    expect(entry.dependencies).toEqual([3]);
    expect(archive.entry.has(3)).toBe(false);
    expect((await joined(archive.tableData(entry))).toString()).toBe("1\n\\.\n\n\n");
  });
});

describe("asking for what is not there", () => {
  it("is a bug of the caller", async () => {
    const archive = await openSample("pg15-gzip.dump");
    const blobs = archive.toc.find((entry) => entry.desc === "BLOBS")!;
    await expect(joined(archive.tableData(archive.toc[0]!))).rejects.toBeInstanceOf(RangeError);
    await expect(joined(archive.tableData(blobs))).rejects.toBeInstanceOf(RangeError);
  });
});
