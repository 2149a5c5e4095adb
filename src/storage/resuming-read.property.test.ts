/** Every way in which connections can break, against the bytes that must come out. */

import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SourceFailed } from "../errors.ts";
import { backoffMs } from "./backoff.ts";
import { BrokenOff, CHUNK_BYTES, resumingRead } from "./resuming-read.ts";

const CONTENT = Buffer.from(Array.from({ length: 3 * CHUNK_BYTES }, (_, index) => (index * 7 + (index >> 8)) & 0xff));

/** One connection: pieces of these sizes, then its end as given. */
const connection = fc.record({
  pieces: fc.array(fc.nat(400_000), { maxLength: 4 }),
  end: fc.constantFrom("error", "early end", "refused"),
});

function streamOf(pieces: readonly number[], end: string, offset: number, stop: number): Readable {
  return Readable.from(
    (async function* () {
      let at = offset;
      for (const size of pieces) {
        const next = Math.min(at + size, stop);
        yield CONTENT.subarray(at, next);
        at = next;
      }
      if (end === "error") {
        throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      }
      if (end === "whole") {
        yield CONTENT.subarray(at, stop);
      }
    })(),
    { objectMode: false },
  );
}

test("whatever breaks where, the bytes are those asked for, or the read fails: never fewer, never others", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(connection, { maxLength: 2 }),
      fc.nat(CONTENT.length),
      fc.nat(CONTENT.length),
      async (connections, one, other) => {
        const [start, end] = one <= other ? [one, other] : [other, one];
        let opened = 0;
        const chunks: Buffer[] = [];
        const reading = resumingRead({
          start,
          end,
          open: (offset) => {
            const plan = connections[opened++];
            return plan?.end === "refused"
              ? Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }))
              : Promise.resolve(streamOf(plan?.pieces ?? [], plan?.end ?? "whole", offset, end));
          },
          isTransient: () => true,
          failure: () => new SourceFailed("given up", { code: "connection_lost" }),
          idleTimeoutMs: 10_000,
          maxAttempts: 3,
        });
        for await (const chunk of reading) {
          chunks.push(chunk);
        }
        expect(Buffer.concat(chunks).equals(CONTENT.subarray(start, end))).toBe(true);
        expect(chunks.slice(0, -1).every((chunk) => chunk.length === CHUNK_BYTES)).toBe(true);
      },
    ),
    { numRuns: 15 },
  );
});

test("more bytes than asked for are refused, and not given out", async () => {
  const failures: unknown[] = [];
  const reading = resumingRead({
    start: 0,
    end: 10,
    open: () => Promise.resolve(Readable.from([CONTENT.subarray(0, 11)], { objectMode: false })),
    isTransient: (error) => !(error instanceof BrokenOff) || error.kind !== "overlong",
    failure: (error) => {
      failures.push(error);
      return new SourceFailed("too long", { code: "wrong_length" });
    },
    idleTimeoutMs: 10_000,
    maxAttempts: 3,
  });
  await expect(reading.next()).rejects.toMatchObject({ code: "wrong_length" });
  expect(failures).toMatchObject([{ kind: "overlong" }]);
});

test("an empty range opens nothing", async () => {
  const reading = resumingRead({
    start: 5,
    end: 5,
    open: () => Promise.reject(new Error("opened")),
    isTransient: () => false,
    failure: () => new SourceFailed("opened", { code: "opened" }),
    idleTimeoutMs: 1,
    maxAttempts: 1,
  });
  expect(await reading.next()).toEqual({ done: true, value: undefined });
});

test("waiting doubles up to ten seconds, half of it by chance", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, chance) => {
      const step = Math.min(10_000, 100 * 2 ** failures);
      const waited = backoffMs(failures, () => chance);
      expect(waited).toBeGreaterThanOrEqual(step / 2);
      expect(waited).toBeLessThanOrEqual(step);
    }),
  );
});
