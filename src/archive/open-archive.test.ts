import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../errors.ts";
import { writeCustomArchive } from "./custom/custom-writer.ts";
import { finishArchive, openArchive } from "./open-archive.ts";
import { joined, memorySource, sampleBytes, sessionEntries, smallArchive, tableEntry } from "./testing/sources.ts";
import { intBytes } from "./toc/primitives.ts";

const open = (bytes: Buffer) => openArchive(memorySource(bytes));
describe("what cannot be an archive is refused", () => {
  it("an empty file", async () => {
    await expect(open(Buffer.alloc(0))).rejects.toThrow(expect.objectContaining({ code: "empty_file" }) as Error);
  });

  it("a version that does not exist yet (trap 54)", async () => {
    const bytes = sampleBytes("extra-pg18-zstd.dump");
    bytes[6] = 17;
    await expect(open(bytes)).rejects.toThrow(/archive version 1\.17 is newer than 1\.16, the newest known/);
  });
});

describe("a table of contents", () => {
  const small = smallArchive({ t: Buffer.from("1\n\\.\n\n\n") });
  const bytesOf = (entries = small.entries) => joined(writeCustomArchive({ ...small, entries }));

  it("is read without reading the data behind it", async () => {
    const bytes = await bytesOf([...sessionEntries, tableEntry(10, "t", Buffer.alloc(10_000_000, "x\n"))]);
    const source = memorySource(bytes, 65_536);
    await openArchive(source);
    expect(source.given()).toBeLessThanOrEqual(2 * 65_536);
  });

  it("with a declared length of 500 MB in a small file fails cheaply (trap 12)", async () => {
    const bytes = await bytesOf();
    const at = bytes.indexOf(Buffer.from("SET client_encoding"));
    intBytes(500_000_000).copy(bytes, at - 5);
    const source = memorySource(bytes, 10);
    const before = process.memoryUsage().arrayBuffers;
    await expect(openArchive(source)).rejects.toThrow(/archive ends inside its table of contents/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  it("with a source that ends before its size is truncated, not waited for", async () => {
    const bytes = await bytesOf();
    const source = memorySource(bytes.subarray(0, 400), 100);
    await expect(openArchive({ size: bytes.length, read: (start) => source.read(start, 400) })).rejects.toThrow(
      /at byte 400$/,
    );
  });

  it.each([-1, 100_000, 2_147_483_647])("with %d entries in a small file is refused", async (count) => {
    const bytes = await bytesOf();
    const at = bytes.indexOf(intBytes(small.entries.length), 80);
    intBytes(count).copy(bytes, at);
    await expect(open(bytes)).rejects.toThrow(/impossible number of entries/);
  });

  it("with two entries of one dump ID is refused", async () => {
    const bytes = await bytesOf();
    const at = bytes.indexOf(Buffer.from("STDSTRINGS")) - 5 - 6 - 6 - 5 - 5;
    expect(bytes.readUInt32LE(at + 1)).toBe(2);
    bytes[at + 1] = 1;
    await expect(open(bytes)).rejects.toThrow(/second entry of dump ID 1 at byte/);
  });

  it("that does not name its encoding is refused, as is one in an encoding that cannot be read", async () => {
    await expect(open(await bytesOf([sessionEntries[1]!]))).rejects.toThrow(/does not say in which encoding/);
    const other = { ...sessionEntries[0]!, defn: "SET client_encoding = 'EUC_TW';\n" };
    await expect(open(await bytesOf([other]))).rejects.toThrow(/cannot be decoded: EUC_TW/);
  });

  it("in another encoding is decoded by its ENCODING entry, wherever that stands (trap 27)", async () => {
    const table = { ...tableEntry(10, "t", Buffer.from("\\.\n\n\n")), tag: Buffer.from([0x95, 0x5c]) };
    const encoding = { ...sessionEntries[0]!, defn: "SET client_encoding = 'SJIS';\n" };
    const archive = await open(await bytesOf([table, encoding]));
    expect(archive.encoding).toBe("SJIS");
    expect(archive.entry.get(10)?.tag).toBe("表");
  });

  it("tells standard_conforming_strings", async () => {
    const off = { ...sessionEntries[1]!, defn: "SET standard_conforming_strings = 'off';\n" };
    expect((await open(await bytesOf([sessionEntries[0]!, off]))).standardConformingStrings).toBe(false);
    expect((await open(await bytesOf([sessionEntries[0]!]))).standardConformingStrings).toBe(true);
  });

  it("of 100,000 entries takes bounded memory", async () => {
    const entry = {
      dumpId: 10,
      desc: "TABLE",
      tag: "some_table",
      section: "pre-data" as const,
      namespace: "public",
      owner: "app_owner",
      defn: "CREATE TABLE public.some_table (id bigint NOT NULL, name text, at timestamptz DEFAULT now());\n",
      dropStmt: "DROP TABLE public.some_table;\n",
      dependencies: [3, 4, 5],
    };
    const one = await bytesOf([...sessionEntries, entry]);
    const [, , last] = (await open(one)).toc;
    const start = one.length - last!.raw.length - 9;
    const head = one.subarray(0, start);
    intBytes(100_002).copy(head, head.indexOf(intBytes(3), 80));
    const bytes = Buffer.concat([
      head,
      ...Array.from({ length: 100_000 }, (_, index) => Buffer.concat([intBytes(10 + index), one.subarray(start + 5)])),
    ]);
    const before = process.memoryUsage();
    const archive = await open(bytes);
    const after = process.memoryUsage();
    expect(archive.toc.length).toBe(100_002);
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(500_000_000);
  });

  it("with a huge definition is read in time that grows with its length", async () => {
    const defn = "x".repeat(10_000_000);
    const bytes = await bytesOf([sessionEntries[0]!, { dumpId: 9, desc: "COMMENT", tag: "c", section: "none", defn }]);
    const source = memorySource(bytes, 65_536);
    const archive = await openArchive(source);
    expect(archive.entry.get(9)?.defn?.length).toBe(10_000_000);
  });

  it.each([
    [
      "offset state",
      (entry: Buffer) => entry.fill(7, entry.length - 9, entry.length - 8),
      /unknown offset state 7 at byte \d+/,
    ],
    [
      "data without saying so",
      (entry: Buffer) => entry.fill(1, entry.length - 9, entry.length - 8),
      /contradicts itself/,
    ],
    ["section", (entry: Buffer) => entry.fill(9, sectionAt(entry), sectionAt(entry) + 1), /section 9 at byte \d+/],
    ["dump ID", (entry: Buffer) => entry.fill(0, 0, 5), /dump ID 0 at byte \d+/],
    ["catalog OID", (entry: Buffer) => entry.fill("x", 15, 16), /a number that is none at byte \d+/],
  ])("with a wrong %s is refused with the byte offset", async (_what, change, message) => {
    const bytes = await bytesOf([...sessionEntries]);
    const archive = await open(bytes);
    const { raw } = archive.toc[1]!;
    const start = bytes.indexOf(raw);
    change(bytes.subarray(start, start + raw.length + 9));
    await expect(open(bytes)).rejects.toThrow(ArchiveDamaged);
    await expect(open(bytes)).rejects.toThrow(message);
  });
});

describe("a compressed file of which not all is wanted", () => {
  it("is proven by reading on to its end, where its checksum stands", async () => {
    const rows = Buffer.from(`${"0123456789abcdef\n".repeat(20_000)}\\.\n\n\n`);
    const tables = [10, 11].map((dumpId) => tableEntry(dumpId, `t${dumpId}`, rows, 60_000));
    const options = smallArchive({}, { compression: "none", entries: [...sessionEntries, ...tables] });
    const stored = gzipSync(await joined(writeCustomArchive(options)), { level: 0 });
    const first = async (bytes: Buffer) => {
      const archive = await openArchive(memorySource(bytes));
      return { archive, rows: await joined(archive.tableData(archive.entry.get(10)!)) };
    };
    const sound = await first(stored);
    expect(sound.rows.equals(rows)).toBe(true);
    await finishArchive(sound.archive);

    const changed = Buffer.from(stored);
    changed.writeUInt8(changed.readUInt8(200_000) ^ 1, 200_000);
    const other = await first(changed);
    expect(other.rows.equals(rows)).toBe(false);
    await expect(finishArchive(other.archive)).rejects.toThrow(ArchiveDamaged);
  });
});

/** Where in the STDSTRINGS entry the section's value stands: two ints, two OIDs, tag, desc, sign byte. */
function sectionAt(_entry: Buffer): number {
  return 5 + 5 + 6 + 6 + 15 + 15 + 1;
}
