/** Tars built header by header: what is found, what is refused, what is said, and how much is read for it. */

import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openArchive } from "../open-archive.ts";
import {
  type BuiltMember,
  builtMember,
  builtTar,
  paxRecord,
  sampleFiles,
  sealHeader,
  TAR_END,
} from "../testing/directories.ts";
import { digests, joined, type MemorySource, memorySource, sampleBytes, walkAll } from "../testing/sources.ts";
import { tarFiles } from "./tar-files.ts";

const toc: BuiltMember = { name: "toc.dat", content: Buffer.from("toc") };
const rows: BuiltMember = { name: "12.dat", content: Buffer.from("rows\n") };
const open = (bytes: Buffer) => tarFiles(memorySource(bytes));
const namesIn = async (members: readonly BuiltMember[]) =>
  (await open(builtTar(members))).files.map(({ name, size }) => `${name} ${size}`);

const damaged = (code: string, message = /./) =>
  expect.objectContaining({ name: "ArchiveDamaged", code, message: expect.stringMatching(message) }) as Error;

/** A source that can only be read forwards, as a compressed file gives it. */
const forwards = (bytes: Buffer): MemorySource => ({ ...memorySource(bytes), size: null as never, sequential: true });

describe("members", () => {
  it("are found under whatever folder stands in front", async () => {
    const expected = ["toc.dat 3", "12.dat 5"];
    expect(await namesIn([toc, rows])).toEqual(expected);
    for (const folder of ["./", "backup/", "./a/b/", ".//c//./"]) {
      const inside = [toc, rows].map((member) => ({ ...member, name: folder + member.name }));
      expect(await namesIn([{ name: folder, type: "5" }, ...inside])).toEqual(expected);
    }
    expect(await namesIn([toc, rows].map((member) => ({ ...member, prefix: "in/two/fields" })))).toEqual(expected);
  });

  it("are those in the folder of toc.dat, others are left out, and said to be", async () => {
    const other = { name: "notes/readme", content: Buffer.from("x") };
    const tar = await open(builtTar([other, { ...toc, name: "d/toc.dat" }, { ...rows, name: "d/12.dat" }]));
    expect(tar.files.map(({ name }) => name)).toEqual(["toc.dat", "12.dat"]);
    expect(tar.remarks).toEqual(["1 files outside the archive's folder were left out"]);
  });

  it("have the names and sizes that PAX and GNU records give them, once", async () => {
    const pax = paxRecord("path", "d/12.dat") + paxRecord("size", "5") + paxRecord("mtime", "1.5");
    const found = await namesIn([
      { name: "x", type: "g", content: Buffer.from(paxRecord("comment", "of a whole archive")) },
      { name: "x", type: "x", content: Buffer.from(pax) },
      { ...rows, name: "cut", sizeField: Buffer.from("00000000005\0") },
      { name: "././@LongLink", type: "L", content: Buffer.from("d/toc.dat\0") },
      { ...toc, name: "cut" },
      { name: "d/13.dat", content: Buffer.from("1") },
    ]);
    expect(found).toEqual(["12.dat 5", "toc.dat 3", "13.dat 1"]);
  });

  it("may state their size in base 256", async () => {
    const sizeField = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    expect(await namesIn([toc, { ...rows, sizeField }])).toEqual(["toc.dat 3", "12.dat 5"]);
  });

  it("give their own bytes, and ranges of them", async () => {
    const tar = await open(builtTar([toc, rows, { name: "13.dat" }]));
    const source = await tar.open("12.dat");
    expect(source.size).toBe(5);
    expect((await joined(source.read(0))).toString()).toBe("rows\n");
    expect((await joined(source.read(1, 3))).toString()).toBe("ow");
    expect((await joined(source.read(3, 900))).toString()).toBe("s\n");
    expect((await joined((await tar.open("13.dat")).read(0))).length).toBe(0);
    await expect(tar.open("14.dat")).rejects.toThrow(RangeError);
  });
});

