import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../byte-reader.ts";
import { joined, memorySource, pieces } from "../testing/sources.ts";
import { intBytes } from "../toc/primitives.ts";
import { ChunkStream, readBlockHeader } from "./blocks.ts";

const SIZES = { intSize: 4, offsetSize: 8 };

function chunked(chunks: readonly Buffer[]): Buffer {
  return Buffer.concat([...chunks.flatMap((chunk) => [intBytes(chunk.length), chunk]), intBytes(0)]);
}

function streamOf(bytes: Buffer, step: number) {
  const reader = new ByteReader(memorySource(bytes, step).read(0), 0);
  return { reader, chunks: new ChunkStream(reader, SIZES) };
}

function filled(length: number, start = 0): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (start + index * 7) % 251));
}

describe("chunks", () => {
  it.each([
    ["one byte each (trap 9)", Array.from({ length: 3000 }, (_, index) => filled(1, index))],
    ["a row each, and a 3 MB row among them (trap 12)", [filled(100), filled(3_000_001, 5), filled(80, 9), filled(2)]],
    [
      "just at the sizes that are treated differently",
      [65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1].map((size) => filled(size, size)),
    ],
    ["4096 bytes each, as zlib's", Array.from({ length: 200 }, (_, index) => filled(4096, index))],
    ["none at all: an empty uncompressed large object (trap 13)", []],
  ])("of %s give their payload", async (_what, chunks) => {
    const bytes = Buffer.concat([chunked(chunks), Buffer.from("next")]);
    for (const step of [1_000_000, 262_144, 65_536, 1021]) {
      const { reader, chunks: stream } = streamOf(bytes, step);
      const got: Buffer[] = [];
      for await (const part of stream.payload()) {
        got.push(part);
      }
      expect(Buffer.concat(got).equals(Buffer.concat(chunks))).toBe(true);
      expect(Math.max(0, ...got.map((part) => part.length))).toBeLessThanOrEqual(262_144);
      expect(reader.offset).toBe(bytes.length - 4);
    }
  });

  it("are joined, not given out one by one", async () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => filled(100, index));
    const { chunks } = streamOf(chunked(rows), 262_144);
    let count = 0;
    for await (const _part of chunks.payload()) {
      count++;
    }
    expect(count).toBeLessThan(10);
  });

  it("give the same bytes whatever their borders and those of the source, read or skipped in any mixture", async () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(
        fc.array(chunk, { maxLength: 30 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(3),
        async (all, step, take) => {
          const bytes = Buffer.concat([chunked(all), Buffer.from("Z")]);
          const whole = streamOf(bytes, step);
          expect((await joined(whole.chunks.payload())).equals(Buffer.concat(all))).toBe(true);
          const part = streamOf(bytes, step);
          let left = take;
          for await (const _part of part.chunks.payload()) {
            if (--left <= 0) {
              break;
            }
          }
          await part.chunks.skipRest();
          expect(part.reader.offset).toBe(bytes.length - 1);
          const skipped = streamOf(bytes, step);
          await skipped.chunks.skipRest();
          expect(skipped.reader.offset).toBe(bytes.length - 1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("fail cheaply when 500 MB are declared and not there (trap 12)", async () => {
    const bytes = Buffer.concat([intBytes(500_000_000), filled(1000)]);
    const before = process.memoryUsage().arrayBuffers;
    await expect(joined(streamOf(bytes, 4096).chunks.payload())).rejects.toThrow(
      /archive ends inside a block's data at byte 1005/,
    );
    await expect(streamOf(bytes, 4096).chunks.skipRest()).rejects.toThrow(
      /archive ends inside a block's data at byte 1005/,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  it("refuse a negative length, with its offset", async () => {
    const bytes = Buffer.concat([intBytes(3), Buffer.from("abc"), intBytes(-4)]);
    await expect(joined(streamOf(bytes, 100).chunks.payload())).rejects.toThrow(/impossible chunk length at byte 8/);
    await expect(streamOf(bytes, 100).chunks.skipRest()).rejects.toThrow(/impossible chunk length at byte 8/);
  });
});

describe("block header", () => {
  it.each([0, 2, 4, 255])("of type %d is refused", async (type) => {
    const reader = new ByteReader(pieces(Buffer.from([type, 0, 1, 0, 0, 0]), 6), 40);
    await expect(readBlockHeader(reader, SIZES)).rejects.toThrow(`unknown block type ${type} at byte 40`);
  });

  it("may be missing only as a whole", async () => {
    expect(await readBlockHeader(new ByteReader(pieces(Buffer.alloc(0), 1)), SIZES)).toBeNull();
    await expect(readBlockHeader(new ByteReader(pieces(Buffer.from([1, 0, 1]), 1)), SIZES)).rejects.toThrow(
      /at byte 3/,
    );
  });
});
