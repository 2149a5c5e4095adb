/** Whatever lies around a file, in whatever order and pieces: the same bytes, or an error of ours. */

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ArchiveDamaged, SanitizeError } from "../../errors.ts";
import { compress } from "../compression/compression.ts";
import { Expansion } from "../compression/expansion.ts";
import { zstdImplementation } from "../compression/zstd.ts";
import { writeCustomArchive } from "../custom/custom-writer.ts";
import type { OpenOptions } from "../model.ts";
import { ageKeys } from "../testing/commands.ts";
import { joined, memorySource, pieces, smallArchive } from "../testing/sources.ts";
import { ageEncrypt } from "./age-write.ts";
import { unwrap } from "./unwrap.ts";

type Layer = "age" | "gzip" | "gzip in members" | "lz4" | "zstd";

const layers: readonly Layer[] = [
  "age",
  "gzip",
  "gzip in members",
  "lz4",
  ...(zstdImplementation() === "native" ? (["zstd"] as const) : []),
];

let recipient = "";
let options: OpenOptions = {};
let archive: Buffer = Buffer.alloc(0);
beforeAll(async () => {
  const keys = await ageKeys();
  recipient = keys.recipient;
  options = { keys: async () => ({ identities: [keys.identity], passphrase: null }) };
  archive = await joined(writeCustomArchive(smallArchive({ t: Buffer.from("1\tann\n2\tbob\n\\.\n\n\n") })));
});

async function wrap(bytes: Buffer, layer: Layer): Promise<Buffer> {
  switch (layer) {
    case "age":
      return joined((await ageEncrypt(pieces(bytes, 10_000), { recipients: [recipient] })).body);
    case "gzip":
      return gzipSync(bytes);
    case "gzip in members": {
      const middle = bytes.length >> 1;
      return Buffer.concat([gzipSync(bytes.subarray(0, middle)), gzipSync(bytes.subarray(middle))]);
    }
    case "lz4":
    case "zstd":
      return joined(compress(layer, pieces(bytes, 10_000), undefined));
  }
}

async function wrapped(bytes: Buffer, around: readonly Layer[]): Promise<Buffer> {
  let result = bytes;
  for (const layer of around.toReversed()) {
    result = await wrap(result, layer);
  }
  return result;
}

const inside = async (bytes: Buffer, step?: number) =>
  unwrap(memorySource(bytes, step), options, new Expansion()).then(({ source }) => source);

describe("any layering", () => {
  it("gives the content in any ranges, from pieces of any size", async () => {
    // Beyond what is remembered for going back, so that some reads begin again.
    const content = Buffer.concat([archive, Buffer.alloc(1_500_000).map((_, at) => (at * 7919) >>> 6)]);
    const range = fc.tuple(fc.nat(content.length), fc.nat(300_000));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...layers), { maxLength: 4 }),
        fc.integer({ min: 700, max: 100_000 }),
        fc.array(range, { minLength: 1, maxLength: 5 }),
        async (around, step, ranges) => {
          const source = await inside(await wrapped(content, around), step);
          for (const [start, length] of ranges) {
            const end = Math.min(content.length, start + length);
            const got = await joined(source.read(start, end));
            expect(got.equals(content.subarray(start, end)), `${start} to ${end}`).toBe(true);
          }
          expect((await joined(source.read(0))).equals(content)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe.each(layers)("a small archive in %s", (layer) => {
  const read = async (bytes: Buffer, step: number): Promise<Buffer> => joined((await inside(bytes, step)).read(0));

  it("comes from pieces of any size", async () => {
    const bytes = await wrapped(archive, [layer]);
    for (const step of [1, 2, 3, 7, 64, bytes.length]) {
      expect((await read(bytes, step)).equals(archive), `pieces of ${step}`).toBe(true);
    }
  });

  it("that is cut at any byte is an error", async () => {
    const bytes = await wrapped(archive, [layer]);
    const middle = gzipSync(archive.subarray(0, archive.length >> 1)).length;
    for (let cut = 0; cut < bytes.length; cut++) {
      const result = await read(bytes.subarray(0, cut), 1000).catch((error: unknown) => error);
      if (layer === "gzip in members" && cut === middle) {
        // A file of fewer members is a sound file; that the archive in it is cut, its reader tells.
        expect(result).toEqual(archive.subarray(0, archive.length >> 1));
      } else {
        expect(result, `cut at ${cut}`).toBeInstanceOf(ArchiveDamaged);
      }
    }
  });

  it("that is changed anywhere ends, with the same bytes or an error of ours", async () => {
    const bytes = await wrapped(archive, [layer]);
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, mask] of changes) {
          changed[at]! ^= mask;
        }
        const result = await read(changed, 500).catch((error: unknown) => error);
        if (!(result instanceof Buffer)) {
          expect(result).toBeInstanceOf(SanitizeError);
        } else if (layer === "age" || layer === "gzip" || layer === "gzip in members") {
          // What has no checksum, as pg_dump's lz4 and zstd, cannot tell; a changed magic leaves the file as it is.
          expect([archive, changed].some((same) => same.equals(result))).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });
});
