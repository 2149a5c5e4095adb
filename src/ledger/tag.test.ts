import { createSecretKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { deriveTagKey, phoneTagDigits, sipHash24, tagMaterial, tagOf } from "./tag.ts";

/** The SipHash authors' 64 vectors: key 00..0f, message 00..(n-1), output as the 8 little-endian bytes. */
const VECTORS = [
  "310e0edd47db6f72 fd67dc93c539f874 5a4fa9d909806c0d 2d7efbd796666785",
  "b7877127e09427cf 8da699cd64557618 cee3fe586e46c9cb 37d1018bf50002ab",
  "6224939a79f5f593 b0e4a90bdf82009e f3b9dd94c5bb5d7a a7ad6b22462fb3f4",
  "fbe50e86bc8f1e75 903d84c02756ea14 eef27a8e90ca23f7 e545be4961ca29a1",
  "db9bc2577fcc2a3f 9447be2cf5e99a69 9cd38d96f0b3c14b bd6179a71dc96dbb",
  "98eea21af25cd6be c7673b2eb0cbf2d0 883ea3e395675393 c8ce5ccd8c030ca8",
  "94af49f6c650adb8 eab8858ade92e1bc f315bb5bb835d817 adcf6b0763612e2f",
  "a5c91da7acaa4dde 716595876650a2a6 28ef495c53a387ad 42c341d8fa92d832",
  "ce7cf2722f512771 e37859f94623f3a7 381205bb1ab0e012 ae97a10fd434e015",
  "b4a31508beff4d31 81396229f0907902 4d0cf49ee5d4dcca 5c73336a76d8bf9a",
  "d0a704536ba93e0e 925958fcd6420cad a915c29bc8067318 952b79f3bc0aa6d4",
  "f21df2e41d4535f9 87577519048f53a9 10a56cf5dfcd9adb eb75095ccd986cd0",
  "51a9cb9ecba312e6 96afadfc2ce666c7 72fe52975a4364ee 5a1645b276d592a1",
  "b274cb8ebf87870a 6f9bb4203de7b381 eaecb2a30b22a87f 9924a43cc1315724",
  "bd838d3aafbf8db7 0b1a2a3265d51aea 135079a3231ce660 932b2846e4d70666",
  "e1915f5cb1eca46c f325965ca16d629f 575ff28e60381be5 724506eb4c328a95",
].flatMap((line) => line.split(" "));

const key = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");

function littleEndianHex({ high, low }: { high: number; low: number }): string {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(low, 0);
  out.writeUInt32LE(high, 4);
  return out.toString("hex");
}

describe("SipHash-2-4", () => {
  test.each(VECTORS.map((expected, length) => ({ length, expected })))("vector of $length bytes", (vector) => {
    const message = Buffer.from(Array.from({ length: vector.length }, (_, index) => index));
    expect(littleEndianHex(sipHash24(key, message))).toBe(vector.expected);
  });

  test("message bytes above 0x7f and lengths above 255", () => {
    // openssl mac -macopt size:8 -macopt hexkey:0001..0f SIPHASH over 300 bytes of 0xff
    expect(littleEndianHex(sipHash24(key, Buffer.alloc(300, 0xff)))).toBe("ab6eb63682d695dc");
  });
});

describe("tagOf", () => {
  test("is the low half, unsigned", () => {
    const message = Buffer.from("jan@voorbeeld.nl");
    expect(tagOf(key, message)).toBe(sipHash24(key, message).low);
    expect(tagOf(key, message)).toBeGreaterThanOrEqual(0);
  });

  test("covers the first bytes only, where a length is given", () => {
    expect(tagOf(key, Buffer.from("901,garbage"), 3)).toBe(tagOf(key, Buffer.from("901")));
  });
});

describe("tagMaterial", () => {
  test("of a phone number is its last seven digits", () => {
    expect(tagMaterial("phone", "+31612345678")).toBe("2345678");
  });

  test("of a phone number with fewer digits never holds the plus", () => {
    expect(tagMaterial("phone", "+29051")).toBe("29051");
  });

  test("of other types is the value", () => {
    expect(tagMaterial("email", "jan@voorbeeld.nl")).toBe("jan@voorbeeld.nl");
    expect(tagMaterial("customer_no", "+31612345678")).toBe("+31612345678");
  });
});

describe("phoneTagDigits", () => {
  test.each(["0612345678", "06-1234 5678", "+31 (0)6 12345678", "0031612345678", "31612345678", "(06) 12.34.56/78"])(
    "takes the short way for %j",
    (raw) => {
      expect(phoneTagDigits(raw)).toBe("2345678");
    },
  );

  test.each([
    "0612345678 x12",
    "0612345678;ext=5",
    "+49 (0)30 1234",
    "+54 2966 15 123456",
    "020 1234",
    "+31 020 1234",
    "\u0660612345678",
    "06+12345678",
    "",
  ])("leaves %j to the parser", (raw) => {
    expect(phoneTagDigits(raw)).toBeNull();
  });
});

describe("deriveTagKey", () => {
  const epoch = createSecretKey(Buffer.alloc(32, 7));

  test("gives 16 bytes that depend on type and epoch key", () => {
    const email = deriveTagKey(epoch, "email");
    expect(email).toHaveLength(16);
    expect(deriveTagKey(epoch, "email").equals(email)).toBe(true);
    expect(deriveTagKey(epoch, "phone").equals(email)).toBe(false);
    expect(deriveTagKey(createSecretKey(Buffer.alloc(32, 8)), "email").equals(email)).toBe(false);
  });
});
