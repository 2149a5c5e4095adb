import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { zstdImplementation } from "../compression/zstd.ts";
import { writeCustomArchive } from "../custom/custom-writer.ts";
import type { Archive, ByteSource, OpenOptions } from "../model.ts";
import { closeArchive, openArchive } from "../open-archive.ts";
import { ageKeys, filtered, haveCommands } from "../testing/commands.ts";
import {
  digests,
  joined,
  memorySource,
  pieces,
  readAll,
  sampleBytes,
  smallArchive,
  walkAll,
} from "../testing/sources.ts";
import { ageEncrypt } from "./age-write.ts";

const native = zstdImplementation() === "native";
const custom = sampleBytes("pg15-gzip.dump");
const piped = sampleBytes("pg15-pipe.dump");

const MIB = 1024 * 1024;

let recipient = "";
let options: OpenOptions = {};
let expected: Record<string, string> = {};
beforeAll(async () => {
  const keys = await ageKeys();
  recipient = keys.recipient;
  options = { keys: async () => ({ identities: [keys.identity], passphrase: null }) };
  expected = digests(await walkAll(await openArchive(memorySource(custom))));
});

const open = (bytes: Buffer, more: OpenOptions = {}): Promise<Archive> =>
  openArchive(memorySource(bytes, 4099), { ...options, ...more });
const age = async (bytes: Buffer) =>
  joined((await ageEncrypt(pieces(bytes, 65_536), { recipients: [recipient] })).body);
const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, exitCode: 7, message: expect.stringMatching(message) }) as Error;

describe.skipIf(!haveCommands("gzip", "lz4", "zstd", "age") || !native)(
  "an archive with commands' wrappings around it (needs gzip, lz4, zstd, age)",
  () => {
    const wrap = (bytes: Buffer, by: string): Buffer =>
      by === "age" ? filtered(bytes, "age", "-r", recipient) : filtered(bytes, by, "-c");

    it.each(
      [
        ["gzip"],
        ["lz4"],
        ["zstd"],
        ["age"],
        ["age", "gzip"],
        ["zstd", "age"],
        ["age", "zstd", "lz4"],
        ["gzip", "gzip", "age", "lz4"],
      ].map((layers) => [layers.join(" around "), layers] as const),
    )("%s: is read as the archive itself, in one pass and by requests", async (_name, layers) => {
      for (const plain of [custom, piped]) {
        const archive = await open(layers.toReversed().reduce(wrap, plain));
        expect(archive.wrapping).toEqual(layers);
        expect(archive.sequential).toBe(layers.some((layer) => layer !== "age"));
        expect(digests(await walkAll(archive))).toEqual(expected);
        expect(digests(await readAll(archive))).toEqual(expected);
        expect(digests(await readAll(archive, archive.toc.toReversed()))).toEqual(expected);
      }
    });
  },
);

