import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../../errors.ts";
import { Cursor, Shortage } from "./cursor.ts";
import { intBytes, offsetBytes, stringBytes } from "./primitives.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("ints", () => {
  it.each([
    ["00 00 00 00 00", 0],
    ["00 41 0E 00 00", 3649],
    ["01 01 00 00 00", -1], // trap 5: not two's complement
    ["01 00 D8 94 11", -294967296], // trap 4: OID 4000000000 as a C int
    ["01 00 00 00 80", -2147483648], // OID 2147483648
    ["00 FF FF FF 7F", 2147483647],
  ])("%s is %d and is written the same", (bytes, value) => {
    expect(new Cursor(hex(bytes), 0).int()).toBe(value);
    expect(intBytes(value)).toEqual(hex(bytes));
  });

  it("brings OIDs from 2^31 on back (trap 4)", () => {
    for (const oid of [4_000_000_000, 2_147_483_648, 4_294_967_295]) {
      expect(new Cursor(intBytes(oid), 0).int() >>> 0).toBe(oid);
    }
  });

  it("honours the header's int size", () => {
    expect(new Cursor(hex("01 05"), 0, { intSize: 1, offsetSize: 8 }).int()).toBe(-5);
    expect(new Cursor(hex("00 05 00 00 00 00 00 00 00"), 0, { intSize: 8, offsetSize: 8 }).int()).toBe(5);
  });

  it("refuses what does not fit 32 bits, with its absolute offset", () => {
    const cursor = new Cursor(hex("FF 00 00 00 00 00 01 00 00 00"), 100, { intSize: 8, offsetSize: 8 });
    cursor.byte();
    expect(() => cursor.int()).toThrow(/beyond 32 bits at byte 101/);
  });
});

describe("strings", () => {
  it("keeps NULL and empty apart (trap 5)", () => {
    expect(new Cursor(hex("01 01 00 00 00"), 0).string()).toBeNull();
    expect(new Cursor(hex("00 00 00 00 00"), 0).string()).toEqual(Buffer.alloc(0));
    expect(stringBytes(null)).toEqual(hex("01 01 00 00 00"));
    expect(stringBytes("")).toEqual(hex("00 00 00 00 00"));
  });

  it("asks for as many bytes as it needs, without allocating them (trap 12)", () => {
    const cursor = new Cursor(hex("00 00 65 CD 1D 41"), 0); // 500,000,000 bytes declared, one there
    expect(() => cursor.string()).toThrow(expect.objectContaining({ needed: 500_000_005 }) as Error);
  });

  it("refuses a length that no string can have", () => {
    expect(() => new Cursor(hex("00 FF FF FF 7F"), 7).string()).toThrow(/string of 2147483647 bytes at byte 7/);
  });
});

describe("offsets", () => {
  it.each([1, 2, 3] as const)("reads state %d", (state) => {
    expect(new Cursor(offsetBytes(state, 33351), 0).storedOffset()).toEqual({ state, position: 33351 });
  });

  it("has no sign byte and honours the offset size", () => {
    const cursor = new Cursor(hex("02 FF 00 00 01"), 0, { intSize: 4, offsetSize: 4 });
    expect(cursor.storedOffset()).toEqual({ state: 2, position: 0x010000ff });
  });

  it("refuses any other state", () => {
    expect(() => new Cursor(offsetBytes(1, 0).fill(4, 0, 1), 9).storedOffset()).toThrow(ArchiveDamaged);
  });

  it("reports a shortage at every cut", () => {
    const whole = offsetBytes(2, 5);
    for (let length = 0; length < whole.length; length++) {
      expect(() => new Cursor(whole.subarray(0, length), 0).storedOffset()).toThrow(Shortage);
    }
  });
});
