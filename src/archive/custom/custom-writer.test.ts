import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { zstdImplementation } from "../compression/zstd.ts";
import { openArchive } from "../open-archive.ts";
import {
  copyOf,
  digests,
  joined,
  memorySource,
  pieces,
  readAll,
  rowsText,
  sampleBytes,
  sampleNames,
  sessionEntries,
  smallArchive,
  tableEntry,
  walkAll,
} from "../testing/sources.ts";
import { type ArchiveToWrite, customArchive, writeCustomArchive, writeCustomArchiveFile } from "./custom-writer.ts";

const native = zstdImplementation() === "native";
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sanitize-archive-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const rows = Buffer.concat([rowsText(), Buffer.from("\\.\n\n\n")]);
const OBJECTS = { 100001: Buffer.from("eighteen bytes, ok"), 100002: Buffer.alloc(0), 4000000000: Buffer.from("abc") };

const VERSIONS = [10, 11, 12, 13, 14, 15, 16].flatMap((minor) =>
  (["none", "gzip", "lz4", "zstd"] as const)
    .filter((compression) => minor >= 15 || compression === "none" || compression === "gzip")
    .filter((compression) => compression !== "zstd" || native)
    .map((compression) => [minor, compression] as const),
);

describe.each(VERSIONS)("version 1.%d, %s", (minor, compression) => {
  const options = smallArchive({ one: rows, two: Buffer.from("\\.\n\n\n") }, { minor, compression, objects: OBJECTS });

  it("is read back: streamed without offsets, in a file with them", async () => {
    const streamed = await openArchive(memorySource(await joined(writeCustomArchive(options)), 4000));
    expect(streamed.randomAccess).toBe(false);
    const path = join(directory, `${minor}-${compression}.dump`);
    await writeCustomArchiveFile(path, options);
    const written = await openArchive(memorySource(await readFile(path), 4000));
    expect(written.randomAccess).toBe(true);
    expect(written.toc.filter((entry) => entry.hasData).every((entry) => entry.offset !== null)).toBe(true);
    for (const archive of [streamed, written]) {
      const contents = await readAll(archive);
      expect(archive.header).toMatchObject({
        minor,
        compression,
        database: "small",
        createdAt: { year: 2026, month: 11, day: 23, hour: 6 },
      });
      expect(contents.get("public.one")!.equals(rows)).toBe(true);
      expect(contents.get("public.two")!.toString()).toBe("\\.\n\n\n");
      expect(contents.get("lo 4000000000")!.toString()).toBe("abc");
      expect(contents.get("lo 100002")!.length).toBe(0);
      expect(contents.size).toBe(5);
      expect(archive.remarks).toEqual([]);
    }
  });

  it("keeps the fields this version has", async () => {
    const table = {
      dumpId: 20,
      desc: "TABLE",
      tag: "t",
      section: "pre-data" as const,
      defn: "CREATE TABLE t();\n",
      dropStmt: "DROP TABLE t;\n",
      namespace: "public",
      tablespace: "",
      tableam: "heap",
      relkind: "r",
      owner: "o",
      catalogOid: 1259,
      oid: 4_294_967_295,
      dependencies: [2, 2, 9],
      withOids: minor < 12,
    };
    const archive = await openArchive(
      memorySource(await joined(writeCustomArchive({ ...options, entries: [...sessionEntries, table] }))),
    );
    expect(archive.entry.get(20)).toMatchObject({
      ...table,
      copyStmt: null,
      hasData: false,
      tableam: minor >= 14 ? "heap" : null,
      relkind: minor >= 16 ? "r" : null,
    });
  });
});

describe("version 1.10, which stores no section", () => {
  it("has it guessed from the entry's kind", async () => {
    const kinds = {
      TABLE: "pre-data",
      "TABLE DATA": "data",
      ACL: "none",
      "FK CONSTRAINT": "post-data",
      INDEX: "post-data",
    } as const;
    const entries = Object.keys(kinds).map((desc, index) => ({
      dumpId: 10 + index,
      desc,
      tag: "x",
      section: "none" as const,
      data: desc === "TABLE DATA" ? () => pieces(Buffer.from("\\.\n\n\n"), 5) : undefined,
    }));
    const options = smallArchive({}, { minor: 10, entries: [...sessionEntries, ...entries] });
    const archive = await openArchive(memorySource(await joined(writeCustomArchive(options))));
    for (const [index, section] of Object.values(kinds).entries()) {
      expect(archive.entry.get(10 + index)?.section).toBe(section);
    }
  });
});

describe("a copy of a real archive", () => {
  it.each(sampleNames.filter((name) => native || !name.includes("zstd")))(
    "%s holds the same, entry by entry and byte by byte",
    async (name) => {
      const original = await openArchive(memorySource(sampleBytes(name)));
      for (const how of ["raw", "fields"] as const) {
        const path = join(directory, `copy-${how}-${name}`);
        await writeCustomArchiveFile(path, copyOf(original, how));
        const copy = await openArchive(memorySource(await readFile(path)));
        expect(copy.header).toEqual(original.header);
        expect(copy.toc.map((entry) => ({ ...entry, offset: null }))).toEqual(
          original.toc.map((entry) => ({ ...entry, offset: null })),
        );
        expect(digests(await walkAll(copy))).toEqual(digests(await walkAll(original)));
      }
    },
  );
});