describe("refused", () => {
  it.each(["/toc.dat", "../toc.dat", "a/../toc.dat", "..", "/"])("a member named %j", async (name) => {
    await expect(open(builtTar([toc, { name }]))).rejects.toThrow(damaged("bad_member", /leads out/));
    await expect(open(builtTar([toc, { name, type: "5" }]))).rejects.toThrow(damaged("bad_member", /leads out/));
  });

  it("a name that only records make bad", async () => {
    const pax = { name: "x", type: "x", content: Buffer.from(paxRecord("path", "../12.dat")) };
    await expect(open(builtTar([toc, pax, rows]))).rejects.toThrow(damaged("bad_member", /leads out/));
    const long = { name: "x", type: "L", content: Buffer.from("/12.dat\0") };
    await expect(open(builtTar([toc, long, rows]))).rejects.toThrow(damaged("bad_member", /leads out/));
  });

  it.each(["1", "2", "3", "4", "6", "S", "D", "V", "A"])("a member of type %s", async (type) => {
    await expect(open(builtTar([toc, { ...rows, type }]))).rejects.toThrow(damaged("bad_member", /is no file/));
  });

  it("sparse files, records for all, records that are none", async () => {
    const withRecords = (content: string, type = "x") =>
      builtTar([toc, { name: "x", type, content: Buffer.from(content) }, rows]);
    await expect(open(withRecords(paxRecord("GNU.sparse.major", "1")))).rejects.toThrow(
      damaged("bad_member", /sparse/),
    );
    await expect(open(withRecords(paxRecord("size", "9"), "g"))).rejects.toThrow(
      damaged("bad_member", /one name or size/),
    );
    for (const content of ["x", "8 path=x\n", "0 a=b\n", "-3 a=b\n", "8 a=bcd\nx", "7 abcd\n", "1e1 a=bcd\n"]) {
      await expect(open(withRecords(content)), content).rejects.toThrow(damaged("bad_member", /records/));
    }
    await expect(open(withRecords(paxRecord("size", "-5")))).rejects.toThrow(damaged("bad_member", /impossible size/));
  });

  it("two members of one name, however it is written", async () => {
    await expect(open(builtTar([toc, rows, rows]))).rejects.toThrow(damaged("bad_member", /second tar member/));
    await expect(open(builtTar([toc, rows, { ...rows, name: "./12.dat" }]))).rejects.toThrow(damaged("bad_member"));
  });

  it("two archives, or none", async () => {
    await expect(
      open(
        builtTar([
          { ...toc, name: "a/toc.dat" },
          { ...toc, name: "b/toc.dat" },
        ]),
      ),
    ).rejects.toThrow(damaged("unsupported_format", /a tar of 2 directory archives/));
    await expect(open(builtTar([rows]))).rejects.toThrow(damaged("unsupported_format", /no toc\.dat/));
    await expect(open(TAR_END)).rejects.toThrow(damaged("unsupported_format", /without any files/));
    await expect(open(builtTar([{ name: "a/", type: "5" }]))).rejects.toThrow(damaged("unsupported_format"));
  });

  it.each([
    ["letters", Buffer.from("0000000zzzz\0")],
    ["more than any file has", Buffer.from([0x80, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0])],
    ["a negative number", Buffer.alloc(12, 0xff)],
  ])("a size of %s", async (_what, sizeField) => {
    await expect(open(builtTar([toc, { ...rows, sizeField }]))).rejects.toThrow(damaged("bad_member"));
  });

  it("a size beyond the file, at once and when it can only be read forwards", async () => {
    const bytes = builtTar([toc, { ...rows, sizeField: Buffer.from("77777777777\0") }]);
    await expect(open(bytes)).rejects.toThrow(damaged("truncated"));
    await expect(tarFiles(forwards(bytes))).rejects.toThrow(damaged("truncated"));
  });

  it("records of a declared gigabyte, without room for them", async () => {
    const pax = { name: "x", type: "x", sizeField: Buffer.from("10000000000\0") };
    await expect(tarFiles(forwards(builtTar([toc, pax, rows])))).rejects.toThrow(
      damaged("bad_member", /impossible size/),
    );
  });

  it("a header with a wrong checksum, quoting nothing of it", async () => {
    const bytes = builtTar([toc, rows]);
    bytes.write("secret", 1024);
    await expect(open(bytes)).rejects.toThrow(
      damaged("bad_member", /^wrong checksum of a tar member's header at byte 1024$/),
    );
  });

  it("an aborted signal stops the search", async () => {
    const signal = AbortSignal.abort();
    await expect(tarFiles(memorySource(builtTar([toc, rows])), signal)).rejects.toThrow(
      expect.objectContaining({ exitCode: 130 }) as Error,
    );
  });
});

describe("the end", () => {
  const members = Buffer.concat([builtMember(toc), builtMember(rows)]);
  const END_MISSING = "the tar's end mark is missing, behind a whole last file";

  it.each([0, 1, 511, 512, 513, 1023])(
    "cut to %d zeros is tolerated behind a whole member, and said",
    async (zeros) => {
      for (const source of [memorySource, forwards]) {
        const tar = await tarFiles(source(Buffer.concat([members, Buffer.alloc(zeros)])));
        expect(tar.remarks.at(-1)).toBe(END_MISSING);
        expect(tar.files.length).toBe(2);
      }
    },
  );

  it("may be padded with zeros to any block size", async () => {
    expect((await open(Buffer.concat([members, Buffer.alloc(10_240)]))).remarks).toEqual([]);
  });

  it.each([0, 512, 1024, 4096])("followed by something behind %d zeros is refused", async (zeros) => {
    if (zeros === 0) {
      const lone = Buffer.concat([members, Buffer.alloc(512), builtMember({ name: "13.dat" })]);
      await expect(open(lone)).rejects.toThrow(damaged("appended"));
      return;
    }
    const bytes = Buffer.concat([members, Buffer.alloc(zeros), Buffer.from("x")]);
    await expect(open(bytes)).rejects.toThrow(damaged("appended"));
    await expect(tarFiles(forwards(bytes))).rejects.toThrow(damaged("appended"));
  });

  it("inside a header, records, content or padding is a cut", async () => {
    const pax = { name: "x", type: "x", content: Buffer.from(paxRecord("path", "13.dat")) };
    const bytes = Buffer.concat([members, builtMember(pax), builtMember({ ...rows, name: "cut" })]);
    for (let cut = members.length + 1; cut < bytes.length; cut += 37) {
      for (const source of [memorySource, forwards]) {
        await expect(tarFiles(source(bytes.subarray(0, cut))), `cut at ${cut}`).rejects.toThrow(damaged("truncated"));
      }
    }
  });
});

describe("how much is read", () => {
  const large = (name: string) => ({ name, content: Buffer.alloc(3_000_000, "x\n") });

  it("of a seekable tar: headers, hopping over what is large, reading on over what is small", async () => {
    const small = Array.from({ length: 500 }, (_, index) => ({
      name: `${100 + index}.dat`,
      content: Buffer.alloc(700),
    }));
    const source = memorySource(builtTar([toc, large("1.dat"), large("2.dat"), ...small, large("3.dat")]));
    const tar = await tarFiles(source);
    expect(tar.files.length).toBe(504);
    // Five requests at the large ones, and the small ones' 768 KB in four growing requests.
    expect(source.ranges.length).toBeLessThanOrEqual(12);
    expect(source.given()).toBeLessThan(3_000_000);
  });

  it("of one that can only be read forwards: all of it, once", async () => {
    const bytes = builtTar([large("1.dat"), toc, rows]);
    const source = forwards(bytes);
    const tar = await tarFiles(source);
    expect(tar.files.map(({ name }) => name)).toEqual(["1.dat", "toc.dat", "12.dat"]);
    expect(source.ranges.filter(([start]) => start > 512)).toEqual([]);
    const before = source.ranges.length;
    expect((await joined((await tar.open("toc.dat")).read(0))).toString()).toBe("toc");
    expect(source.ranges.length).toBe(before); // kept from the one reading
  });

  it("of pg_dump's own, only forwards: the first member", async () => {
    const source = forwards(sampleBytes("pg15.tar"));
    const tar = await tarFiles(source);
    expect(tar.files).toEqual([{ name: "toc.dat", size: 32_963 }]);
    expect(tar.complete).toBe(false);
    expect(source.given()).toBeLessThanOrEqual(65_536);
    await tar.advance();
    expect(tar.files.length).toBe(2);
  });
});

/** Absolute offsets at which a member's header starts, and the end of the last. */
function edges(tar: Buffer): number[] {
  const found: number[] = [];
  let at = 0;
  for (
    ;
    tar[at] !== 0;
    at += 512 + Math.ceil(Number.parseInt(tar.toString("latin1", at + 124, at + 135), 8) / 512) * 512
  ) {
    found.push(at);
  }
  return [...found, at];
}

describe.each(["pg15.tar", "extra-pg18.tar", "pg15-dir.tar", "extra-pg18-dir-lz4.tar"])("%s", (name) => {
  const bytes = sampleBytes(name);
  const whole = openArchive(memorySource(bytes)).then(walkAll).then(digests);

  it.each([
    ["as it is", (cut: Buffer) => cut],
    ["compressed after the cut", (cut: Buffer) => gzipSync(cut, { level: 1 })],
  ])(
    "cut at every member's edge, and a byte beside it, never passes for whole (trap 38): %s",
    async (_what, packed) => {
      let refused = 0;
      for (const edge of edges(bytes)) {
        for (const cut of [edge - 1, edge, edge + 1].filter((at) => at > 0)) {
          const read = async () =>
            digests(await walkAll(await openArchive(memorySource(packed(bytes.subarray(0, cut))))));
          const got = await read().catch((error: unknown) => error);
          if (got instanceof Error) {
            expect(got, `cut at ${cut}`).toMatchObject({ name: "ArchiveDamaged" });
            refused++;
          } else {
            expect(got, `cut at ${cut}`).toEqual(await whole);
          }
        }
      }
      // All but those behind the last file that is needed.
      expect(refused).toBeGreaterThanOrEqual(3 * (edges(bytes).length - 3));
    },
  );
});

describe("pg_dump's own tar, compressed, that was tampered with", () => {
  const members = [...sampleFiles("pg15.tar")].map(([name, content]) => ({ name, content, byPgDump: true }));
  const inOrder = edges(sampleBytes("pg15.tar"))
    .slice(0, -1)
    .map((at) =>
      sampleBytes("pg15.tar")
        .toString("latin1", at, at + 100)
        .replace(/\0.*$/s, ""),
    );
  const sorted = inOrder.map((name) => members.find((member) => member.name === name)!);
  const walked = async (some: readonly BuiltMember[]) =>
    digests(await walkAll(await openArchive(memorySource(gzipSync(builtTar(some))))));

  it("is the sample when it is built again", async () => {
    expect(builtTar(sorted).equals(sampleBytes("pg15.tar"))).toBe(false); // other times
    expect(Object.keys(await walked(sorted)).length).toBe(20);
  });

  it.each(["3641.dat", "blob_100002.dat", "blobs.toc"])("without %s it is refused", async (name) => {
    await expect(walked(sorted.filter((member) => member.name !== name))).rejects.toThrow(
      expect.objectContaining({ name: "ArchiveDamaged" }) as Error,
    );
    const archive = await openArchive(
      memorySource(gzipSync(builtTar(sorted.filter((member) => member.name !== name)))),
    );
    const read = async () => {
      for (const entry of archive.dataOrder) {
        if (entry.desc === "BLOBS") {
          for await (const { data } of archive.largeObjects(entry)) {
            await joined(data);
          }
        } else {
          await joined(archive.tableData(entry));
        }
      }
    };
    await expect(read()).rejects.toThrow(expect.objectContaining({ name: "ArchiveDamaged" }) as Error);
  });

  it("with a large object that no list names it is refused", async () => {
    const at = sorted.findIndex((member) => member.name === "blobs.toc");
    const more = { name: "blob_7.dat", content: Buffer.from("x"), byPgDump: true };
    await expect(walked(sorted.toSpliced(at, 0, more))).rejects.toThrow(damaged("bad_object_list"));
  });

  it("in another order it is still read in whole", async () => {
    const [first, ...others] = sorted;
    expect(await walked([first!, ...others.toReversed()]).catch((error: unknown) => error)).toMatchObject({
      code: "bad_object_list", // the list stands before what it names
    });
    const tables = others.filter(({ name }) => !name.startsWith("blob"));
    const objects = others.filter(({ name }) => name.startsWith("blob"));
    expect(await walked([first!, ...tables.toReversed(), ...objects])).toEqual(await walked(sorted));
  });
});

describe("sealing", () => {
  it("is what a header's checksum is checked against", async () => {
    const bytes = builtTar([toc, rows]);
    bytes.write("13.dat", 1024);
    sealHeader(bytes.subarray(1024, 1536));
    expect((await open(bytes)).files.map(({ name }) => name)).toEqual(["toc.dat", "13.dat"]);
  });
});
