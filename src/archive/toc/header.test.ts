import { describe, expect, it } from "vitest";
import { Cursor } from "./cursor.ts";
import { decodeHeader, FORMAT_CUSTOM, type HeaderToWrite, headerBytes, readHeader } from "./header.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(/\s|#.*$/gm, ""), "hex");

const HEADER_1_14 = hex(`
  50 47 44 4D 50              # PGDMP
  01 0E 00                    # 1.14.0
  04 08 01                    # intSize 4, offSize 8, custom
  01 01 00 00 00              # compression -1: zlib's default
  00 30 00 00 00              # second 48
  00 17 00 00 00              # minute 23
  00 06 00 00 00              # hour 6
  00 17 00 00 00              # day 23
  00 0A 00 00 00              # month 10, counted from 0
  00 7E 00 00 00              # year 126, counted from 1900
  00 00 00 00 00              # not daylight saving time
  00 03 00 00 00 66 6D 74     # database fmt
  00 02 00 00 00 31 35        # server 15
  00 02 00 00 00 31 36        # pg_dump 16
`);

const FIELDS: HeaderToWrite = {
  minor: 14,
  formatByte: FORMAT_CUSTOM,
  compression: "gzip",
  level: -1,
  createdAt: { year: 2026, month: 11, day: 23, hour: 6, minute: 23, second: 48, isDst: false },
  database: "fmt",
  serverVersion: "15",
  dumpVersion: "16",
};

function read(bytes: Buffer) {
  const cursor = new Cursor(bytes, 0);
  const header = decodeHeader(readHeader(cursor), "custom", (text) => text.toString("utf8"));
  expect(cursor.position).toBe(bytes.length);
  return header;
}

describe("header", () => {
  it("reads and writes 1.14, whose compression is an int (trap 6)", () => {
    expect(read(HEADER_1_14)).toEqual({
      format: "custom",
      version: "1.14",
      minor: 14,
      intSize: 4,
      offsetSize: 8,
      compression: "gzip",
      compressionLevel: -1,
      createdAt: FIELDS.createdAt,
      database: "fmt",
      serverVersion: "15",
      dumpVersion: "16",
    });
    expect(headerBytes(FIELDS)).toEqual(HEADER_1_14);
  });

  it.each([
    ["none", 0],
    ["gzip", 1],
    ["lz4", 2],
    ["zstd", 3],
  ] as const)("reads and writes 1.15, whose compression is a byte: %s (trap 6)", (compression, code) => {
    const bytes = headerBytes({ ...FIELDS, minor: 15, compression });
    expect(bytes.length).toBe(HEADER_1_14.length - 4);
    expect(bytes[11]).toBe(code);
    expect(read(bytes)).toMatchObject({ version: "1.15", compression, compressionLevel: null });
  });

  it.each([10, 11, 12, 13, 14])("takes level 0 of 1.%d for no compression and any other for zlib", (minor) => {
    expect(read(headerBytes({ ...FIELDS, minor, compression: "none" }))).toMatchObject({
      compression: "none",
      compressionLevel: 0,
    });
    expect(read(headerBytes({ ...FIELDS, minor, level: 9 }))).toMatchObject({
      compression: "gzip",
      compressionLevel: 9,
    });
  });

  it("gives the wall clock as it stands, with no zone (trap 39)", () => {
    // 06:39:50Z dumped under TZ=America/New_York is stored as 01:39:50, and that is all that is known.
    const createdAt = { year: 2026, month: 7, day: 1, hour: 1, minute: 39, second: 50, isDst: true };
    expect(read(headerBytes({ ...FIELDS, createdAt })).createdAt).toEqual(createdAt);
    expect(read(headerBytes({ ...FIELDS, createdAt: { ...createdAt, isDst: null } })).createdAt?.isDst).toBeNull();
  });

  it.each([
    [1, 17, /version 1\.17 is newer than 1\.16/], // trap 54
    [2, 0, /version 2\.0 is newer/],
    [1, 9, /version 1\.9 is older than 1\.10/],
  ])("refuses version %d.%d by name", (major, minor, message) => {
    const bytes = Buffer.from(HEADER_1_14);
    bytes.set([major, minor], 5);
    expect(() => read(bytes)).toThrow(
      expect.objectContaining({ code: "unsupported_version", message: expect.stringMatching(message) }) as Error,
    );
  });

  it.each([
    ["an int size of 0", 8, 0, /integer size 0 at byte 8/],
    ["an int size of 9", 8, 9, /integer size 9 at byte 8/],
    ["an offset size of 5", 9, 5, /offset size 5 at byte 9/],
    ["a 13th month", 37, 12, /impossible time of dump at byte 16/],
    ["level 10", 11, 0, /compression level 1/],
  ])("refuses %s", (what, at, value, message) => {
    const bytes = Buffer.from(HEADER_1_14);
    bytes[at] = value;
    if (what === "level 10") {
      bytes[12] = 10;
    }
    expect(() => read(bytes)).toThrow(message);
  });

  it("refuses an unknown algorithm", () => {
    const bytes = headerBytes({ ...FIELDS, minor: 16, compression: "zstd" });
    bytes[11] = 4;
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: "unsupported_compression" }) as Error);
  });
});
