import { describe, expect, it } from "vitest";
import { Xxh32, xxh32 } from "./xxh32.ts";

describe("XXH32", () => {
  it.each([
    ["", 0x02cc5d05],
    ["a", 0x550d7456],
    ["abc", 0x32d153ff],
  ])("of %j is the published value", (text, hash) => {
    expect(xxh32(Buffer.from(text))).toBe(hash);
  });

  it("does not depend on how the bytes come in", () => {
    const bytes = Buffer.from(Array.from({ length: 200 }, (_, index) => (index * 31) % 256));
    const whole = xxh32(bytes);
    for (const step of [1, 3, 15, 16, 17, 64]) {
      const hash = new Xxh32();
      for (let at = 0; at < bytes.length; at += step) {
        hash.update(bytes.subarray(at, at + step));
      }
      expect(hash.digest()).toBe(whole);
    }
  });
});
