import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../../errors.ts";
import { joined, pieces, rowsText, streamBytes } from "../testing/sources.ts";
import { compress, decompress } from "./compression.ts";
import { lz4Decode } from "./lz4.ts";
import { zlibDecode } from "./zlib-stream.ts";
import { decodeWithJavaScript, zstdDecode, zstdImplementation } from "./zstd.ts";

const WHERE = "block of dump ID 7 at byte 99";
const text = rowsText();
const native = zstdImplementation() === "native";

type Decoder = (
  input: AsyncGenerator<Buffer, void, undefined>,
  where: string,
) => AsyncGenerator<Buffer, void, undefined>;

/** Each decoder with a stream of the same text. */
const CODECS: ReadonlyArray<readonly [string, Decoder, () => Promise<Buffer>]> = [
  ["zlib", zlibDecode, () => joined(compress("gzip", pieces(text, 10_000), undefined))],
  ["lz4, linked blocks", lz4Decode, async () => streamBytes("linked.lz4")],
  ["lz4, independent blocks and checksums", lz4Decode, async () => streamBytes("independent-checksums.lz4")],
  ["lz4, stored blocks", lz4Decode, () => joined(compress("lz4", pieces(text, 300_000), undefined))],
  ["zstd", zstdDecode, async () => streamBytes("plain.zst")],
  ["zstd by JavaScript", decodeWithJavaScript, async () => streamBytes("plain.zst")],
];

describe.each(CODECS)("%s", (_name, decode, stream) => {
  it.each([1_000_000, 65_536, 997, 7])("decodes pieces of %d bytes (traps 9, 10)", async (step) => {
    const bytes = await stream();
    const got: Buffer[] = [];
    for await (const part of decode(pieces(bytes, step), WHERE)) {
      got.push(part);
    }
    expect(Buffer.concat(got).equals(text)).toBe(true);
    expect(Math.max(...got.map((part) => part.length))).toBeLessThanOrEqual(256 * 1024);
  });

  it("gives out buffers that nobody else writes to", async () => {
    const got: Buffer[] = [];
    for await (const part of decode(pieces(await stream(), 4096), WHERE)) {
      got.push(Buffer.from(part));
      part.fill(0);
    }
    expect(Buffer.concat(got).equals(text)).toBe(true);
  });

  it("reports every cut, naming the block (trap 38)", async () => {
    const bytes = await stream();
    const cuts = [0, 1, 3, 4, 6, 10, 1000, bytes.length >> 1, bytes.length - 5, bytes.length - 1];
    for (const cut of cuts) {
      await expect(joined(decode(pieces(bytes.subarray(0, cut), 4096), WHERE)), `cut at ${cut}`).rejects.toThrow(
        expect.objectContaining({ code: "truncated", message: expect.stringContaining(WHERE) }) as Error,
      );
    }
  });

  it("reports bytes behind the stream", async () => {
    const bytes = Buffer.concat([await stream(), Buffer.from("more bytes")]);
    for (const step of [bytes.length, 1000, 64]) {
      await expect(joined(decode(pieces(bytes, step), WHERE)), `pieces of ${step}`).rejects.toBeInstanceOf(
        ArchiveDamaged,
      );
    }
  });

  it("ends its input when the consumer stops early", async () => {
    let ended = false;
    const bytes = await stream();
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      try {
        yield* pieces(bytes, 100);
      } finally {
        ended = true;
      }
    }
    for await (const _part of decode(input(), WHERE)) {
      break;
    }
    expect(ended).toBe(true);
  });

  it("passes on what the input throws", async () => {
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      yield (await stream()).subarray(0, 50);
      throw new RangeError("from below");
    }
    await expect(joined(decode(input(), WHERE))).rejects.toThrow("from below");
  });
});

describe("empty content", () => {
  it.each(["gzip", "lz4", "zstd"] as const)("is a stream of its own in %s, not none", async (compression) => {
    if (compression === "zstd" && !native) {
      return;
    }
    const bytes = await joined(compress(compression, pieces(Buffer.alloc(0), 1), undefined));
    expect(bytes.length).toBe({ gzip: 8, lz4: 11, zstd: 9 }[compression]);
    expect((await joined(decompress(compression, pieces(bytes, 1), WHERE))).length).toBe(0);
  });
});

