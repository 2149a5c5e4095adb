/** What is written as a directory archive: the very files of pg_dump, and the same content whatever is asked for. */

import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import type { ArchiveCompression } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { openArchiveFiles } from "../open-files.ts";
import { memoryFiles, sampleFiles } from "../testing/directories.ts";
import {
  copyOf,
  digests,
  joined,
  memorySource,
  pieces,
  sampleBytes,
  sampleNames,
  smallArchive,
  walkAll,
} from "../testing/sources.ts";
import { type DirectoryToWrite, writeDirectory } from "./directory-writer.ts";

async function written(options: DirectoryToWrite): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  await writeDirectory(options, async (name, body) => {
    expect(files.has(name), name).toBe(false);
    files.set(name, await joined(body));
  });
  return files;
}

const openSample = (name: string) => openArchive(memorySource(sampleBytes(name)));

describe.each(["pg15-dir.tar", "extra-pg18-dir-lz4.tar", "extra-pg16-dir-zstd.tar"])("%s, written again", (name) => {
  it("is the files of pg_dump: names, toc.dat and lists byte by byte", async () => {
    const sample = sampleFiles(name);
    const files = await written(copyOf(await openSample(name), "raw"));
    expect([...files.keys()].toSorted()).toEqual([...sample.keys()].toSorted());
    expect([...files.keys()].at(-1)).toBe("toc.dat");
    for (const [file, bytes] of sample) {
      if (!/\.(gz|lz4|zst)$/.test(file)) {
        expect(files.get(file)!.equals(bytes), file).toBe(true);
      }
    }
  });

  it("writes an empty large object as its pg_dump does", async () => {
    const files = await written(copyOf(await openSample(name), "raw"));
    const [file, bytes] = [...files].find(([file]) => file.startsWith("blob_100002."))!;
    // 16 still wrote a frame around nothing with zstd; releases after it write none.
    expect(bytes.length).toBe({ gz: 20, lz4: 0, zst: 0 }[file.split(".").at(-1)!]);
  });
});

describe.each(sampleNames.filter((name) => !name.includes("append")))("%s as a directory", (name) => {
  it.each(["raw", "fields"] as const)("holds the same (from %s)", async (how) => {
    const archive = await openSample(name);
    const expected = digests(await walkAll(archive));
    const copy = await openArchiveFiles(memoryFiles(await written(copyOf(archive, how))));
    expect(digests(await walkAll(copy))).toEqual(expected);
    expect(copy.toc.map(({ offset: _offset, raw: _raw, ...rest }) => rest)).toEqual(
      archive.toc.map(({ offset: _offset, raw: _raw, ...rest }) => rest),
    );
    expect(copy.header).toEqual({ ...archive.header, format: "directory" });
  });
});

const rows = Buffer.from("1\n\\.\n\n\n");

describe("a small archive", () => {
  it.each(["none", "gzip", "lz4", "zstd"] as const)("is whole with %s", async (compression: ArchiveCompression) => {
    const objects = { 7: Buffer.from("seven"), 8: Buffer.alloc(0), 4000000000: Buffer.alloc(300_000, "ab") };
    const files = await written(smallArchive({ t: rows }, { minor: 16, compression, objects }));
    const archive = await openArchiveFiles(memoryFiles(files));
    const contents = await walkAll(archive);
    expect(contents.get("public.t")).toEqual(rows);
    for (const [oid, bytes] of Object.entries(objects)) {
      expect(contents.get(`lo ${oid}`)?.equals(bytes), oid).toBe(true);
    }
  });

  it("is written with gzip files of the level that was asked for, not zlib streams", async () => {
    const sizes = [];
    for (const level of [1, 9]) {
      const files = await written(
        smallArchive({ t: Buffer.alloc(200_000, sampleBytes("pg15-Z0.dump")) }, { compression: "gzip", level }),
      );
      const bytes = files.get("10.dat.gz")!;
      expect(gunzipSync(bytes).length).toBe(200_000);
      sizes.push(bytes.length);
    }
    expect(sizes[1]).toBeLessThan(sizes[0]!);
  });

  it("asks for data in the order that is wanted, and keeps that of the entries in toc.dat", async () => {
    const small = smallArchive({ a: rows, b: rows, c: rows });
    const files = await written({ ...small, dataOrder: [12, 10, 11] });
    expect([...files.keys()]).toEqual(["12.dat", "10.dat", "11.dat", "toc.dat"]);
    const archive = await openArchiveFiles(memoryFiles(files));
    expect(archive.toc.slice(2).map((entry) => entry.tag)).toEqual(["a", "b", "c"]);
  });
});

describe("refused", () => {
  const blobs = (dumpId: number, ...oids: number[]) => ({
    dumpId,
    desc: "BLOBS",
    tag: "BLOBS",
    section: "data" as const,
    async *largeObjects() {
      for (const oid of oids) {
        yield { oid, data: pieces(rows, 3) };
      }
    },
  });
  const small = smallArchive({ t: rows });
  const withBlobs = (minor: number, ...more: Array<ReturnType<typeof blobs>>) =>
    written({ ...small, minor, entries: [...small.entries, ...more] });

  it("large objects that would share a file or a list, or have no OID", async () => {
    await expect(withBlobs(14, blobs(91, 1), blobs(92, 2))).rejects.toThrow(UsageError);
    await expect(withBlobs(16, blobs(91, 1), blobs(92, 1))).rejects.toThrow(/second large object 1 of dump ID 92/);
    await expect(withBlobs(16, blobs(91, 0))).rejects.toThrow(UsageError);
    await expect(withBlobs(16, blobs(91, 1), blobs(92, 2))).resolves.toHaveProperty("size", 6);
  });

  it("what no archive can hold, before anything is put", async () => {
    let put = 0;
    const count = async (): Promise<void> => {
      put++;
    };
    await expect(writeDirectory({ ...small, minor: 14, compression: "lz4" }, count)).rejects.toThrow(UsageError);
    await expect(writeDirectory({ ...small, entries: [...small.entries, ...small.entries] }, count)).rejects.toThrow(
      UsageError,
    );
    expect(put).toBe(0);
  });

  it("nothing more is put, toc.dat least of all, when a file cannot be", async () => {
    const names: string[] = [];
    const failing = writeDirectory(smallArchive({ a: rows, b: rows }), async (name) => {
      names.push(name);
      throw new RangeError("disk full");
    });
    await expect(failing).rejects.toThrow("disk full");
    expect(names).toEqual(["10.dat"]);
  });

  it("data is let go when putting it ends early", async () => {
    let released = 0;
    const noise = randomBytes(64 * 1024);
    async function* endless(): AsyncGenerator<Buffer, void, undefined> {
      try {
        for (;;) {
          yield noise;
        }
      } finally {
        released++;
      }
    }
    for (const compression of ["none", "gzip", "lz4", "zstd"] as const) {
      for (const entry of [
        { ...small.entries[2]!, data: endless },
        { ...blobs(91), largeObjects: oneEndless },
      ]) {
        const before = released;
        const stopping = writeDirectory(
          { ...small, minor: 16, compression, entries: [...small.entries.slice(0, 2), entry] },
          stop,
        );
        await expect(stopping).rejects.toThrow("enough");
        expect(released, `${compression} ${entry.desc}`).toBe(before + 1);
      }
    }
    async function* oneEndless() {
      yield { oid: 1, data: endless() };
    }
    async function stop(_name: string, body: AsyncIterable<Buffer>): Promise<void> {
      let bytes = 0;
      for await (const piece of body) {
        bytes += piece.length;
        if (bytes > 10) {
          throw new RangeError("enough");
        }
      }
    }
  });
});