describe("a wrapped archive", () => {
  it("in age alone keeps its random access: two tables are read at once", async () => {
    const archive = await open(await age(custom));
    expect([archive.randomAccess, archive.sequential, archive.wrapping]).toEqual([true, false, ["age"]]);
    const tables = archive.toc.filter((entry) => entry.desc === "TABLE DATA");
    const together = await Promise.all(tables.map((entry) => joined(archive.tableData(entry))));
    const plain = await openArchive(memorySource(custom));
    for (const [index, entry] of tables.entries()) {
      expect(together[index]?.equals(await joined(plain.tableData(plain.entry.get(entry.dumpId)!)))).toBe(true);
    }
  });

  it("is decoded once when its tables are read as they lie, however it was dumped", async () => {
    for (const plain of [custom, piped]) {
      const source = memorySource(gzipSync(plain), 4099);
      const archive = await openArchive(source);
      for (const entry of archive.dataOrder) {
        const data = entry.desc === "BLOBS" ? archive.largeObjects(entry) : archive.tableData(entry);
        for await (const _piece of data) {
          // only the reading counts
        }
      }
      // Once to see what it is, once to see what is in it.
      expect(source.ranges.length).toBe(2);
    }
  });

  it("keeps its file open between reads, until it is closed or could not be opened", async () => {
    let open = 0;
    const watched = (bytes: Buffer): ByteSource => ({
      size: bytes.length,
      async *read(start, end = bytes.length) {
        open++;
        try {
          yield* pieces(bytes.subarray(start, end), 65_536);
        } finally {
          open--;
        }
      },
    });
    const rows = Buffer.from(Array.from({ length: 4 * MIB }, (_, at) => (at * 7919) >>> 6));
    const stored = gzipSync(await joined(writeCustomArchive(smallArchive({ t: rows }))), { level: 0 });
    const archive = await openArchive(watched(stored));
    expect(open).toBe(1);
    await closeArchive(archive);
    expect(open).toBe(0);
    expect((await walkAll(archive)).get("public.t")?.equals(rows)).toBe(true);
    expect(open).toBe(0);
    const page = Buffer.concat([Buffer.from("<html>"), rows]);
    await expect(openArchive(watched(gzipSync(page, { level: 0 })))).rejects.toThrow(/HTML/);
    expect(open).toBe(0);
  });

  it("five layers deep is refused, four are read", async () => {
    const deeper = (bytes: Buffer, layers: number) =>
      Array.from({ length: layers }).reduce<Buffer>((inner) => gzipSync(inner), bytes);
    expect(digests(await walkAll(await open(deeper(custom, 4))))).toEqual(expected);
    await expect(open(deeper(custom, 5))).rejects.toThrow(refusal("nested_too_deep", /more than 4 wrappings/));
  });

  it("that holds something else says both", async () => {
    const utf16 = Buffer.from("SELECT pg_catalog.set_config('search_path', '', false);\r\n", "utf16le");
    await expect(open(gzipSync(utf16))).rejects.toThrow(refusal("unsupported_format", /UTF-16 .* inside gzip$/));
    await expect(open(await age(gzipSync(Buffer.from("<html>"))))).rejects.toThrow(
      refusal("unsupported_format", /HTML page.* inside gzip inside age$/),
    );
    await expect(open(gzipSync(Buffer.alloc(0)))).rejects.toThrow(refusal("empty_file", /empty inside gzip$/));
  });

  it("that is cut tells where its file ends", async () => {
    const bytes = gzipSync(custom);
    await expect(open(bytes.subarray(0, bytes.length - 5)).then(walkAll)).rejects.toThrow(
      refusal("truncated", new RegExp(`gzip stream ends early in the gzip file at byte ${bytes.length - 5}$`)),
    );
    const inner = await age(bytes.subarray(0, 400));
    await expect(open(inner)).rejects.toThrow(refusal("truncated", /in the gzip file inside age at byte 400$/));
  });

  it("with bytes behind the compression is refused", async () => {
    const bytes = Buffer.concat([gzipSync(custom), Buffer.from("more")]);
    await expect(open(bytes).then(walkAll)).rejects.toThrow(refusal("bad_stream", /the gzip file up to byte \d+$/));
  });

  it("needs no keys when it is not encrypted", async () => {
    await open(gzipSync(custom), {
      keys: () => Promise.reject(new Error("asked for")),
    });
    await expect(open(await age(gzipSync(custom)), { keys: undefined })).rejects.toThrow(
      expect.objectContaining({ code: "encrypted", exitCode: 2 }) as Error,
    );
  });
});

describe("a bomb", () => {
  async function* zeros(): AsyncGenerator<Buffer, void, undefined> {
    const block = Buffer.alloc(MIB);
    for (let at = 0; at < 300; at++) {
      yield block;
    }
    yield Buffer.from("\n\\.\n\n\n");
  }
  const small = smallArchive({ t: Buffer.alloc(0) });
  const bombTable = { ...small.entries.at(-1)!, data: zeros };
  const archiveBytes = (compression: "gzip" | "none") =>
    joined(writeCustomArchive({ ...small, compression, entries: [...small.entries.slice(0, -1), bombTable] }));

  it("in a block is stopped, in bounded memory, unless more is allowed", async () => {
    const bytes = await archiveBytes("gzip");
    expect(bytes.length).toBeLessThan(MIB);
    const before = process.memoryUsage().rss;
    const drained = async (archive: Archive): Promise<number> => {
      let length = 0;
      await archive.walk({
        tableData: async (_entry, data) => {
          for await (const piece of data) {
            length += piece.length;
          }
        },
      });
      return length;
    };
    await expect(open(bytes, { maxExpansion: 100 }).then(drained)).rejects.toThrow(
      refusal("expands_too_much", /block of dump ID 10/),
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * MIB);
    expect(await drained(await open(bytes, { maxExpansion: 5000 }))).toBe(300 * MIB + 6);
  });

  it("around an archive is stopped", async () => {
    const bytes = gzipSync(await archiveBytes("none"), { level: 1 });
    const archive = await open(bytes, { maxExpansion: 20 });
    await expect(archive.walk({})).rejects.toThrow(refusal("expands_too_much", /in the gzip file$/));
  });
});