describe("zlib", () => {
  it("refuses gzip, which only directories hold (trap 8)", async () => {
    const { gzipSync } = await import("node:zlib");
    await expect(joined(zlibDecode(pieces(gzipSync(text), 4096), WHERE))).rejects.toThrow(
      expect.objectContaining({ code: "bad_stream" }) as Error,
    );
  });

  it("notices changed content by its checksum", async () => {
    const bytes = await joined(compress("gzip", pieces(text, 10_000), 1));
    bytes[bytes.length - 1]! ^= 1;
    await expect(joined(zlibDecode(pieces(bytes, 4096), WHERE))).rejects.toBeInstanceOf(ArchiveDamaged);
  });

  it("refuses a second stream in the block", async () => {
    const one = await joined(compress("gzip", pieces(text, 10_000), 1));
    await expect(joined(zlibDecode(pieces(Buffer.concat([one, one]), one.length), WHERE))).rejects.toThrow(
      /bytes after/,
    );
  });
});

describe("lz4", () => {
  const checked = streamBytes("independent-checksums.lz4");

  it("reads frames in a row and skips skippable ones", async () => {
    const skippable = Buffer.concat([Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from("abc")]);
    const bytes = Buffer.concat([skippable, streamBytes("linked.lz4"), checked, skippable]);
    const got = await joined(lz4Decode(pieces(bytes, 777), WHERE));
    expect(got.equals(Buffer.concat([text, text]))).toBe(true);
  });

  it.each([
    ["header", 14, "bad_checksum"],
    ["block", 30_000, "bad_checksum"],
    ["content", checked.length - 1, "bad_checksum"],
    ["version", 4, "bad_stream"],
  ])("notices a changed %s", async (_what, at, code) => {
    const bytes = Buffer.from(checked);
    bytes[at]! ^= 0xc0;
    await expect(joined(lz4Decode(pieces(bytes, 4096), WHERE))).rejects.toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  it("refuses a match before the content", async () => {
    const frame = await joined(compress("lz4", pieces(Buffer.alloc(0), 1), undefined));
    // Token: one literal, match of 4; then the offset 9, which reaches before the first byte.
    const block = Buffer.from([0x10, 0x41, 0x09, 0x00]);
    const size = Buffer.from([block.length, 0, 0, 0]);
    const bytes = Buffer.concat([frame.subarray(0, 7), size, block, Buffer.alloc(4)]);
    await expect(joined(lz4Decode(pieces(bytes, 64), WHERE))).rejects.toThrow(/match before the content/);
  });
});

describe("zstd", () => {
  it.skipIf(!native)("checks checksums natively (needs zstd-napi)", async () => {
    const bytes = streamBytes("checksum.zst");
    expect((await joined(zstdDecode(pieces(bytes, 4096), WHERE))).equals(text)).toBe(true);
    bytes[bytes.length - 1]! ^= 1;
    await expect(joined(zstdDecode(pieces(bytes, 4096), WHERE))).rejects.toBeInstanceOf(ArchiveDamaged);
  });

  it("refuses checksums that JavaScript would not check", async () => {
    await expect(joined(decodeWithJavaScript(pieces(streamBytes("checksum.zst"), 1), WHERE))).rejects.toThrow(
      expect.objectContaining({ hint: expect.stringContaining("zstd-napi") }) as Error,
    );
  });

  it.skipIf(!native)("reads frames in a row (needs zstd-napi)", async () => {
    const one = streamBytes("plain.zst");
    const got = await joined(zstdDecode(pieces(Buffer.concat([one, one]), 1000), WHERE));
    expect(got.length).toBe(2 * text.length);
  });
});

describe("decompression bombs (trap 55)", () => {
  const SIZE = 256 * 1024 * 1024;

  async function* zeros(): AsyncGenerator<Buffer, void, undefined> {
    const block = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < SIZE; at += block.length) {
      yield block;
    }
  }

  it.each(["gzip", ...(native ? (["zstd"] as const) : [])] as const)(
    "of %s arrive at the consumer's pace",
    async (compression) => {
      const bomb = await joined(compress(compression, zeros(), compression === "gzip" ? 1 : 3));
      expect(bomb.length).toBeLessThan(2 * 1024 * 1024);
      let length = 0;
      let peak = 0;
      const before = process.memoryUsage().rss;
      for await (const part of decompress(compression, pieces(bomb, 262_144), WHERE)) {
        length += part.length;
        expect(part.length).toBeLessThanOrEqual(256 * 1024);
        peak = Math.max(peak, process.memoryUsage.rss() - before);
      }
      expect(length).toBe(SIZE);
      expect(peak).toBeLessThan(SIZE / 2);
    },
  );

  it("is stopped by a consumer that stops", async () => {
    const bomb = await joined(compress("gzip", zeros(), 1));
    let taken = 0;
    for await (const part of decompress("gzip", pieces(bomb, 262_144), WHERE)) {
      taken += part.length;
      break;
    }
    expect(taken).toBeLessThanOrEqual(256 * 1024);
  });
});
