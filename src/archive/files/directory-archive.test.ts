/** Real directory archives and tars of pg_dump 15 to 18, as people ship them: everything as in the custom archive. */

import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Archive, LargeObject } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { openArchiveFiles } from "../open-files.ts";
import { filtered } from "../testing/commands.ts";
import { type Files, memoryFiles, sampleFiles, tarOf } from "../testing/directories.ts";
import { digests, joined, memorySource, readAll, sampleBytes, walkAll } from "../testing/sources.ts";
import { readObjectList } from "./object-lists.ts";

const openBytes = (bytes: Buffer, step?: number) => openArchive(memorySource(bytes, step));
const digestsOf = async (name: string) => digests(await walkAll(await openBytes(sampleBytes(name))));

const reference = await digestsOf("pg15-gzip.dump");
const fromSixteen = await digestsOf("extra-pg16-zstd.dump");
const expectedOf = (name: string) => (name.includes("pg16") ? fromSixteen : reference);

const DIRECTORIES = ["pg15-dir.tar", "extra-pg16-dir-zstd.tar", "extra-pg18-dir-lz4.tar"];
const TARS = ["pg15.tar", "extra-pg18.tar"];
const READ_ONCE = /read once to find them$/;

/** Read by a walk, by requests in the file's order, backwards, and again by a walk: always the same. */
async function expectWhole(archive: Archive, expected: Record<string, string>): Promise<void> {
  expect(digests(await walkAll(archive))).toEqual(expected);
  expect(archive.randomAccess).toBe(true);
  expect(digests(await readAll(archive, archive.dataOrder))).toEqual(expected);
  expect(digests(await readAll(archive, archive.toc.toReversed()))).toEqual(expected);
}

describe.each([...DIRECTORIES, ...TARS])("%s", (name) => {
  const expected = expectedOf(name);
  const files = sampleFiles(name);

  it("holds the same as the custom archive of its database", async () => {
    const archive = await openBytes(sampleBytes(name));
    await expectWhole(archive, expected);
    expect(archive.header.format).toBe(TARS.includes(name) ? "tar" : "directory");
    expect(archive.wrapping).toEqual(TARS.includes(name) ? [] : ["tar"]);
    expect(archive.sequential).toBe(false);
    expect(archive.remarks).toEqual([]);
    expect(archive.toc.filter((entry) => entry.hasData).map((entry) => archive.storedSize(entry))).not.toContain(null);
  });

  it.each([1, 513, 70_000])("gives the same from a source of %d bytes at a time (trap 10)", async (step) => {
    expect(digests(await walkAll(await openBytes(sampleBytes(name), step)))).toEqual(expected);
  });

  it("is read as files in a folder, in any order of names (traps 35, 36)", async () => {
    const archive = await openArchiveFiles(memoryFiles(new Map([...files].toReversed())));
    await expectWhole(archive, expected);
    expect(archive.header.format).toBe("directory");
    expect(archive.wrapping).toEqual([]);
  });

  it("is read with every file compressed by another hand (traps 8, 36)", async () => {
    const mixed: Array<[string, Buffer]> = [...files].map(([file, bytes], index) => {
      if (!/\.dat$|\.toc$/.test(file)) {
        return file.endsWith(".gz") && index % 2 === 0 ? [file.slice(0, -3), gunzipSync(bytes)] : [file, bytes];
      }
      switch (index % 3) {
        case 0:
          return [`${file}.gz`, gzipSync(bytes)];
        case 1:
          return [`${file}.lz4`, filtered(bytes, "lz4", "-q")];
        default:
          return [`${file}.zst`, filtered(bytes, "zstd", "-q", "--no-check")];
      }
    });
    await expectWhole(await openArchiveFiles(memoryFiles(new Map(mixed))), expected);
  });

  const names = [...files.keys()];
  const tocLast = [...names.filter((file) => file !== "toc.dat"), "toc.dat"];
  const ways: ReadonlyArray<readonly [string, readonly string[]]> = [
    ["`tar cf x .`", ["."]],
    ["toc.dat last", tocLast],
    ["toc.dat first", tocLast.toReversed()],
    ["PAX headers", ["--format=pax", "--pax-option=exthdr.name=%d/PaxHeaders/%f", "."]],
    ["old GNU headers", ["--format=oldgnu", "."]],
    ["V7-like names behind a folder", ["--format=ustar", "--transform=s,^\\./,dump-2026/,", "."]],
    ["names of 150 letters in ustar's two fields", ["--format=ustar", `--transform=s,^\\./,${"d".repeat(140)}/,`, "."]],
    ["names of 300 letters in GNU records", ["--format=gnu", `--transform=s,^\\./,${"d".repeat(240)}/,`, "."]],
    ["names of 300 letters in PAX records", ["--format=pax", `--transform=s,^\\./,${"d".repeat(240)}/,`, "."]],
    ["several folders around it", ["--transform=s,^\\./,srv/backups/nightly/,", "."]],
  ];

  it.each(ways)("is read from a tar made with %s (trap 37)", async (_what, args) => {
    const archive = await openBytes(tarOf(files, args));
    await expectWhole(archive, expected);
    expect(archive.wrapping).toEqual(["tar"]);
    expect(archive.remarks).toEqual([]);
  });

  it.each(ways.slice(0, 4))(
    "is read from a compressed tar made with %s, saying that it is read twice",
    async (_what, args) => {
      const archive = await openBytes(gzipSync(tarOf(files, args)));
      expect(archive.sequential).toBe(true);
      expect(archive.wrapping).toEqual(["gzip", "tar"]);
      expect(archive.remarks).toEqual([expect.stringMatching(READ_ONCE)]);
      expect(archive.randomAccess).toBe(true);
      await expectWhole(archive, expected);
    },
  );
});

