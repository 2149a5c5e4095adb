import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { looksLikeSideDatabase, oldDatabaseName, sideDatabaseName } from "./side-name.ts";

describe("sideDatabaseName", () => {
  it("is the name with the run behind it", () => {
    expect(sideDatabaseName("shop", "20261123_ab")).toBe("shop__sanitize_20261123_ab");
    expect(oldDatabaseName("shop", "ab")).toBe("shop__sanitize_old_ab");
  });

  it("fits into 63 bytes, keeps the run, splits no character, and is recognised", () => {
    const run = fc.stringMatching(/^[a-z0-9_]{1,40}$/);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 63 }), run, (target, name) => {
        for (const side of [sideDatabaseName(target, name), oldDatabaseName(target, name)]) {
          expect(Buffer.byteLength(side)).toBeLessThanOrEqual(63);
          expect(Buffer.from(side).toString() === side).toBe(true);
        }
        expect(sideDatabaseName(target, name).endsWith(`__sanitize_${name}`)).toBe(true);
      }),
    );
  });

  it("tells its own from others'", () => {
    expect(looksLikeSideDatabase("shop__sanitize_ab", "shop")).toBe(true);
    expect(looksLikeSideDatabase("shop__sanitize_old_ab", "shop")).toBe(true);
    expect(looksLikeSideDatabase("shop2__sanitize_ab", "shop")).toBe(false);
    expect(looksLikeSideDatabase("shop", "shop")).toBe(false);
  });

  it.each(["", "A", "a b", "a".repeat(41)])("refuses the run name %j", (run) => {
    expect(() => sideDatabaseName("shop", run)).toThrow(UsageError);
  });
});
