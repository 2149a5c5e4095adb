import { describe, expect, test } from "vitest";
import { type CanonicalForm, canonicalise, canonOf, loadPhoneForms } from "./canonical.ts";

function valueIn(form: CanonicalForm): string {
  return form.ok ? form.value : `refused: ${form.reason}`;
}

function canonical(type: string, raw: string): string {
  return valueIn(canonicalise(type, raw));
}

describe("email/1", () => {
  test.each([
    ["jan@voorbeeld.nl", "jan@voorbeeld.nl"],
    ["Jan@Voorbeeld.NL", "jan@voorbeeld.nl"],
    ["  jan@voorbeeld.nl\t\n", "jan@voorbeeld.nl"],
    ["jan+cursus@voorbeeld.nl", "jan+cursus@voorbeeld.nl"],
    ["Jan@Bücher.NL", "jan@xn--bcher-kva.nl"],
    ["jan@XN--BCHER-KVA.nl", "jan@xn--bcher-kva.nl"],
    ["jan@bu\u0308cher.nl", "jan@xn--bcher-kva.nl"],
    ["rene\u0301@voorbeeld.nl", "ren\u00e9@voorbeeld.nl"],
    ["REN\u00c9@voorbeeld.nl", "ren\u00e9@voorbeeld.nl"],
    ["jan@voorbeeld.nl.", "jan@voorbeeld.nl"],
    ["jan@voorbeeld。nl", "jan@voorbeeld.nl"],
    ['"jan@thuis"@voorbeeld.nl', '"jan@thuis"@voorbeeld.nl'],
    ["o'brien@voorbeeld.nl", "o'brien@voorbeeld.nl"],
    ["jan@localhost", "jan@localhost"],
  ])("%j", (raw, expected) => {
    expect(canonicalise("email", raw)).toEqual({ ok: true, canon: "email/1", value: expected });
  });

  test("dots of the local part are kept: j.an and jan are two people (ERASURE §4, scenario 10)", () => {
    expect(canonical("email", "j.an@gmail.com")).not.toBe(canonical("email", "jan@gmail.com"));
  });

  test.each([
    "",
    "   ",
    "jan",
    "@voorbeeld.nl",
    "jan@",
    "jan@voor beeld.nl",
    "jan@voorbeeld.nl/pad",
    "jan@voorbeeld.nl?x",
    "jan@voorbeeld.nl#x",
    "jan@voor%62eeld.nl",
    "jan@voor\tbeeld.nl",
    "jan@voorbeeld.nl\\x",
    "jan@xn--zzzz.nl",
    "Jan <jan@voorbeeld.nl>",
  ])("refuses %j, and does not quote it", (raw) => {
    const form = canonicalise("email", raw);
    expect(form.ok).toBe(false);
    expect(form).not.toHaveProperty("reason", expect.stringMatching(/jan|voor/i));
  });
});

describe("phone/1", () => {
  test.each([
    "0612345678",
    "06-12 34 56 78",
    "(06)12345678",
    "+31 6 12345678",
    "+31 (0)6 12345678",
    "0031612345678",
    "31612345678",
    "tel:+31612345678",
    "0612345678 x12",
    "\u202a+31 6 1234\u00a05678\u202c",
    "\u0660\u0666\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
  ])("%j", (raw) => {
    expect(canonicalise("phone", raw)).toEqual({ ok: true, canon: "phone/1", value: "+31612345678" });
  });

  test("a number of another country keeps its code", () => {
    expect(canonical("phone", "+49 30 901820")).toBe("+4930901820");
  });

  test("the default region can be another", () => {
    expect(valueIn(canonicalise("phone", "030 901820", { region: "DE" }))).toBe("+4930901820");
    expect(valueIn(canonicalise("phone", "030 9018200", { region: "NL" }))).toBe("+31309018200");
  });

  test.each(["", "thuis", "112", "06123", "0612345678 thuis", "+31612345678/0201234567", "9".repeat(65)])(
    "refuses %j",
    (raw) => {
      expect(canonicalise("phone", raw)).toEqual({ ok: false, reason: "not a phone number" });
    },
  );

  test("gives the same answer from its cache, and after its cache was emptied", async () => {
    await loadPhoneForms();
    const first = canonicalise("phone", "0201234567");
    expect(canonicalise("phone", "0201234567")).toEqual(first);
    for (let subscriber = 0; subscriber < 4200; subscriber++) {
      canonicalise("phone", `06${10_000_000 + subscriber}`);
    }
    expect(canonicalise("phone", "0201234567")).toEqual(first);
  });
});

describe("account_id/1", () => {
  const uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  test.each([
    ["901", "901"],
    [" 901 ", "901"],
    ["000901", "901"],
    ["+901", "901"],
    ["0", "0"],
    ["-0", "0"],
    ["-007", "-7"],
    ["9007199254740993000", "9007199254740993000"],
    [uuid, uuid],
    ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", uuid],
    ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", uuid],
    ["a0eebc999c0b4ef8bb6d6bb9bd380a11", uuid],
    ["{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}", uuid],
    ["urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", uuid],
    ["12345678123456781234567812345678", "12345678-1234-5678-1234-567812345678"],
    ["{a0eebc999c0b4ef8bb6d6bb9bd380a11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11"],
    ["901a", "901a"],
    ["Acc-1", "Acc-1"],
    ["1.0", "1.0"],
  ])("%j", (raw, expected) => {
    expect(canonicalise("account_id", raw)).toEqual({ ok: true, canon: "account_id/1", value: expected });
  });

  test("refuses nothing but blanks", () => {
    expect(canonicalise("account_id", " \t")).toEqual({ ok: false, reason: "empty" });
  });
});

describe("text/1", () => {
  test("is trimmed and composed, and otherwise exact", () => {
    expect(canonicalise("customer_no", " Ame\u0301-007 ")).toEqual({
      ok: true,
      canon: "text/1",
      value: "Am\u00e9-007",
    });
    expect(canonicalise("customer_no", " ").ok).toBe(false);
  });
});

test("canonOf names the form that canonicalise gives", () => {
  expect(["email", "phone", "account_id", "customer_no"].map(canonOf)).toEqual([
    "email/1",
    "phone/1",
    "account_id/1",
    "text/1",
  ]);
});