describe.each(TARS)("%s, compressed", (name) => {
  const compressed = gzipSync(sampleBytes(name));

  it("is opened by its first member alone, and met in its own order", async () => {
    const archive = await openBytes(compressed);
    expect(archive.sequential).toBe(true);
    expect(archive.randomAccess).toBe(false);
    expect(archive.remarks).toEqual([]);
    expect(archive.wrapping).toEqual(["gzip"]);
    expect(digests(await readAll(archive, archive.dataOrder))).toEqual(expectedOf(name));
    expect(archive.randomAccess).toBe(true); // the last one's reader looked at the tar's end
  });

  it("is read by a walk, and backwards", async () => {
    await expectWhole(await openBytes(compressed), expectedOf(name));
    const archive = await openBytes(compressed);
    expect(digests(await readAll(archive, archive.dataOrder.toReversed()))).toEqual(expectedOf(name));
  });

  it("skips what nobody wants, and still meets all", async () => {
    const archive = await openBytes(compressed);
    const seen: number[] = [];
    await archive.walk({
      tableData: async (entry) => {
        seen.push(entry.dumpId);
      },
      largeObjects: async (entry, objects) => {
        for await (const _object of objects) {
          break;
        }
        seen.push(entry.dumpId);
      },
    });
    expect(seen).toEqual(archive.dataOrder.map((entry) => entry.dumpId));
    expect(archive.randomAccess).toBe(true);
    await (await openBytes(compressed)).walk({});
  });
});

describe("pg_dump's own tar, only forwards, that does not say which large objects are whose", () => {
  it("is read once to find them, and then as any", async () => {
    const bytes = sampleBytes("extra-pg18.tar");
    for (let at = bytes.indexOf("BLOB METADATA"); at >= 0; at = bytes.indexOf("BLOB METADATA")) {
      bytes.write("BLOB METADATX", at); // an entry of another type says nothing
    }
    const archive = await openBytes(gzipSync(bytes));
    expect(archive.randomAccess).toBe(true);
    await expectWhole(archive, reference);
  });
});

describe("large objects that a hand-made tar scatters", () => {
  it("are handed over run by run, each once", async () => {
    const files = sampleFiles("pg15-dir.tar");
    const names = [...files.keys()].sort((one, other) => one.slice(-8).localeCompare(other.slice(-8)));
    const archive = await openBytes(gzipSync(tarOf(files, names)));
    let runs = 0;
    const oids: number[] = [];
    await archive.walk({
      largeObjects: async (_entry, objects) => {
        runs++;
        for await (const { oid } of objects) {
          oids.push(oid);
        }
      },
    });
    expect(runs).toBeGreaterThan(1);
    expect(oids.toSorted((one, other) => one - other)).toEqual([100_001, 100_002, 100_003, 4_000_000_000]);
    await expectWhole(archive, reference);
  });

  it("are an empty run where the list is empty", async () => {
    const unannounced = Buffer.from(
      sampleFiles("pg15-dir.tar").get("toc.dat")!.toString("latin1").replaceAll("\x04\0\0\0BLOB\0", "\x04\0\0\0BLOX\0"),
      "latin1",
    );
    const files = new Map([...sampleFiles("pg15-dir.tar")].filter(([name]) => !name.startsWith("blob_")));
    files.set("toc.dat", unannounced).set("blobs.toc", Buffer.alloc(0));
    const archive = await openArchiveFiles(memoryFiles(files));
    const counts: number[] = [];
    await archive.walk({
      largeObjects: async (_entry, objects) => {
        counts.push(await drained(objects));
      },
    });
    expect(counts).toEqual([0]);
  });
});

