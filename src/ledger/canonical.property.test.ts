import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalise, canonOf } from "./canonical.ts";
import { phoneTagDigits, tagMaterial } from "./tag.ts";

const types = fc.constantFrom("email", "phone", "account_id", "customer_no");
const digitsLike = fc.stringMatching(/^(\+31|0031|\+|00|0)?[0-9 ()-]{5,16}$/);
const emailLike = fc
  .tuple(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), fc.string({ unit: "grapheme", maxLength: 12 }))
  .map(([local, domain]) => `${local}@${domain}`);
const values = fc.oneof(
  fc.string({ unit: "binary" }),
  emailLike,
  fc.emailAddress(),
  digitsLike,
  fc.uuid(),
  fc.bigInt().map(String),
  fc.stringMatching(/^[+-]?0{0,3}[0-9]{31,33}$/),
);

describe("canonical forms", () => {
  test("are idempotent", () => {
    fc.assert(
      fc.property(types, values, (type, raw) => {
        const once = canonicalise(type, raw);
        if (once.ok) {
          expect(canonicalise(type, once.value)).toEqual(once);
          expect(once.canon).toBe(canonOf(type));
        }
      }),
      { numRuns: 3000, examples: [["phone", "009800)()00"]] },
    );
  });

  test("surrounding blanks and the case of an address do not matter", () => {
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        expect(canonicalise("email", ` ${address.toUpperCase()}\n`)).toEqual(canonicalise("email", address));
      }),
    );
  });

  test("plain addresses take the short way to the same form as the long way", () => {
    const plain = fc.stringMatching(/^[\w.+-]{1,9}@([a-zA-Z0-9-]{1,6}\.){1,2}[a-zA-Z0-9-]{1,5}$/);
    fc.assert(
      fc.property(plain, (address) => {
        // A leading blank keeps an address off the short way.
        expect(canonicalise("email", address)).toEqual(canonicalise("email", ` ${address}`));
      }),
      { numRuns: 3000 },
    );
  });

  test("a phone number's short way to its tag gives the tag of its canonical form", () => {
    fc.assert(
      fc.property(digitsLike, (raw) => {
        const form = canonicalise("phone", raw);
        const short = phoneTagDigits(raw);
        if (form.ok && short !== null) {
          expect(tagMaterial("phone", form.value)).toBe(short);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
