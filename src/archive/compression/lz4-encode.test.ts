/** What the encoder writes, our decoder and the lz4 command read back; and it is really smaller. */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined, pieces, rowsText } from "../testing/sources.ts";
import { lz4Decode } from "./lz4.ts";
import { lz4Encode } from "./lz4-encode.ts";

const encode = (bytes: Buffer, step = 1000) => joined(lz4Encode(pieces(bytes, step)));
const decode = (bytes: Buffer) => joined(lz4Decode(pieces(bytes, 777), "test"));
const hasCommand = spawnSync("lz4", ["--version"]).status === 0;

/** Every block edge: none, one byte, the format's last literals, a whole block and its neighbours, several blocks. */
const lengths = [0, 1, 4, 5, 11, 12, 13, 14, 64, 262_143, 262_144, 262_145, 700_001];
const contents: Readonly<Record<string, (length: number) => Buffer>> = {
  rows: (length) => Buffer.concat([rowsText(), rowsText(), rowsText()]).subarray(0, length),
  "one byte over and over": (length) => Buffer.alloc(length, 0x61),
  noise: (length) => randomBytes(length),
  "noise that comes again just within reach": (length) => {
    const noise = randomBytes(65_535);
    return Buffer.concat(Array.from({ length: 11 }, () => noise)).subarray(0, length);
  },
};

describe.each(Object.entries(contents))("an lz4 frame of %s", (_name, make) => {
  it.each(lengths)("of %d bytes comes back", async (length) => {
    const bytes = make(length);
    const frame = await encode(bytes);
    expect((await decode(frame)).equals(bytes)).toBe(true);
    // never more than the stored form: frame head, size words, end mark
    expect(frame.length).toBeLessThanOrEqual(bytes.length + 11 + 4 * Math.ceil(bytes.length / 262_144));
  });
});

describe("the encoder", () => {
  it("makes rows a good deal smaller", async () => {
    const rows = rowsText();
    expect((await encode(rows)).length).toBeLessThan(rows.length * 0.55);
  });

  it("gives the same bytes however the input is cut", async () => {
    const rows = rowsText();
    expect((await encode(rows, 1)).equals(await encode(rows, rows.length))).toBe(true);
  });

  it("loses nothing of texts with repetitions", async () => {
    const word = fc.constantFrom("a", "ab", "abcd", "\t", "\\N", "0123456789", "x".repeat(300));
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 400 }), async (words) => {
        const bytes = Buffer.from(words.join(""));
        expect((await decode(await encode(bytes))).equals(bytes)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it.skipIf(!hasCommand)("writes what the lz4 command reads", async () => {
    for (const make of Object.values(contents)) {
      const bytes = make(700_001);
      const { stdout, status } = spawnSync("lz4", ["-d", "-c"], { input: await encode(bytes), maxBuffer: 1 << 24 });
      expect(status).toBe(0);
      expect(stdout.equals(bytes)).toBe(true);
    }
  });
});