describe("files that are not there", () => {
  const files = sampleFiles("extra-pg18-dir-lz4.tar");
  const without = (...names: string[]): Files => new Map([...files].filter(([name]) => !names.includes(name)));
  const open = (some: Files) => openArchiveFiles(memoryFiles(some));

  it.each([
    ["a table's", ["3619.dat.lz4"], /dump ID 3619$/],
    ["several", ["3619.dat.lz4", "3621.dat.lz4", "blobs_3643.toc"], /dump ID (3643|3619|3621)(, (3643|3619|3621)){2}$/],
    ["a list of large objects", ["blobs_3645.toc"], /dump ID 3645$/],
    ["a large object", ["blob_100003.dat.lz4"], /dump ID 3647$/],
  ])("%s: refused when the archive is opened, before anything is read (trap 38)", async (_what, names, message) => {
    await expect(open(without(...names))).rejects.toThrow(
      expect.objectContaining({
        name: "ArchiveDamaged",
        code: "truncated",
        message: expect.stringMatching(message),
      }) as Error,
    );
  });

  it("toc.dat: no archive", async () => {
    await expect(open(without("toc.dat"))).rejects.toThrow(/there is no toc\.dat$/);
    await expect(open(new Map([["map.dat", Buffer.alloc(0)]]))).rejects.toThrow(/pg_dumpall/);
  });

  it("and files that nobody knows are said", async () => {
    const archive = await open(new Map(files).set("9999.dat.gz", Buffer.alloc(0)).set(".DS_Store", Buffer.alloc(4)));
    expect(archive.remarks).toEqual(["1 data files belong to no entry of the table of contents"]);
  });
});