describe("an archive whose head comes last", () => {
  const tables = { one: rows, two: Buffer.from("\\.\n\n\n"), three: rows.subarray(rows.length - 500) };

  it("has the length of its head from the start and its offsets at the end", async () => {
    const options = smallArchive(tables, { objects: OBJECTS });
    const { head, body } = customArchive(options);
    const { length } = head;
    expect(() => head.bytes()).toThrow(RangeError);
    const behind = await joined(body);
    expect(head.bytes()).toHaveLength(length);
    const whole = Buffer.concat([head.bytes(), behind]);
    const path = join(directory, "late-head.dump");
    await writeCustomArchiveFile(path, options);
    expect(whole.equals(await readFile(path))).toBe(true);
    expect((await openArchive(memorySource(whole))).randomAccess).toBe(true);
  });

  it("asks for data in the order it is told, and for the rest behind it", async () => {
    const { head, body } = customArchive({ ...smallArchive(tables, { objects: OBJECTS }), dataOrder: [12, 90] });
    const behind = await joined(body);
    const archive = await openArchive(memorySource(Buffer.concat([head.bytes(), behind])));
    expect(archive.toc.filter((entry) => entry.hasData).map((entry) => entry.dumpId)).toEqual([10, 11, 12, 90]);
    expect(archive.dataOrder.map((entry) => entry.dumpId)).toEqual([12, 90, 10, 11]);
    expect((await walkAll(archive)).get("public.one")!.equals(rows)).toBe(true);
  });

  it("writes the fields of an entry whose stored bytes are empty", async () => {
    const entries = [...sessionEntries, { ...tableEntry(10, "t", rows), raw: Buffer.alloc(0) }];
    const archive = await openArchive(memorySource(await joined(writeCustomArchive(smallArchive({}, { entries })))));
    expect(archive.entry.get(10)).toMatchObject({ tag: "t", copyStmt: "COPY public.t (v) FROM stdin;\n" });
  });
});

describe("chunks", () => {
  it("are of one size however the rows come, never empty (trap 11)", async () => {
    for (const compression of ["none", "gzip"] as const) {
      const options = smallArchive({}, { compression, entries: [...sessionEntries, tableEntry(10, "t", rows, 100)] });
      const bytes = await joined(writeCustomArchive(options));
      let at = bytes.lastIndexOf(Buffer.from([1, 0, 10, 0, 0, 0])) + 6;
      const sizes: number[] = [];
      for (let size = bytes.readUInt32LE(at + 1); size > 0; size = bytes.readUInt32LE(at + 1)) {
        sizes.push(size);
        at += 5 + size;
      }
      expect(at + 5).toBe(bytes.length);
      expect(sizes.at(-1)).toBeLessThanOrEqual(64 * 1024);
      expect(new Set(sizes.slice(0, -1))).toEqual(new Set(sizes.length > 1 ? [64 * 1024] : []));
    }
  });
});

describe("what cannot be written is refused before a byte is", () => {
  const entry = tableEntry(10, "t", rows);
  const raw = async () => (await openArchive(memorySource(sampleBytes("extra-pg18-zstd.dump")))).toc[3]!;
  it.each([
    ["version 1.9", { minor: 9 }, "unsupported_version"],
    ["version 1.17", { minor: 17 }, "unsupported_version"],
    ["zstd before 1.15", { minor: 14, compression: "zstd" }, "unsupported_compression"],
    ["gzip level 12", { compression: "gzip", level: 12 }, "unsupported_compression"],
    ["one dump ID twice", { entries: [entry, entry] }, "bad_entry"],
    ["dump ID 0", { entries: [{ ...entry, dumpId: 0 }] }, "bad_entry"],
    ["rows under BLOBS", { entries: [{ ...entry, desc: "BLOBS" }] }, "bad_entry"],
    ["a table beyond all entries", { entries: [{ ...entry, dependencies: [11] }] }, "bad_entry"],
    ["both kinds of data", { entries: [{ ...entry, largeObjects: async function* () {} }] }, "bad_entry"],
  ] as ReadonlyArray<[string, Partial<ArchiveToWrite>, string]>)("%s", async (_what, change, code) => {
    const writing = writeCustomArchive({ ...smallArchive({}), ...change });
    const error = await writing.next().then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code });
  });

  it("stored bytes of another version", async () => {
    const other = await raw();
    const options = smallArchive({}, { minor: 14, entries: [...sessionEntries, { ...other, raw: other.raw }] });
    await expect(writeCustomArchive(options).next()).rejects.toThrow(
      /stored bytes of dump ID \d+ are not of an entry of version 1\.14/,
    );
    await expect(writeCustomArchive({ ...options, minor: 16 }).next()).resolves.toMatchObject({ done: false });
  });
});

describe("a failed write", () => {
  it("leaves no file and passes the failure on", async () => {
    const path = join(directory, "failed.dump");
    const failing = {
      ...tableEntry(11, "u", rows),
      async *data() {
        yield* pieces(rows, 50_000);
        throw new RangeError("from the rows");
      },
    };
    const options = smallArchive(
      {},
      { compression: "gzip", entries: [...sessionEntries, tableEntry(10, "t", rows), failing] },
    );
    await expect(writeCustomArchiveFile(path, options)).rejects.toThrow("from the rows");
    expect(await readdir(directory)).not.toContain("failed.dump");
  });
});
