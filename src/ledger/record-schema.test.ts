import { describe, expect, test } from "vitest";
import type { LedgerRecord } from "./model.ts";
import { damagedMember } from "./record-schema.ts";
import { requestId } from "./testing/test-ledger.ts";

const at = "2026-11-20T09:00:00.000Z";
const frame = {
  v: 1,
  ledger_id: "test",
  seq: 1,
  recorded_at: at,
  prev_hash: "ab".repeat(32),
  sigs: [{ kid: "0123456789abcdef", alg: "Ed25519", sig: `${"A".repeat(86)}==` }],
} as const;
const key = { type: "email", epoch: 1, canon: "email/1", mac: "ab".repeat(32), tag: "0123abcd" };
const scope = { scope: "identity", action: "delete", effective_at: at } as const;
const erase: LedgerRecord = {
  ...frame,
  type: "erase",
  request_id: requestId(1),
  controller: "*",
  requested_at: at,
  cutoff_at: at,
  keys: [key],
  scopes: [scope],
};

describe("sound records", () => {
  test.each<[string, object]>([
    ["erase", erase],
    ["erase with recipients", { ...erase, recipients: [{ provider: "provider-17", notified_at: at }] }],
    ["genesis", { ...frame, type: "genesis", seq: 0 }],
    ["heartbeat", { ...frame, type: "heartbeat" }],
    ["key_epoch", { ...frame, type: "key_epoch" }],
    ["restore", { ...frame, type: "restore" }],
    ["amend", { ...frame, type: "amend", request_id: requestId(1), requested_at: at, scopes: [scope] }],
    ["withdraw", { ...frame, type: "withdraw", request_id: requestId(1), scopes: [scope] }],
    [
      "release",
      { ...frame, type: "release", request_id: requestId(1), recipients: [{ provider: "p", released_at: at }] },
    ],
  ])("%s", (_name, record) => {
    expect(damagedMember(record)).toBeNull();
  });
});

describe("damaged records", () => {
  const { keys: _keys, ...keyless } = erase;
  test.each<[string, unknown]>([
    ["null", null],
    ["a list", [erase]],
    ["of no type", { ...frame }],
    ["of an unknown type", { ...erase, type: "forget" }],
    ["of a type that every object has", { ...frame, type: "constructor" }],
    ["without keys", keyless],
    ["with no keys", { ...erase, keys: [] }],
    ["with a member too many", { ...erase, note: "jan" }],
    ["with a member of another type", { ...frame, type: "heartbeat", keys: [key] }],
    ["with a member too many in a key", { ...erase, keys: [{ ...key, value: "jan" }] }],
    ["with a short MAC", { ...erase, keys: [{ ...key, mac: "ab" }] }],
    ["with an upper-case MAC", { ...erase, keys: [{ ...key, mac: "AB".repeat(32) }] }],
    ["with epoch 0", { ...erase, keys: [{ ...key, epoch: 0 }] }],
    ["with a long tag", { ...erase, keys: [{ ...key, tag: "0123abcd0" }] }],
    ["with an address as controller", { ...erase, controller: "jan@voorbeeld.nl" }],
    ["with an address as recipient", { ...erase, recipients: [{ provider: "jan@voorbeeld.nl" }] }],
    ["with an address as request ID", { ...erase, request_id: "jan@voorbeeld.nl" }],
    ["with a naive time", { ...erase, cutoff_at: "2026-11-20T09:00:00.000" }],
    ["with a time in another zone", { ...erase, requested_at: "2026-11-20T10:00:00+01:00" }],
    ["with an unknown action", { ...erase, scopes: [{ ...scope, action: "hash" }] }],
    ["without signature", { ...erase, sigs: [] }],
    ["with a short signature", { ...erase, sigs: [{ ...frame.sigs[0], sig: "AA==" }] }],
    ["with another algorithm", { ...erase, sigs: [{ ...frame.sigs[0], alg: "none" }] }],
    ["with a negative number", { ...erase, seq: -1 }],
    ["with a fractional number", { ...erase, seq: 1.5 }],
    ["of another version", { ...erase, v: 2 }],
    ["a genesis later on", { ...frame, type: "genesis" }],
    ["no genesis at the start", { ...erase, seq: 0 }],
  ])("%s", (_name, record) => {
    const damaged = damagedMember(record);
    expect(damaged).toBeTypeOf("string");
    expect(damaged).not.toContain("jan");
    expect(damaged).not.toContain("note");
  });
});
