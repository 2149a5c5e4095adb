import { describe, expect, it } from "vitest";
import { joined, pieces, variedText } from "../testing/sources.ts";
import { compress } from "./compression.ts";
import type { DecodeOrder } from "./decode-messages.ts";
import { decode, LEAST_BESIDE_BYTES } from "./decode-place.ts";
import { decodeThreadCount, decodeThreadLimit } from "./decode-threads.ts";

const order: DecodeOrder = { codec: "lz4", where: "block of dump ID 7 at byte 99" };
const text = variedText(4 * 1024 * 1024);

describe("where a stream is decoded", () => {
  it("is this thread for two thousand small ones", async () => {
    const small = text.subarray(0, 3000);
    const stream = await joined(compress("lz4", pieces(small, 1000), undefined));
    for (let count = 0; count < 2000; count++) {
      expect((await joined(decode(order, pieces(stream, 700)))).equals(small)).toBe(true);
    }
    expect(decodeThreadCount()).toBe(0);
  });

  it("is this thread for a long stream that breaks off early, with what came before", async () => {
    const stream = await joined(compress("lz4", pieces(text, 100_000), undefined));
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      yield* pieces(stream.subarray(0, LEAST_BESIDE_BYTES - 1), 65_536);
      throw new RangeError("from below");
    }
    const got: Buffer[] = [];
    await expect(
      (async () => {
        for await (const part of decode(order, input())) {
          got.push(part);
        }
      })(),
    ).rejects.toThrow("from below");
    expect(Buffer.concat(got).length).toBeGreaterThan(LEAST_BESIDE_BYTES / 2);
    expect(decodeThreadCount()).toBe(0);
  });

  it("ends the input when the consumer stops while its length is still unknown", async () => {
    let ended = false;
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      try {
        yield* pieces(text, 65_536);
      } finally {
        ended = true;
      }
    }
    const data = decode(order, input());
    const first = data.next().catch(() => null);
    await data.return();
    await first;
    expect(ended).toBe(true);
  });

  it.skipIf(decodeThreadLimit() === 0)("is another thread for a long one (needs two processors)", async () => {
    const stream = await joined(compress("lz4", pieces(text, 100_000), undefined));
    expect((await joined(decode(order, pieces(stream, 65_536)))).equals(text)).toBe(true);
    expect(decodeThreadCount()).toBe(1);
  });
});
