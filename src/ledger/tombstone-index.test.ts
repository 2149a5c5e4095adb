import { describe, expect, test } from "vitest";
import { LedgerRefused } from "../errors.ts";
import { canonOf } from "./canonical.ts";
import type { KeySet } from "./key-set.ts";
import { macOf } from "./mac.ts";
import type { ErasureRequest, KeyMac } from "./model.ts";
import { tagMaterial, tagOf } from "./tag.ts";
import { testKeySet } from "./testing/test-keys.ts";
import { TombstoneIndex } from "./tombstone-index.ts";

interface Identifier {
  readonly type: string;
  readonly value: string;
  readonly epoch?: number;
}

function keyMac(keys: KeySet, controller: string, { type, value, epoch = 1 }: Identifier): KeyMac {
  const tag = tagOf(keys.tagKey(epoch, type), Buffer.from(tagMaterial(type, value)));
  const mac = macOf(keys.epochKey(epoch), type, controller, value);
  return { type, epoch, canon: canonOf(type), mac: mac.toString("hex"), tag: tag.toString(16).padStart(8, "0") };
}

function request(keys: KeySet, seq: number, identifiers: readonly Identifier[], controller = "*"): ErasureRequest {
  const at = new Date("2026-11-20T09:00:00Z");
  const macs = identifiers.map((identifier) => keyMac(keys, controller, identifier));
  return { requestId: `request-${seq}`, seq, controller, requestedAt: at, cutoffAt: at, keys: macs, scopes: [] };
}

const jan = { type: "email", value: "jan@voorbeeld.nl" };

