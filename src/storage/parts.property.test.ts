import fc from "fast-check";
import { expect, test } from "vitest";
import { cutIntoParts, partBytes } from "./parts.ts";

const MIB = 1024 * 1024;

test("parts grow, so that ten thousand of them hold 968 GiB and none is larger than S3 takes", () => {
  expect([1, 2000, 2001, 4001, 8001, 10_000].map((number) => partBytes(number) / MIB)).toEqual([
    16, 16, 32, 64, 256, 256,
  ]);
  const all = Array.from({ length: 10_000 }, (_, index) => partBytes(index + 1)).reduce((sum, bytes) => sum + bytes, 0);
  expect(all / MIB).toBe(992_000);
});

test("whatever comes in, the same bytes come out, in parts of their sizes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 1, max: 12 }),
      async (pieces, headLength, smallest) => {
        const sizeOf = (number: number) => smallest + Math.floor((number - 1) / 3);
        const body = (async function* () {
          yield* pieces;
        })();
        const parts: Buffer[] = [];
        for await (const part of cutIntoParts(body, headLength, sizeOf)) {
          parts.push(part);
        }
        expect(Buffer.concat(parts).equals(Buffer.concat(pieces))).toBe(true);
        for (const [index, part] of parts.entries()) {
          const size = index === 0 ? Math.max(0, smallest - headLength) : sizeOf(index + 1);
          if (index < parts.length - 1) {
            expect(part).toHaveLength(size);
          } else {
            expect(part.length).toBeLessThanOrEqual(size);
            expect(index === 0 || part.length > 0).toBe(true);
          }
        }
      },
    ),
  );
});
