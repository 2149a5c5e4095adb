import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { appendErase, appendEraseLines, type EraseReceipt } from "./erase.ts";
import { type EraseInput, parseEraseLine } from "./erase-input.ts";
import { appendAmend } from "./follow-up.ts";
import { formatInstant } from "./instant.ts";
import { KeySet } from "./key-set.ts";
import type { MemoryStore } from "./testing/memory-store.ts";
import { testKeySet } from "./testing/test-keys.ts";
import { days, minutes, requestId, START, writeLedger } from "./testing/test-ledger.ts";
import { TombstoneIndex } from "./tombstone-index.ts";
import { verifyLedger } from "./verify.ts";

const keys = testKeySet();
const now = minutes(5);

function verified(store: MemoryStore, with_ = keys) {
  return verifyLedger(store, with_, { now, maxStalenessMs: 60 * 60_000 });
}

async function collect(lines: readonly string[], store = writeLedger(keys, [])): Promise<EraseReceipt[]> {
  const receipts: EraseReceipt[] = [];
  for await (const receipt of appendEraseLines(store, keys, lines, now)) {
    receipts.push(receipt);
  }
  return receipts;
}

async function refusal(promise: Promise<unknown>): Promise<UsageError> {
  const error: unknown = await promise.then(
    () => new Error("not refused"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof UsageError) {
    return error;
  }
  throw error;
}

const full = {
  request_id: requestId(1),
  requested_at: "2026-11-20T09:00:00Z",
  cutoff_at: null,
  controller: "*",
  keys: { account_id: ["901"], email: ["Jan@Voorbeeld.nl", "jan@voorbeeld.nl"], phone: ["0612345678"] },
  scopes: { reviews: "delete" },
  recipients: ["provider-17"],
} as const satisfies EraseInput;

describe("a request", () => {
  test("as in the design is recorded, and found by every spelling of its identifiers", async () => {
    const store = writeLedger(keys, []);
    const receipt = await appendErase(store, keys, full, now);
    expect(receipt).toEqual({
      request_id: requestId(1),
      seq: 1,
      recorded: "new",
      requested_at: "2026-11-20T09:00:00.000Z",
      keys: { account_id: 1, email: 1, phone: 1 },
      scopes: [
        { scope: "identity", action: "delete", effective_at: formatInstant(START) },
        { scope: "reviews", action: "delete", effective_at: formatInstant(START) },
        { scope: "uploads", action: "delete", effective_at: formatInstant(START) },
        { scope: "provider_contact", action: "delete", effective_at: formatInstant(days(30)) },
      ],
    });
    const { requests } = await verified(store);
    expect(requests[0]).toMatchObject({ requestedAt: START, cutoffAt: START, controller: "*" });
    const index = TombstoneIndex.build(requests, keys);
    expect(index.lookup("email", "jan@voorbeeld.nl")).toEqual([0]);
    expect(index.lookup("account_id", "901")).toEqual([0]);
    expect(index.lookup("phone", "+31612345678")).toEqual([0]);
  });

  test("of keys alone takes its defaults", async () => {
    const store = writeLedger(keys, []);
    const receipt = await appendErase(store, keys, { keys: { account_id: ["901"] } }, now);
    expect(receipt.request_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(receipt.requested_at).toBe(formatInstant(now));
    const { requests } = await verified(store);
    expect(requests[0]).toMatchObject({ requestId: receipt.request_id, cutoffAt: now, controller: "*" });
  });

  test("is matched under its own controller", async () => {
    const store = writeLedger(keys, []);
    await appendErase(store, keys, { controller: "school-7", keys: { email: ["jan@voorbeeld.nl"] } }, now);
    await appendErase(store, keys, { keys: { email: ["jan@voorbeeld.nl"] } }, now);
    const { requests } = await verified(store);
    expect(new Set(requests.map((request) => request.keys[0]!.mac)).size).toBe(2);
    expect(TombstoneIndex.build(requests, keys).lookup("email", "jan@voorbeeld.nl")).toEqual([0, 1]);
  });

  test("in Bücher.NL is found as xn--bcher-kva.nl (scenario 9); j.an and jan are two people (scenario 10)", async () => {
    const store = writeLedger(keys, []);
    await appendErase(store, keys, { keys: { email: ["Jan@Bücher.NL", "j.an@gmail.com"] } }, now);
    const index = TombstoneIndex.build((await verified(store)).requests, keys);
    expect(index.lookup("email", "jan@xn--bcher-kva.nl")).toEqual([0]);
    expect(index.lookup("email", "jan@gmail.com")).toEqual([]);
  });
});

describe("the same request again", () => {
  test("is reported as recorded, and nothing is written", async () => {
    const store = writeLedger(keys, []);
    const first = await appendErase(store, keys, full, now);
    const size = store.objects.size;
    const reordered = {
      ...full,
      keys: { phone: ["+31 6 12345678"], email: ["jan@voorbeeld.nl"], account_id: ["0901"] },
    };
    expect(await appendErase(store, keys, reordered, minutes(6))).toEqual({ ...first, recorded: "already" });
    expect(store.objects.size).toBe(size);
  });

  test("without requested_at is the same at any later time, and under a later epoch", async () => {
    const store = writeLedger(keys, []);
    const input = { request_id: requestId(2).toUpperCase(), keys: { email: ["jan@voorbeeld.nl"] } };
    await appendErase(store, keys, input, now);
    expect(await appendErase(store, keys, input, minutes(9))).toMatchObject({ recorded: "already", seq: 1 });
    const two = testKeySet([1, 2]).parts;
    const rotated = new KeySet({
      ...keys.parts,
      hmac: new Map([...two.hmac, [1, keys.epochKey(1)]]),
      currentEpoch: 2,
    });
    expect(await appendErase(store, rotated, input, minutes(9))).toMatchObject({ recorded: "already", seq: 1 });
    expect(await appendErase(store, rotated, { keys: input.keys }, minutes(9))).toMatchObject({ recorded: "new" });
    const { requests } = await verified(store, rotated);
    expect(requests.map((request) => request.keys[0]!.epoch)).toEqual([1, 2]);
    expect(TombstoneIndex.build(requests, rotated).lookup("email", "jan@voorbeeld.nl")).toEqual([0, 1]);
  });

  test("after an amendment is still the same", async () => {
    const store = writeLedger(keys, []);
    await appendErase(store, keys, full, now);
    await appendAmend(store, keys, { request_id: full.request_id, keys: { account_id: ["902"] } }, now);
    expect(await appendErase(store, keys, full, now)).toMatchObject({ recorded: "already", seq: 1 });
  });

  test.each<[string, Partial<EraseInput>]>([
    ["other keys", { keys: { account_id: ["902"] } }],
    ["another time", { requested_at: "2026-11-20T08:00:00Z" }],
    ["another cut-off", { cutoff_at: "2026-11-20T08:00:00Z" }],
    ["other scopes", { scopes: {} }],
    ["other recipients", { recipients: [] }],
    ["another controller", { controller: "school-7" }],
  ])("with %s is refused", async (_name, change) => {
    const store = writeLedger(keys, []);
    await appendErase(store, keys, full, now);
    const error = await refusal(appendErase(store, keys, { ...full, ...change }, now));
    expect(error.code).toBe("duplicate_request");
    expect((await verified(store)).size).toBe(2);
  });
});

describe("a batch", () => {
  const line = (number: number) =>
    JSON.stringify({ request_id: requestId(number), keys: { account_id: [`${number}`] } });

  test("gives a receipt for each line, and passes over empty ones", async () => {
    const store = writeLedger(keys, []);
    const receipts = await collect([line(1), "", "  ", line(2)], store);
    expect(receipts.map(({ seq, request_id }) => [seq, request_id])).toEqual([
      [1, requestId(1)],
      [2, requestId(2)],
    ]);
    expect(await verified(store)).toMatchObject({ size: 3 });
  });

  test("with an unsound line records nothing", async () => {
    const store = writeLedger(keys, []);
    const error = await refusal(collect([line(1), line(2), '{"keys": {}}'], store));
    expect(error.message).toMatch(/^line 3, keys: /);
    expect((await verified(store)).size).toBe(1);
  });

  test("with one request twice is refused by both line numbers", async () => {
    const error = await refusal(collect([line(1), line(2), line(1)]));
    expect(error).toMatchObject({ code: "duplicate_request" });
    expect(error.message).toMatch(/line 3: line 1 /);
  });

  test("that its consumer leaves has recorded what it has given receipts for, checkpoint included", async () => {
    const store = writeLedger(keys, []);
    for await (const receipt of appendEraseLines(store, keys, [line(1), line(2), line(3)], now)) {
      if (receipt.seq === 2) {
        break;
      }
    }
    expect(await verified(store)).toMatchObject({ size: 3 });
    expect(JSON.parse(store.objects.get("head.json")!.toString())).toMatchObject({ size: 3 });
  });

  test("of nothing needs no ledger", async () => {
    expect(await collect(["", "\n"])).toEqual([]);
  });
});

describe("unsound input", () => {
  const secret = "geheim@voorbeeld.nl";
  test.each<[string, string, RegExp]>([
    ["no JSON", `{"keys": {"email": ["${secret}"`, /^line 7: it is not JSON/],
    ["a list", `["${secret}"]`, /^line 7: it is not a JSON object/],
    ["a text", `"${secret}"`, /^line 7: it is not a JSON object/],
    ["null", "null", /^line 7: it is not a JSON object/],
    ["no keys", "{}", /^line 7: it has no keys/],
    ["keys null", '{"keys": null}', /^line 7, keys: it is not a JSON object/],
    ["keys empty", '{"keys": {"email": []}}', /^line 7, keys: it holds 0 identifiers/],
    [
      "an unknown member",
      `{"keys": {"account_id": ["1"]}, "${secret}": 1}`,
      /^line 7: it has a member that is not known/,
    ],
    ["a member every object has", `{"keys": {"account_id": ["1"]}, "constructor": 1}`, /^line 7: it has a member that/],
    ["__proto__", `{"keys": {"account_id": ["1"]}, "__proto__": {"email": ["${secret}"]}}`, /^line 7: it has a member/],
    [
      "an identifier as key type",
      `{"keys": {"${secret}": ["1"]}}`,
      /^line 7, keys: it has a member that is no key type/,
    ],
    ["a single identifier", `{"keys": {"email": "${secret}"}}`, /^line 7, keys.email: it is not a list/],
    ["a number", '{"keys": {"account_id": [901]}}', /^line 7, keys.account_id\[0\]: it is not a text/],
    ["no e-mail address", '{"keys": {"email": ["a@b.nl", "geheim"]}}', /^line 7, keys.email\[1\]: no @ in it/],
    ["no phone number", '{"keys": {"phone": ["geheim"]}}', /^line 7, keys.phone\[0\]: not a phone number/],
    ["an empty identifier", '{"keys": {"account_id": [" "]}}', /^line 7, keys.account_id\[0\]: empty/],
    [
      "an identifier as request ID",
      `{"request_id": "${secret}", "keys": {"account_id": ["1"]}}`,
      /^line 7, request_id: /,
    ],
    [
      "a naive time",
      '{"requested_at": "2026-11-20T09:00:00", "keys": {"account_id": ["1"]}}',
      /^line 7, requested_at: /,
    ],
    ["no time", '{"cutoff_at": 5, "keys": {"account_id": ["1"]}}', /^line 7, cutoff_at: /],
    ["a request yet to come", '{"requested_at": "2026-11-20T09:10:01Z", "keys": {"account_id": ["1"]}}', /yet to come/],
    [
      "a cut-off yet to come",
      '{"cutoff_at": "2026-11-21T09:00:00Z", "keys": {"account_id": ["1"]}}',
      /cutoff_at: .*yet to/,
    ],
    ["an address as controller", `{"controller": "${secret}", "keys": {"account_id": ["1"]}}`, /^line 7, controller: /],
    [
      "an address as recipient",
      `{"recipients": ["${secret}"], "keys": {"account_id": ["1"]}}`,
      /^line 7, recipients\[0\]: /,
    ],
    [
      "an unknown scope",
      `{"scopes": {"${secret}": "delete"}, "keys": {"account_id": ["1"]}}`,
      /^line 7, scopes: it has/,
    ],
    [
      "an unknown action",
      '{"scopes": {"reviews": "geheim"}, "keys": {"account_id": ["1"]}}',
      /^line 7, scopes.reviews: /,
    ],
  ])("%s is refused by line and member, and not quoted", async (_name, line, message) => {
    const error = await refusal(collect([...Array.from({ length: 6 }, () => ""), line]));
    expect(error.code).toBe("erase_input");
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTypeOf("string");
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("geheim");
  });

  test("five minutes ahead is the most that a clock may be", async () => {
    const line = (at: Date) => JSON.stringify({ requested_at: at.toISOString(), keys: { account_id: ["1"] } });
    expect(await collect([line(minutes(10))])).toHaveLength(1);
    expect((await refusal(collect([line(new Date(minutes(10).getTime() + 1))]))).code).toBe("erase_input");
  });

  test("nulls stand for members left out", () => {
    expect(parseEraseLine('{"scopes": null, "recipients": null, "keys": {"account_id": ["1"]}}', 1)).toBeDefined();
  });

  test("more identifiers than anybody has is refused", async () => {
    const many = Array.from({ length: 1001 }, (_, number) => String(number));
    expect((await refusal(collect([JSON.stringify({ keys: { account_id: many } })]))).message).toMatch(
      /1001 identifiers/,
    );
  });
});

test("no identifier is in any stored byte or key, in any spelling", async () => {
  const store = writeLedger(keys, []);
  const canaries = ["kanarie-4711", "Kanarie@Voorbeeld.nl", "06-55512345", "klant-kanarie"];
  const [account, email, phone, custom] = canaries as [string, string, string, string];
  const input = { keys: { account_id: [account], email: [email], phone: [phone], customer_no: [custom] } };
  const { request_id } = await appendErase(store, keys, input, now);
  await appendAmend(store, keys, { request_id, keys: { email: ["Tweede.Kanarie@voorbeeld.nl"] } }, now);
  const stored = [...store.objects].map(([key, bytes]) => key + bytes.toString("latin1")).join("\n");
  for (const text of ["kanarie", "55512345", "+31655512345", "voorbeeld"]) {
    const bytes = Buffer.from(text);
    for (const form of [text, bytes.toString("base64").slice(0, -4), bytes.toString("hex")]) {
      expect(stored.toLowerCase()).not.toContain(form.toLowerCase());
    }
  }
});
