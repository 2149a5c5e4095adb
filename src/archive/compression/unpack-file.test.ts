import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../../errors.ts";
import { filtered, haveCommands } from "../testing/commands.ts";
import { joined, memorySource, pieces, rowsText, streamBytes } from "../testing/sources.ts";
import { Expansion, limited } from "./expansion.ts";
import { unpackFile } from "./unpack-file.ts";
import { decodeWithJavaScript, zstdImplementation } from "./zstd.ts";

const WHERE = "the file";
const text = rowsText();
const native = zstdImplementation() === "native";
const commands = haveCommands("gzip", "zstd", "lz4");
const MIB = 1024 * 1024;

const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from("abc")]);
const unpack = (by: "gzip" | "lz4" | "zstd", bytes: Buffer, step = 4096) =>
  joined(unpackFile(by, pieces(bytes, step), WHERE));

describe("gzip files", () => {
  const small = text.subarray(0, 3000);
  const member = gzipSync(small);
  const STEPS = [1_000_000, member.length, 100, 7, 1];

  it.each(STEPS)("of several members are read whole, in pieces of %d bytes", async (step) => {
    const got = await unpack("gzip", Buffer.concat([member, gzipSync(Buffer.alloc(0)), member]), step);
    expect(got.equals(Buffer.concat([small, small]))).toBe(true);
  });

  it.each(STEPS)("may have zeros behind them, in pieces of %d bytes", async (step) => {
    expect((await unpack("gzip", Buffer.concat([member, Buffer.alloc(2000)]), step)).equals(small)).toBe(true);
  });

  it.each([
    ["text", Buffer.from("more")],
    ["zeros, then text", Buffer.concat([Buffer.alloc(2000), Buffer.from("more")])],
    ["zeros, then a member", Buffer.concat([Buffer.alloc(700), member])],
  ])("with %s behind them are refused, in pieces of any size", async (_what, rest) => {
    for (const step of STEPS) {
      await expect(unpack("gzip", Buffer.concat([member, rest]), step), `pieces of ${step}`).rejects.toThrow(
        expect.objectContaining({ code: "bad_stream" }) as Error,
      );
    }
  });

  it("that are cut in their second member, or are empty, are truncated", async () => {
    const both = Buffer.concat([member, member]);
    for (const cut of [0, 1, 9, member.length - 1, member.length + 1, member.length + 11, both.length - 1]) {
      for (const step of [both.length, 100]) {
        await expect(unpack("gzip", both.subarray(0, cut), step), `cut at ${cut}`).rejects.toThrow(
          expect.objectContaining({ code: "truncated" }) as Error,
        );
      }
    }
  });

  it("with a changed checksum or length are refused", async () => {
    for (const back of [8, 4]) {
      const bytes = Buffer.from(member);
      bytes[bytes.length - back]! ^= 1;
      await expect(unpack("gzip", bytes)).rejects.toBeInstanceOf(ArchiveDamaged);
    }
  });

  it("end their input when the consumer stops early, also behind the last member", async () => {
    let ended = false;
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      try {
        yield* pieces(Buffer.concat([member, member]), 100);
      } finally {
        ended = true;
      }
    }
    for await (const _bytes of unpackFile("gzip", input(), WHERE)) {
      break;
    }
    expect(ended).toBe(true);
  });
});

describe.skipIf(!commands)("what the commands write (needs gzip, zstd, lz4)", () => {
  it.each([
    ["gzip", "gzip", ["-c", "-9"]],
    ["lz4", "lz4", ["-c"]],
    ["lz4", "lz4", ["-c", "-9", "-BD", "--content-size"]],
    ["lz4", "lz4", ["-c", "-B4", "--no-frame-crc"]],
    ["lz4", "lz4", ["-c", "-B7", "-BX"]],
    ...(native
      ? ([
          ["zstd", "zstd", ["-c"]],
          ["zstd", "zstd", ["-c", "--no-check", "-19"]],
          ["zstd", "zstd", ["-c", "--long=27"]],
        ] as const)
      : []),
  ] as const)("%s: %s %j, alone and twice over", async (by, command, args) => {
    const once = filtered(text, command, ...args);
    expect((await unpack(by, once)).equals(text)).toBe(true);
    const twice = Buffer.concat([skippable, once, skippable, once]);
    const expected = Buffer.concat([text, text]);
    expect((await unpack(by, by === "gzip" ? Buffer.concat([once, once]) : twice, 777)).equals(expected)).toBe(true);
  });

  it.skipIf(!native)("zstd --long=31 needs more memory than is given, and is refused saying so", async () => {
    const bytes = filtered(text, "zstd", "-c", "--ultra", "-20", "--zstd=wlog=28");
    await expect(unpack("zstd", bytes)).rejects.toThrow(
      expect.objectContaining({
        code: "unsupported_compression",
        message: expect.stringContaining("window of more than 128 MiB"),
        hint: expect.stringContaining("--long=27"),
      }) as Error,
    );
  });
});

