import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArchiveDamaged, Interrupted } from "../../errors.ts";
import { joined, pieces, variedText } from "../testing/sources.ts";
import { compress, decompress } from "./compression.ts";
import { decodeBeside } from "./decode-beside.ts";
import { decodeHere } from "./decode-here.ts";
import type { BlockingCodec } from "./decode-messages.ts";
import { LEAST_BESIDE_BYTES } from "./decode-place.ts";
import { decodeThreadCount, decodeThreadLimit, openDecodeLine } from "./decode-threads.ts";
import { zstdImplementation } from "./zstd.ts";

const WHERE = "block of dump ID 7 at byte 99";
const MIB = 1024 * 1024;
const text = variedText(4 * MIB);
const codecs: readonly BlockingCodec[] = zstdImplementation() === "native" ? ["lz4", "zstd"] : ["lz4"];

async function failureOf(reading: Promise<unknown>): Promise<unknown> {
  return reading.then(
    () => null,
    (error: unknown) => error,
  );
}

/** What of an error anybody can see. */
function shown(error: unknown): unknown {
  return error instanceof ArchiveDamaged
    ? { message: error.message, code: error.code, hint: error.hint, exitCode: error.exitCode }
    : error;
}

describe.each(codecs)("%s in another thread", (codec) => {
  const order = { codec, where: WHERE };
  let stream: Buffer;
  beforeAll(async () => {
    stream = await joined(compress(codec, pieces(text, 100_000), undefined));
  });

  it.each([10 * MIB, 65_536, 997])("decodes pieces of %d bytes", async (step) => {
    const got: Buffer[] = [];
    for await (const part of decodeBeside(order, pieces(stream, step))) {
      got.push(part);
    }
    expect(Buffer.concat(got).equals(text)).toBe(true);
    expect(Math.max(...got.map((part) => part.length))).toBeLessThanOrEqual(256 * 1024);
  });

  it("leaves the input's memory alone and gives out memory that nobody else writes to", async () => {
    const before = Buffer.from(stream);
    const got: Buffer[] = [];
    for await (const part of decodeBeside(order, pieces(stream, stream.length))) {
      got.push(Buffer.from(part));
      part.fill(0);
    }
    expect(Buffer.concat(got).equals(text)).toBe(true);
    expect(stream.equals(before)).toBe(true);
  });

  it("reports every cut as this thread would", async () => {
    const cuts = [0, 1, 3, 6, 10, 1000, stream.length >> 1, stream.length - 5, stream.length - 1];
    for (const cut of cuts) {
      const input = () => pieces(stream.subarray(0, cut), 65_536);
      const here = await failureOf(joined(decodeHere(order, input())));
      expect(here).toBeInstanceOf(ArchiveDamaged);
      expect(shown(await failureOf(joined(decodeBeside(order, input())))), `cut at ${cut}`).toEqual(shown(here));
    }
  });

  it("gives what lies before damage, then the error that this thread would give", async () => {
    const bytes = Buffer.concat([stream, Buffer.from("more bytes")]);
    const read = async (data: AsyncIterable<Buffer>) => {
      const parts: Buffer[] = [];
      const failure = await failureOf(
        (async () => {
          for await (const part of data) {
            parts.push(part);
          }
        })(),
      );
      return [Buffer.concat(parts).equals(text.subarray(0, Buffer.concat(parts).length)), shown(failure)];
    };
    const beside = await read(decodeBeside(order, pieces(bytes, 65_536)));
    expect(beside).toEqual(await read(decodeHere(order, pieces(bytes, 65_536))));
    expect(beside).toEqual([true, expect.objectContaining({ exitCode: 7 })]);
  });

  it("reports changed bytes as this thread would", async () => {
    for (const at of [4, 5, 70_000, stream.length >> 1]) {
      const bytes = Buffer.from(stream);
      bytes[at]! ^= 0xff;
      const here = await failureOf(joined(decodeHere(order, pieces(bytes, 65_536))));
      expect(shown(await failureOf(joined(decodeBeside(order, pieces(bytes, 65_536)))))).toEqual(shown(here));
    }
  });

  it("passes on what the input throws, behind what came before it", async () => {
    const broken = new RangeError("from below");
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      yield* pieces(stream.subarray(0, MIB), 65_536);
      throw broken;
    }
    let length = 0;
    const failure = await failureOf(
      (async () => {
        for await (const part of decodeBeside(order, input())) {
          length += part.length;
        }
      })(),
    );
    expect(failure).toBe(broken);
    expect(length).toBeGreaterThan(MIB / 2);
  });

  it("ends its input when the consumer stops early, and the thread serves on", async () => {
    for (let round = 0; round < 5; round++) {
      let ended = false;
      async function* input(): AsyncGenerator<Buffer, void, undefined> {
        try {
          yield* pieces(stream, 65_536);
        } finally {
          ended = true;
        }
      }
      for await (const _part of decodeBeside(order, input())) {
        break;
      }
      expect(ended).toBe(true);
    }
    expect((await joined(decodeBeside(order, pieces(stream, 65_536)))).equals(text)).toBe(true);
  });

  it("ends when a signal stops the input that it waits for", async () => {
    const stop = new AbortController();
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      yield stream.subarray(0, 65_536);
      setTimeout(() => stop.abort(), 10);
      await new Promise((_, reject) => {
        stop.signal.addEventListener("abort", () => reject(new Interrupted()));
      });
    }
    await expect(joined(decodeBeside(order, input()))).rejects.toBeInstanceOf(Interrupted);
  });

  it("takes no more input than it may while the consumer does nothing", async () => {
    let given = 0;
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      for (;;) {
        for await (const piece of pieces(stream, 65_536)) {
          given += piece.length;
          yield piece;
        }
      }
    }
    const data = decodeBeside(order, input());
    await data.next();
    let before = -1;
    while (before !== given) {
      before = given;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // four outputs' worth, what waits to be decoded, and a piece on either side
    expect(given).toBeLessThanOrEqual(5 * 256 * 1024 + 512 * 1024 + 2 * 65_536);
    await data.return();
  });

  it("serves many streams at once with few threads", async () => {
    const reading = Array.from({ length: 24 }, (_, index) =>
      joined(decodeBeside(order, pieces(stream, 40_000 + 1000 * index))),
    );
    for (const bytes of await Promise.all(reading)) {
      expect(bytes.equals(text)).toBe(true);
    }
    expect(decodeThreadCount()).toBeLessThanOrEqual(Math.max(decodeThreadLimit(), 1));
  });

  it("lets one consumer stand still without holding up the others", async () => {
    const still = Array.from({ length: 6 }, () => decodeBeside(order, pieces(stream, 65_536)));
    await Promise.all(still.map((data) => data.next()));
    expect((await joined(decodeBeside(order, pieces(stream, 65_536)))).equals(text)).toBe(true);
    await Promise.all(still.map((data) => data.return()));
  });

  it("is where decompress() sends a long stream", async () => {
    expect(stream.length).toBeGreaterThan(LEAST_BESIDE_BYTES);
    expect((await joined(decompress(codec, pieces(stream, 65_536), WHERE))).equals(text)).toBe(true);
  });
});

describe("a thread that dies", () => {
  it("fails its streams, and the next stream has a new one", async () => {
    const lost: unknown[] = [];
    const { line } = openDecodeLine({ hear: () => {}, lost: (cause) => lost.push(cause) });
    // no such message exists: the thread's own code breaks over it
    line.tell(null as never);
    while (lost.length === 0) {
      await line.awaited(new Promise((resolve) => setTimeout(resolve, 10)));
    }
    expect(lost).toEqual([expect.any(Error)]);
    const stream = await joined(compress("lz4", pieces(text, 100_000), undefined));
    expect((await joined(decodeBeside({ codec: "lz4", where: WHERE }, pieces(stream, 65_536)))).equals(text)).toBe(
      true,
    );
  });
});

afterAll(() => expect(decodeThreadCount()).toBeGreaterThan(0));