describe("names that pg_dump would not write", () => {
  const files = sampleFiles("pg15-dir.tar");
  const toc = files.get("toc.dat")!;
  const open = (changed: ReadonlyArray<readonly [string, Buffer]>) =>
    openArchiveFiles(memoryFiles(new Map([...files, ...changed])));

  it.each(["../x.dat", "/etc/x.d", "3619.dax", "3619dat\0", "3621.dat"])("%j in toc.dat is refused", async (name) => {
    const bytes = Buffer.from(toc);
    bytes.write(name, bytes.indexOf("3619.dat"), "latin1");
    await expect(open([["toc.dat", bytes]])).rejects.toThrow(expect.objectContaining({ code: "bad_toc" }) as Error);
  });

  it.each([
    "1 ../../etc/passwd\n",
    "1 blob_1.dat/../x\n",
    "0 blob_0.dat\n",
    "4294967296 blob_4294967296.dat\n",
    "-1 blob_1.dat\n",
    "1 blob_1.dat x\n",
    "1\n",
    "\n",
    "100001 blob_100001.dat\n100001 blob_100002.dat\n",
    "100001 blob_100001.dat\n100002 blob_100001.dat\n",
    "700001 blob_100001.dat\n",
    "100001 blob_0100001.dat\n",
    `1 blob_${"1".repeat(200)}.dat\n`,
    "x".repeat(100_000),
  ])("list of large objects %# is refused", async (list) => {
    await expect(open([["blobs.toc", Buffer.from(list)]])).rejects.toThrow(
      expect.objectContaining({ code: "bad_object_list" }) as Error,
    );
  });

  it.each([
    ["pg15-dir.tar", "blobs.toc"],
    ["extra-pg16-dir-zstd.tar", "blobs.toc"],
    ["extra-pg18-dir-lz4.tar", "blobs_3643.toc"],
  ])("%s: a list that was cut between two lines is refused", async (name, list) => {
    const all = sampleFiles(name);
    const lines = all
      .get(list)!
      .toString("latin1")
      .split(/(?<=\n)/);
    for (let kept = 0; kept < lines.length; kept++) {
      const cut = new Map(all).set(list, Buffer.from(lines.slice(0, kept).join("")));
      await expect(openArchiveFiles(memoryFiles(cut)), `${kept} lines`).rejects.toThrow(
        expect.objectContaining({ code: "bad_object_list" }) as Error,
      );
    }
  });

  it("a list longer than there are files is not read to its end", async () => {
    let given = 0;
    const endless = async function* (): AsyncGenerator<Buffer, void, undefined> {
      for (let oid = 1; ; oid++) {
        given++;
        yield Buffer.from(`${oid} blob_${oid}.dat\n`);
      }
    };
    await expect(readObjectList(endless(), 10)).rejects.toThrow(/more large objects than there are files/);
    expect(given).toBe(11);
  });

  it.each(["pg15-dir.tar", "extra-pg18-dir-lz4.tar"])(
    "%s: a toc.dat in which data is said not to be there is refused",
    async (name) => {
      const all = sampleFiles(name);
      const bytes = all.get("toc.dat")!;
      const { toc: entries } = await openArchiveFiles(memoryFiles(all));
      for (const entry of entries.filter(({ hasData }) => hasData)) {
        const flipped = Buffer.from(bytes);
        flipped[bytes.indexOf(entry.raw) + 6] = 0; // behind the dump ID, five bytes, and a sign
        await expect(openArchiveFiles(memoryFiles(new Map(all).set("toc.dat", flipped)))).rejects.toThrow(
          expect.objectContaining({ code: "bad_toc" }) as Error,
        );
      }
    },
  );

  it("a list that ends inside a line is cut", async () => {
    await expect(open([["blobs.toc", files.get("blobs.toc")!.subarray(0, -1)]])).rejects.toThrow(
      expect.objectContaining({ code: "truncated" }) as Error,
    );
  });

  it("a toc.dat of another format, or one that goes on, is refused", async () => {
    const custom = Buffer.from(toc);
    custom[10] = 1;
    await expect(open([["toc.dat", custom]])).rejects.toThrow(/of another archive format: 1$/);
    await expect(open([["toc.dat", Buffer.concat([toc, Buffer.from("x")])]])).rejects.toThrow(
      expect.objectContaining({ code: "appended" }) as Error,
    );
    await expect(open([["toc.dat", toc.subarray(0, -1)]])).rejects.toThrow(
      expect.objectContaining({ code: "truncated" }) as Error,
    );
  });
});

async function drained(objects: AsyncIterable<LargeObject>): Promise<number> {
  let count = 0;
  for await (const _object of objects) {
    count++;
  }
  return count;
}

describe("a file of data", () => {
  const files = sampleFiles("pg15-dir.tar");

  it("that is damaged says whose it is", async () => {
    const cut = files.get("3619.dat.gz")!.subarray(0, -3);
    const archive = await openArchiveFiles(memoryFiles(new Map([...files, ["3619.dat.gz", cut]])));
    await expect(joined(archive.tableData(archive.entry.get(3619)!))).rejects.toThrow(
      expect.objectContaining({ code: "truncated", message: expect.stringContaining("dump ID 3619") }) as Error,
    );
  });

  it("is opened only when it is read, and the uncompressed one first", async () => {
    const plain = gunzipSync(files.get("3619.dat.gz")!);
    const source = memoryFiles(new Map([...files, ["3619.dat", plain]]));
    const archive = await openArchiveFiles(source);
    expect(source.opened).toEqual(["toc.dat", "blobs.toc"]);
    expect(await joined(archive.tableData(archive.entry.get(3619)!))).toEqual(plain);
    expect(source.opened.at(-1)).toBe("3619.dat");
  });

  it("is asked for by its own kind of request", async () => {
    const archive = await openArchiveFiles(memoryFiles(files));
    const blobs = archive.toc.find((entry) => entry.desc === "BLOBS")!;
    await expect(joined(archive.tableData(blobs))).rejects.toThrow(RangeError);
    await expect(drained(archive.largeObjects(archive.entry.get(3619)!))).rejects.toThrow(RangeError);
    await expect(joined(archive.tableData(archive.toc[0]!))).rejects.toThrow(RangeError);
  });
});
