/** The part of the stores' contract that is about objects whose beginning is known last. */

import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { Interrupted } from "../errors.ts";
import type { LateHead, ObjectStore } from "./contract.ts";
import { bytesOf, listed, once, pieces, readAll } from "./testing/bodies.ts";

const PART = 16 * 1024 * 1024;

/** Declares the suite. `opened` gives the store once the tests run. */
export function lateHeadContract(opened: () => ObjectStore): void {
  describe("a late head", () => {
    let store: ObjectStore;
    const content = randomBytes(3 * PART + 777);
    beforeAll(() => {
      store = opened();
    });

    test.each([
      ["an empty body", 1000, 0],
      ["no head to speak of", 0, 1000],
      ["all in one part", 1000, 5_000_000],
      ["one part to the byte", 1000, PART - 1000],
      ["one byte more than a part", 1000, PART - 999],
      ["several parts", 12_345, content.length - 20_000],
      ["a head that fills the first part", PART, 100],
      ["a head larger than a part", PART + 10, PART + 1],
    ])("%s: the head comes first, and is asked for once, behind the body", async (_what, headLength, bodyLength) => {
      const head = content.subarray(0, headLength);
      const body = content.subarray(headLength, headLength + bodyLength);
      let ended = false;
      let asked = 0;
      const info = await store.upload(
        "late/whole",
        (async function* () {
          yield* pieces(body, 1_234_567);
          ended = true;
        })(),
        {
          head: {
            length: headLength,
            bytes: () => {
              expect(ended).toBe(true);
              asked += 1;
              return head;
            },
          },
          metadata: { made: "late" },
        },
      );
      expect(asked).toBe(1);
      expect(info).toMatchObject({ size: headLength + bodyLength, sha256: null });
      expect(info.metadata).toEqual(store.kind === "s3" ? { made: "late" } : {});
      const stored = await readAll((await store.open("late/whole")).read(0));
      expect(stored.equals(content.subarray(0, headLength + bodyLength))).toBe(true);
    });

    test("ifAbsent does not replace, neither small nor in parts", async () => {
      await store.upload("late/there", once(bytesOf("there")));
      for (const length of [10, 2 * PART]) {
        const body = pieces(content.subarray(0, length), 1_000_000);
        const refused = store.upload("late/there", body, { head: headOf("head"), ifAbsent: true });
        await expect(refused).rejects.toMatchObject({ code: "exists" });
      }
      expect((await store.get("late/there"))?.bytes.toString()).toBe("there");
      const made = await store.upload("late/new", once(bytesOf(" body")), { head: headOf("head"), ifAbsent: true });
      expect((await store.get("late/new"))?.bytes.toString()).toBe("head body");
      expect(made.size).toBe(9);
    });

    test("an object that comes to be while the parts go up is not replaced", async () => {
      const body = (async function* () {
        yield* pieces(content.subarray(0, 2 * PART), 1_000_000);
        await store.createIfAbsent("late/raced", bytesOf("other"));
      })();
      const refused = store.upload("late/raced", body, { head: headOf("head"), ifAbsent: true });
      await expect(refused).rejects.toMatchObject({ code: "exists" });
      expect((await store.get("late/raced"))?.bytes.toString()).toBe("other");
    });

    test("a body or a head that fails leaves nothing and surfaces as it is", async () => {
      const failure = new Error("the source broke");
      for (const length of [0, 1000, 3 * PART]) {
        const body = (async function* () {
          yield* pieces(content.subarray(0, length), 1_000_000);
          throw failure;
        })();
        await expect(store.upload("late/broken", body, { head: headOf("head") })).rejects.toBe(failure);
        const head: LateHead = {
          length: 4,
          bytes: () => {
            throw failure;
          },
        };
        const whole = pieces(content.subarray(0, length), 1_000_000);
        await expect(store.upload("late/broken", whole, { head })).rejects.toBe(failure);
        const short = { length: 5, bytes: () => Buffer.from("four") };
        const again = pieces(content.subarray(0, length), 1_000_000);
        await expect(store.upload("late/broken", again, { head: short })).rejects.toThrow("a head of 5 bytes");
      }
      expect(await store.head("late/broken")).toBeNull();
      expect(await listed(store, "late/broken")).toEqual([]);
    });

    test("an abort breaks off a body that waits for ever, and leaves nothing", async () => {
      for (const length of [1000, 3 * PART]) {
        const abort = new AbortController();
        const body = (async function* () {
          yield* pieces(content.subarray(0, length), 100_000);
          setImmediate(() => abort.abort());
          await new Promise(() => undefined);
        })();
        const upload = store.upload("late/aborted", body, { head: headOf("head"), signal: abort.signal });
        await expect(upload).rejects.toThrow(Interrupted);
      }
      expect(await store.head("late/aborted")).toBeNull();
      expect(await listed(store, "late/aborted")).toEqual([]);
    });
  });
}

function headOf(text: string): LateHead {
  return { length: text.length, bytes: () => Buffer.from(text) };
}
