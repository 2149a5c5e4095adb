import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { mapInOrder } from "./map-in-order.ts";

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of source) {
    values.push(value);
  }
  return values;
}

describe("mapInOrder", () => {
  test("keeps the order, and never has more under way than allowed", async () => {
    let underWay = 0;
    let most = 0;
    const values = await collect(
      mapInOrder(50, 7, async (index) => {
        most = Math.max(most, ++underWay);
        await sleep((index * 7) % 5);
        underWay--;
        return index;
      }),
    );
    expect(values).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(most).toBe(7);
  });

  test("fails with the first failure in order, though a later one came earlier", async () => {
    const seen: number[] = [];
    const failing = async () => {
      for await (const value of mapInOrder(10, 10, async (index) => {
        await sleep(index === 3 ? 10 : 0);
        if (index === 3 || index === 5) {
          throw new Error(`failure ${index}`);
        }
        return index;
      })) {
        seen.push(value);
      }
    };
    await expect(failing()).rejects.toThrow("failure 3");
    expect(seen).toEqual([0, 1, 2]);
  });

  test("begins nothing more when its consumer stops", async () => {
    let begun = 0;
    for await (const value of mapInOrder(1000, 4, (index) => Promise.resolve([index, begun++]))) {
      if (value[0] === 2) {
        break;
      }
    }
    expect(begun).toBeLessThanOrEqual(7);
  });

  test("of nothing is nothing", async () => {
    expect(await collect(mapInOrder(0, 4, () => Promise.resolve(1)))).toEqual([]);
  });
});
