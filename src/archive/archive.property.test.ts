/** Whatever happens to an archive's bytes, reading it ends, with the same content or with an error of ours. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArchiveDamaged, SanitizeError } from "../errors.ts";
import { zstdImplementation } from "./compression/zstd.ts";
import { writeCustomArchive } from "./custom/custom-writer.ts";
import type { ArchiveCompression } from "./model.ts";
import { openArchive } from "./open-archive.ts";
import {
  type Contents,
  digests,
  joined,
  memorySource,
  readAll,
  sampleBytes,
  smallArchive,
  walkAll,
} from "./testing/sources.ts";

const compressions: readonly ArchiveCompression[] =
  zstdImplementation() === "native" ? ["none", "gzip", "lz4", "zstd"] : ["none", "gzip", "lz4"];

const TABLES = { one: Buffer.from("1\tann\n2\tbob\n\\.\n\n\n"), two: Buffer.from("\\.\n\n\n") };
const OBJECTS = { 7: Buffer.from("seven"), 8: Buffer.alloc(0) };

const write = (compression: ArchiveCompression) =>
  joined(writeCustomArchive(smallArchive(TABLES, { minor: 16, compression, objects: OBJECTS })));

type Outcome = { readonly contents: Contents } | { readonly error: unknown };

async function outcome(bytes: Buffer, read: typeof walkAll, step?: number): Promise<Outcome> {
  try {
    return { contents: await read(await openArchive(memorySource(bytes, step))) };
  } catch (error) {
    return { error };
  }
}

describe.each(compressions)("an archive with %s", (compression) => {
  it("that is cut at any byte is damaged, by a walk and by requests (trap 38)", async () => {
    const bytes = await write(compression);
    const whole = await outcome(bytes, walkAll);
    expect("contents" in whole && digests(whole.contents)).toBeTruthy();
    for (let cut = 0; cut < bytes.length; cut++) {
      for (const read of [walkAll, readAll]) {
        const result = await outcome(bytes.subarray(0, cut), read);
        expect("error" in result && result.error, `cut at ${cut}`).toBeInstanceOf(ArchiveDamaged);
      }
    }
  });

  it("that is changed in some bytes never hangs and fails only with errors of ours", async () => {
    const bytes = await write(compression);
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, mask] of changes) {
          changed[at]! ^= mask;
        }
        for (const read of [walkAll, readAll]) {
          const result = await outcome(changed, read);
          if ("error" in result) {
            expect(result.error).toBeInstanceOf(SanitizeError);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a real archive", () => {
  it.each(["pg15-gzip.dump", "extra-pg17-Z0.dump", "extra-pg18-lz4.dump"])(
    "%s, changed or cut anywhere, ends",
    async (name) => {
      const bytes = sampleBytes(name);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(bytes.length - 1),
          fc.integer({ min: 1, max: 255 }),
          fc.boolean(),
          async (at, mask, cut) => {
            const changed = Buffer.from(cut ? bytes.subarray(0, at) : bytes);
            if (!cut) {
              changed[at]! ^= mask;
            }
            for (const read of [walkAll, readAll]) {
              const result = await outcome(changed, read);
              if ("error" in result) {
                expect(result.error).toBeInstanceOf(SanitizeError);
              } else {
                expect(cut, "a cut archive must not read").toBe(false);
              }
            }
          },
        ),
        { numRuns: 100 },
      );
    },
  );
});

describe("any content", () => {
  it("comes back from any compression, in any pieces, byte by byte", async () => {
    const content = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...compressions),
        fc.array(content, { minLength: 1, maxLength: 4 }),
        fc.array(content, { maxLength: 3 }),
        fc.integer({ min: 1, max: 5000 }),
        async (compression, tables, objects, step) => {
          const options = smallArchive(Object.fromEntries(tables.map((bytes, index) => [`t${index}`, bytes])), {
            minor: 16,
            compression,
            objects: Object.fromEntries(objects.map((bytes, index) => [index + 1, bytes])),
          });
          const bytes = await joined(writeCustomArchive(options));
          const expected = digests(
            new Map([
              ...tables.map((table, index) => [`public.t${index}`, table] as const),
              ...objects.map((object, index) => [`lo ${index + 1}`, object] as const),
            ]),
          );
          for (const read of [walkAll, readAll]) {
            const result = await outcome(bytes, read, step);
            expect("contents" in result && digests(result.contents)).toEqual(expected);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
