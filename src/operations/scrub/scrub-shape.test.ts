import { describe, expect, it } from "vitest";
import type { ArchiveHeader } from "../../archive/model.ts";
import { UsageError } from "../../errors.ts";
import { headerClock, scrubShape } from "./scrub-shape.ts";

const header = (over: Partial<ArchiveHeader>): ArchiveHeader => ({
  format: "custom",
  version: "1.14",
  minor: 14,
  intSize: 4,
  offsetSize: 8,
  compression: "gzip",
  compressionLevel: -1,
  createdAt: { year: 2026, month: 11, day: 23, hour: 6, minute: 39, second: 50, isDst: false },
  database: "d",
  serverVersion: "15.18",
  dumpVersion: "15.18",
  ...over,
});
const asSource = { format: null, compression: null };

describe("the copy's shape", () => {
  it.each([
    ["custom", { format: "custom", compression: { by: "gzip", level: -1 }, minor: 14 }],
    ["directory", { format: "directory", compression: { by: "gzip", level: -1 }, minor: 14 }],
    ["tar", { format: "custom", compression: { by: "gzip", level: -1 }, minor: 14 }],
  ] as const)("is the source's: %s", (format, shape) => {
    expect(scrubShape({ header: header({ format }), wrapping: [] }, asSource)).toEqual(shape);
  });

  it("keeps the compression that lies around the file, inside an archive or around a script", () => {
    const none = { compression: "none", compressionLevel: 0 } as const;
    expect(scrubShape({ header: header(none), wrapping: ["age", "zstd"] }, asSource)).toEqual({
      format: "custom",
      compression: { by: "zstd", level: null },
      minor: 15,
    });
    const script = header({ ...none, format: "plain", minor: 16 });
    expect(scrubShape({ header: script, wrapping: ["gzip"] }, asSource)).toMatchObject({
      format: "plain",
      compression: { by: "gzip", level: null },
    });
  });

  it.each([
    [14, "gzip", 14],
    [14, "lz4", 15],
    [14, "zstd", 15],
    [15, "none", 15],
    [16, "zstd", 16],
    [13, "gzip", 13],
  ] as const)("1.%d with %s becomes 1.%d", (minor, by, expected) => {
    const choice = { format: null, compression: { by, level: null } };
    expect(scrubShape({ header: header({ minor }), wrapping: [] }, choice).minor).toBe(expected);
  });

  it("a script becomes an archive that PostgreSQL 12 reads, where its compression allows", () => {
    const script = { header: header({ format: "plain", minor: 16, compression: "none" }), wrapping: [] };
    expect(scrubShape(script, { format: "custom", compression: null }).minor).toBe(14);
    expect(scrubShape(script, { format: "custom", compression: { by: "lz4", level: null } }).minor).toBe(15);
  });

  it.each([
    ["lz4 in 1.13", 13, { by: "lz4", level: null }, "unsupported_compression"],
    ["gzip:0", 14, { by: "gzip", level: 0 }, "compression_level"],
    ["gzip:10", 14, { by: "gzip", level: 10 }, "compression_level"],
    ["zstd:23", 16, { by: "zstd", level: 23 }, "compression_level"],
    ["lz4:3", 16, { by: "lz4", level: 3 }, "compression_level"],
  ] as const)("refuses %s", (_what, minor, compression, code) => {
    const shape = () => scrubShape({ header: header({ minor }), wrapping: [] }, { format: null, compression });
    expect(shape).toThrow(expect.objectContaining({ name: UsageError.name, code }));
  });
});

describe("the time in the copy's header", () => {
  const at = new Date("2026-11-23T05:39:50.700Z");

  it("is the source's where that is the oldest evidence, whatever its zone", () => {
    const source = header({});
    const snapshot = { at, evidence: "archive header" } as const;
    expect(headerClock(source, snapshot, null)).toEqual(source.createdAt);
    expect(headerClock(source, snapshot, "Europe/Amsterdam")).toEqual(source.createdAt);
  });

  it("is that of older evidence, by the declared clock, rounded down", () => {
    const snapshot = { at, evidence: "object metadata" } as const;
    expect(headerClock(header({}), snapshot, "Europe/Amsterdam")).toMatchObject({
      day: 23,
      hour: 6,
      minute: 39,
      second: 50,
    });
    expect(headerClock(header({ createdAt: null }), { at, evidence: "last modified" }, null)).toMatchObject({
      hour: 5,
    });
  });

  it("is turned into the declared clock's where a script says its zone", () => {
    const createdAt = { year: 2026, month: 11, day: 23, hour: 0, minute: 39, second: 50, isDst: null, utcOffset: -300 };
    const snapshot = { at, evidence: "archive header" } as const;
    expect(headerClock(header({ createdAt }), snapshot, "Europe/Amsterdam")).toMatchObject({ hour: 6 });
    expect(headerClock(header({ createdAt }), snapshot, null)).not.toHaveProperty("utcOffset");
  });
});
