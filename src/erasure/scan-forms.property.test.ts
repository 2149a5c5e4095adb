/**
 * The scan kernel's fast paths against the ledger's canonical forms: whatever the spelling, a value whose canonical form is
 * a tombstone is a candidate, and a plain value that is none is not.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeField } from "../copy/fields.ts";
import { type FieldForm, RowKernel } from "../copy/row-kernel.ts";
import { canonicalise } from "../ledger/canonical.ts";
import { tagMaterial, tagOf } from "../ledger/tag.ts";

const tagKey = Buffer.from("0123456789abcdef");
const kernel = new RowKernel();
const other = kernel.tagTable(Uint32Array.of(1));

function isCandidate(form: FieldForm, value: string, tag: number | null): boolean {
  const table = tag === null ? other : kernel.tagTable(Uint32Array.of(tag));
  const row = Buffer.concat([escapeField(Buffer.from(value)), Buffer.from("\tx\n")]);
  return kernel.scan(row, 2, [{ column: 0, form, tagKey, table }]).candidates.length > 0;
}

function neverMissed(type: string, form: FieldForm, value: string): void {
  const canonical = canonicalise(type, value);
  if (!canonical.ok) return;
  const tag = tagOf(tagKey, Buffer.from(tagMaterial(type, canonical.value)));
  expect(isCandidate(form, value, tag)).toBe(true);
}

const ascii = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });
const label = fc.stringMatching(/^[A-Za-z0-9_.-]{0,12}$/);
const address = fc
  .tuple(fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,70}$/), label, label)
  .map(([a, b, c]) => `${a}@${b}.${c}`);
const digits = fc.stringMatching(/^[+]?[0-9 ().\-/]{5,20}$/);
const dutch = fc
  .tuple(
    fc.constantFrom("06", "+316", "0031 6 ", "020", "+31 (0)20", "020-", "(020) "),
    fc.stringMatching(/^[0-9]{3}[ -]?[0-9]{4,5}$/),
  )
  .map(([prefix, rest]) => prefix + rest);
const idLike = fc.oneof(
  fc.stringMatching(/^[+-]?[0-9]{1,24}$/),
  fc.uuid(),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.uuid().map((id) => `{${id.replaceAll("-", "")}}`),
  fc.stringMatching(/^[0-9a-fA-F-]{30,40}$/),
  fc.stringMatching(/^[A-Za-z0-9._-]{1,40}$/),
  ascii,
);

describe("no spelling of a tombstone slips past the scan", () => {
  it.each<readonly [string, FieldForm, fc.Arbitrary<string>]>([
    [
      "email",
      "email",
      fc.oneof(
        address,
        fc.emailAddress(),
        ascii,
        fc.string({ unit: "grapheme" }).map((text) => `${text}@Bücher.NL`),
      ),
    ],
    ["account_id", "account_id", fc.oneof(idLike, fc.string({ unit: "grapheme" }))],
    ["phone", "phone", fc.oneof(dutch, digits, ascii)],
    ["member_no", "text", fc.oneof(ascii, fc.string({ unit: "grapheme" }))],
  ])("%s", (type, form, values) => {
    fc.assert(
      fc.property(values, (value) => neverMissed(type, form, value)),
      { numRuns: 3000 },
    );
  });

  it("and ordinary values that are no tombstones are ruled out without JavaScript", () => {
    for (const email of [
      "jan.de.vries@voorbeeld.nl",
      "A.B+c@Example.CO.UK",
      "x_1@a-b.nl",
      "j@localhost",
      "noaddress",
    ]) {
      expect(isCandidate("email", email, null), email).toBe(false);
    }
    for (const id of ["1", "9223372036854775807", "0b5a5a2e-5f0c-4d59-9d62-6ad6ba0cb4ce", "usr_8F3k"]) {
      expect(isCandidate("account_id", id, null), id).toBe(false);
    }
    for (const phone of ["0612345678", "+31612345678", "0031 6 12 34 56 78", "(020) 123-4567", "06/12345678"]) {
      expect(isCandidate("phone", phone, null), phone).toBe(false);
    }
    expect(isCandidate("text", "membership 12", null)).toBe(false);
  });
});