describe("lookup", () => {
  test("finds every request that holds the identifier, in order, once", () => {
    const keys = testKeySet();
    const requests = [
      request(keys, 1, [jan, { type: "account_id", value: "901" }]),
      request(keys, 2, [{ type: "email", value: "els@voorbeeld.nl" }]),
      request(keys, 3, [jan, jan]),
    ];
    const index = TombstoneIndex.build(requests, keys);
    expect(index.lookup("email", "jan@voorbeeld.nl")).toEqual([0, 2]);
    expect(index.lookup("email", "els@voorbeeld.nl")).toEqual([1]);
    expect(index.lookup("account_id", "901")).toEqual([0]);
    expect(index.lookup("email", "piet@voorbeeld.nl")).toEqual([]);
    expect(index.lookup("phone", "+31612345678")).toEqual([]);
    expect(index.lookup("email", "901")).toEqual([]);
  });

  test("tells apart phone numbers that share their tag", () => {
    const keys = testKeySet();
    const index = TombstoneIndex.build([request(keys, 1, [{ type: "phone", value: "+31612345678" }])], keys);
    expect(index.lookup("phone", "+31612345678")).toEqual([0]);
    expect(index.lookup("phone", "+31202345678")).toEqual([]);
  });

  test("matches under every epoch", () => {
    const keys = testKeySet([1, 2]);
    const requests = [request(keys, 1, [jan]), request(keys, 2, [{ ...jan, epoch: 2 }])];
    const index = TombstoneIndex.build(requests, keys);
    expect(index.lookup("email", jan.value)).toEqual([0, 1]);
    expect(index.tagKeys("email").map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  test("matches requests of several controllers", () => {
    const keys = testKeySet();
    const requests = [
      request(keys, 1, [jan], "school-7"),
      request(keys, 2, [jan]),
      request(keys, 3, [jan], "school-8"),
    ];
    expect(TombstoneIndex.build(requests, keys).lookup("email", jan.value)).toEqual([0, 1, 2]);
  });

  test("of non-ASCII and of long values", () => {
    const keys = testKeySet();
    const long = { type: "customer_no", value: "x".repeat(5000) };
    const accented = { type: "email", value: "ren\u00e9@voorbeeld.nl" };
    const index = TombstoneIndex.build([request(keys, 1, [long, accented])], keys);
    expect(index.lookup("customer_no", long.value)).toEqual([0]);
    expect(index.lookup("customer_no", long.value.slice(1))).toEqual([]);
    expect(index.lookup("email", accented.value)).toEqual([0]);
  });

  test("in a table that is large enough to have chains", () => {
    const keys = testKeySet();
    const id = (value: number) => ({ type: "account_id", value: String(value) });
    const requests = Array.from({ length: 2000 }, (_, ordinal) => request(keys, ordinal, [id(ordinal)]));
    const index = TombstoneIndex.build(requests, keys);
    for (let ordinal = 0; ordinal < 2000; ordinal++) {
      expect(index.lookup("account_id", String(ordinal))).toEqual([ordinal]);
      expect(index.lookup("account_id", String(ordinal + 2000))).toEqual([]);
    }
  });
});

describe("add", () => {
  test("makes a resolved identifier match like one of the ledger, and says whether it was new", () => {
    const keys = testKeySet();
    const requests = [request(keys, 1, [{ type: "account_id", value: "901" }]), request(keys, 2, [jan], "school-7")];
    const index = TombstoneIndex.build(requests, keys);
    expect(index.add("email", "els@voorbeeld.nl", 0)).toBe(true);
    expect(index.add("email", "els@voorbeeld.nl", 0)).toBe(false);
    expect(index.add("email", "els@voorbeeld.nl", 1)).toBe(true);
    expect(index.add("email", jan.value, 1)).toBe(false);
    expect(index.lookup("email", "els@voorbeeld.nl")).toEqual([0, 1]);
  });

  test("brings in a type that the ledger does not hold", () => {
    const keys = testKeySet([1, 2]);
    const index = TombstoneIndex.build([request(keys, 1, [jan])], keys);
    expect(index.types()).toEqual(["email"]);
    index.add("phone", "+31612345678", 0);
    expect(index.types()).toEqual(["email", "phone"]);
    expect(index.lookup("phone", "+31612345678")).toEqual([0]);
    expect(index.tagKeys("phone").map(({ epoch }) => epoch)).toEqual([2]);
  });

  test("survives the growth of its table", () => {
    const keys = testKeySet();
    const index = TombstoneIndex.build([request(keys, 1, [jan])], keys);
    for (let number = 0; number < 5000; number++) {
      index.add("email", `persoon${number}@voorbeeld.nl`, 0);
    }
    expect(index.tags("email", 1)).toHaveLength(5001);
    for (let number = 0; number < 5000; number++) {
      expect(index.lookup("email", `persoon${number}@voorbeeld.nl`)).toEqual([0]);
    }
    expect(index.lookup("email", jan.value)).toEqual([0]);
  });

  test("refuses an ordinal that no request has", () => {
    const keys = testKeySet();
    expect(() => TombstoneIndex.build([], keys).add("email", jan.value, 0)).toThrow(RangeError);
  });
});

describe("tags", () => {
  test("are what a scan computes under the tag key", () => {
    const keys = testKeySet();
    const index = TombstoneIndex.build([request(keys, 1, [jan, { type: "phone", value: "+31612345678" }])], keys);
    const [email] = index.tagKeys("email");
    const [phone] = index.tagKeys("phone");
    expect([...index.tags("email", 1)]).toEqual([tagOf(email!.key, Buffer.from(jan.value))]);
    expect([...index.tags("phone", 1)]).toEqual([tagOf(phone!.key, Buffer.from("2345678"))]);
    expect(index.tags("email", 2)).toHaveLength(0);
    expect(index.tags("customer_no", 1)).toHaveLength(0);
    expect(index.tagKeys("customer_no")).toEqual([]);
  });
});

describe("build refuses", () => {
  test("requests of an epoch whose key is missing", () => {
    const requests = [request(testKeySet([1, 2]), 4, [{ ...jan, epoch: 2 }])];
    expect(() => TombstoneIndex.build(requests, testKeySet([1]))).toThrowError(
      expect.objectContaining({ code: "ledger_key" }),
    );
    expect(() => TombstoneIndex.build(requests, testKeySet([1]))).toThrow(LedgerRefused);
  });

  test("a canonical form it does not know", () => {
    const keys = testKeySet();
    const known = request(keys, 4, [jan]);
    const newer = { ...known, keys: known.keys.map((key) => ({ ...key, canon: "email/2" })) };
    expect(() => TombstoneIndex.build([newer], keys)).toThrowError(expect.objectContaining({ code: "ledger_canon" }));
  });
});