describe("zstd by JavaScript", () => {
  const plain = streamBytes("plain.zst");
  const decode = (bytes: Buffer, step: number) => joined(decodeWithJavaScript(pieces(bytes, step), WHERE));

  it("reads frames in a row and passes over skippable ones, in pieces of any size", async () => {
    const bytes = Buffer.concat([skippable, plain, skippable, plain, skippable]);
    for (const step of [1, 5, 1000, bytes.length]) {
      expect((await decode(bytes, step)).equals(Buffer.concat([text, text])), `pieces of ${step}`).toBe(true);
    }
  });

  it.each([
    [
      "a second frame's checksum",
      Buffer.concat([plain, streamBytes("checksum.zst")]),
      /checksum that cannot/,
      /zstd-napi/,
    ],
    [
      "a checksum behind a skippable frame",
      Buffer.concat([skippable, streamBytes("checksum.zst")]),
      /checksum/,
      /zstd-napi/,
    ],
    // Descriptor 0: a window follows; its exponent 20 says 2^30.
    ["a window of 1 GiB", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00]), /128 MiB/, /--long=27/],
    // Descriptor 0xe0: one segment, whose size of 2^40 follows.
    [
      "a content of 1 TiB in one",
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1]),
      /128 MiB/,
      /long/,
    ],
  ])("refuses %s", async (_what, bytes, message, hint) => {
    for (const step of [1, 5, bytes.length]) {
      await expect(decode(bytes, step), `pieces of ${step}`).rejects.toThrow(
        expect.objectContaining({
          code: "unsupported_compression",
          message: expect.stringMatching(message),
          hint: expect.stringMatching(hint),
        }) as Error,
      );
    }
  });
});

describe("how much a backup may expand to", () => {
  async function* zeros(mebibytes: number): AsyncGenerator<Buffer, void, undefined> {
    const block = Buffer.alloc(MIB);
    for (let at = 0; at < mebibytes; at++) {
      yield block;
    }
  }
  const drain = async (bytes: AsyncIterable<Buffer>): Promise<number> => {
    let length = 0;
    for await (const piece of bytes) {
      length += piece.length;
    }
    return length;
  };

  it("is 256 MiB, however little is stored", async () => {
    const limit = new Expansion(1).limit();
    expect(await drain(limited(zeros(256), limit, WHERE))).toBe(256 * MIB);
    await expect(drain(limited(zeros(1), limit, WHERE))).rejects.toThrow(
      expect.objectContaining({
        code: "expands_too_much",
        exitCode: 7,
        message: expect.stringContaining(WHERE),
        hint: "if the backup is sound, raise limits.max_expansion",
      }) as Error,
    );
  });

  it("grows with what was read of the stored file, over all its streams", async () => {
    const expansion = new Expansion(100);
    await drain(expansion.counted(memorySource(Buffer.alloc(3 * MIB))).read(0));
    const limit = expansion.limit();
    expect(await drain(limited(zeros(200), limit, WHERE))).toBe(200 * MIB);
    expect(await drain(limited(zeros(100), limit, WHERE))).toBe(100 * MIB);
    await expect(drain(limited(zeros(1), limit, WHERE))).rejects.toThrow(/more than 100 times as many/);
    // Another layer is another content.
    expect(await drain(limited(zeros(300), expansion.limit(), WHERE))).toBe(300 * MIB);
  });

  it("stops a decoder early, and its input", async () => {
    const bomb = gzipSync(Buffer.alloc(300 * MIB), { level: 1 });
    let ended = false;
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      try {
        yield* pieces(bomb, 65_536);
      } finally {
        ended = true;
      }
    }
    const decoded = limited(unpackFile("gzip", input(), WHERE), new Expansion().limit(), WHERE);
    await expect(drain(decoded)).rejects.toThrow(/stored bytes expand/);
    expect(ended).toBe(true);
  });

  it("does not touch streams in fixtures", async () => {
    const limit = new Expansion(2).limit();
    const got = await joined(limited(unpackFile("lz4", pieces(streamBytes("linked.lz4"), 999), WHERE), limit, WHERE));
    expect(got.equals(text)).toBe(true);
  });
});
