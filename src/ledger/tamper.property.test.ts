import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LedgerRefused } from "../errors.ts";
import type { MemoryStore } from "./testing/memory-store.ts";
import { testKeySet } from "./testing/test-keys.ts";
import { heartbeats, minutes, writeLedger } from "./testing/test-ledger.ts";
import { verifyLedger } from "./verify.ts";

const keys = testKeySet();
const SIZE = 6;

async function accepts(store: MemoryStore): Promise<boolean> {
  try {
    await verifyLedger(store, keys, { now: minutes(SIZE), maxStalenessMs: 60_000 * SIZE });
    return true;
  } catch (error) {
    if (error instanceof LedgerRefused) {
      return false;
    }
    throw error;
  }
}

describe("a ledger", () => {
  const sound = writeLedger(keys, heartbeats(SIZE - 1));
  const objects = [...sound.objects.keys()];

  test("is accepted as it is", async () => {
    expect(await accepts(sound.duplicate())).toBe(true);
  });

  test("is refused when any bit of any object changes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...objects), fc.nat(), fc.nat({ max: 7 }), async (key, at, bit) => {
        const store = sound.duplicate();
        const bytes = store.objects.get(key)!;
        const index = at % bytes.length;
        bytes[index] = bytes[index]! ^ (1 << bit);
        expect(await accepts(store)).toBe(false);
      }),
      { numRuns: 400 },
    );
  });

  test("is refused when any object is cut short or lengthened", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...objects),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (key, at, more, cut) => {
          const store = sound.duplicate();
          const bytes = store.objects.get(key)!;
          store.objects.set(key, cut ? bytes.subarray(0, at % bytes.length) : Buffer.concat([bytes, more]));
          expect(await accepts(store)).toBe(false);
        },
      ),
    );
  });

  test("is refused when its records are reordered, repeated or left out", async () => {
    const order = fc
      .array(fc.nat({ max: SIZE - 1 }), { minLength: 1, maxLength: SIZE })
      .filter((places) => places.length < SIZE || places.some((place, seq) => place !== seq));
    await fc.assert(
      fc.asyncProperty(order, async (places) => {
        const store = sound.duplicate();
        const records = objects.filter((key) => key.startsWith("records/"));
        for (const [seq, key] of records.entries()) {
          const from = places[seq];
          if (from === undefined) {
            store.objects.delete(key);
          } else {
            store.objects.set(key, sound.objects.get(records[from]!)!);
          }
        }
        expect(await accepts(store)).toBe(false);
      }),
    );
  });
});
