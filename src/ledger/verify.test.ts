import { describe, expect, test } from "vitest";
import { LedgerChain } from "./chain.ts";
import { buildCheckpoint, CHECKPOINT_KEY } from "./checkpoint.ts";
import { formatInstant } from "./instant.ts";
import { KeySet } from "./key-set.ts";
import { readLedger, recordKey } from "./read.ts";
import { buildRecord, parseRecord, type RecordDraft, type StoredRecord } from "./record.ts";
import { MemoryStore } from "./testing/memory-store.ts";
import { testKeySet } from "./testing/test-keys.ts";
import { heartbeats, minutes, requestId, writeLedger } from "./testing/test-ledger.ts";
import { type VerifyOptions, verifyLedger } from "./verify.ts";

const keys = testKeySet();

const erase: RecordDraft = {
  type: "erase",
  request_id: requestId(1),
  controller: "*",
  requested_at: formatInstant(minutes(1)),
  cutoff_at: formatInstant(minutes(1)),
  keys: [{ type: "email", epoch: 1, canon: "email/1", mac: "ab".repeat(32), tag: "0123abcd" }],
  scopes: [{ scope: "identity", action: "delete", effective_at: formatInstant(minutes(1)) }],
};

/** Ten records, the last of them recorded at `minutes(9)`, all covered by the checkpoint. */
const drafts = [erase, ...heartbeats(8)];

function verified(store: MemoryStore, options: Partial<VerifyOptions> = {}, with_ = keys) {
  return verifyLedger(store, with_, { now: minutes(10), maxStalenessMs: 15 * 60_000, ...options });
}

async function refusalOf(store: MemoryStore, options: Partial<VerifyOptions> = {}, with_ = keys): Promise<string> {
  return verified(store, options, with_).then(
    () => "accepted",
    (error: unknown) =>
      error instanceof Error && "code" in error ? String(error.code) : `no refusal: ${String(error)}`,
  );
}

/** Replaces a record by one that is soundly signed. */
function rewrite(store: MemoryStore, seq: number, change: (record: StoredRecord["record"]) => object, by = keys): void {
  const { record } = parseRecord(store.objects.get(recordKey(seq))!, seq);
  const {
    v: _v,
    ledger_id: _id,
    seq: _seq,
    recorded_at,
    prev_hash,
    sigs: _sigs,
    ...draft
  } = {
    ...record,
    ...change(record),
  };
  const stored = buildRecord(draft, { seq, prevHash: prev_hash, recordedAt: recorded_at }, by);
  store.objects.set(recordKey(seq), stored.bytes);
}

describe("a sound ledger", () => {
  test("is accepted, with its requests", async () => {
    const ledger = await verified(writeLedger(keys, drafts));
    expect(ledger).toMatchObject({ ledgerId: "test-ledger", size: 10, checkedAt: minutes(10), freshAt: minutes(9) });
    expect(ledger.requests).toHaveLength(1);
    expect(ledger.requests[0]).toMatchObject({ requestId: requestId(1), seq: 1, controller: "*" });
  });

  test("of one record is accepted", async () => {
    expect(await verified(writeLedger(keys, []), { now: minutes(0) })).toMatchObject({ size: 1, requests: [] });
  });

  test("may have signed records beyond its checkpoint: a writer was killed in between", async () => {
    expect(await verified(writeLedger(keys, drafts, 7))).toMatchObject({ size: 10, freshAt: minutes(9) });
  });

  test("may be signed with an earlier checkpoint key", async () => {
    const store = writeLedger(keys, drafts);
    const { kid, publicKey } = keys.checkpoint;
    const replaced = { ...testKeySet().parts, hmac: keys.parts.hmac };
    const trusting = new KeySet({ ...replaced, trustedCheckpointKeys: new Map([[kid, publicKey]]) });
    expect(await refusalOf(store, {}, trusting)).toBe("accepted");
    expect(await refusalOf(store, {}, new KeySet(replaced))).toBe("ledger_key");
  });

  test("can be verified without any secret", async () => {
    const { hmac: _hmac, ...parts } = keys.parts;
    const reader = new KeySet({ ...parts, hmac: new Map(), checkpoint: { ...parts.checkpoint, privateKey: null } });
    expect(await refusalOf(writeLedger(keys, drafts), {}, reader)).toBe("accepted");
  });

  test("stops when the signal aborts", async () => {
    expect(await refusalOf(writeLedger(keys, drafts), { signal: AbortSignal.abort() })).toBe("interrupted");
  });
});

describe("what is missing", () => {
  test("no ledger", async () => {
    expect(await refusalOf(new MemoryStore())).toBe("ledger_missing");
  });

  test("no checkpoint", async () => {
    const store = writeLedger(keys, drafts);
    store.objects.delete(CHECKPOINT_KEY);
    expect(await refusalOf(store)).toBe("ledger_missing");
  });

  test.each([0, 4, 8])("record %i deleted", async (seq) => {
    const store = writeLedger(keys, drafts);
    store.objects.delete(recordKey(seq));
    expect(await refusalOf(store)).toBe("ledger_broken");
  });

  test("a gap beyond the checkpoint", async () => {
    const store = writeLedger(keys, drafts, 5);
    store.objects.delete(recordKey(7));
    expect(await refusalOf(store)).toBe("ledger_broken");
  });

  test.each([1, 3, 10])("the last %i records deleted", async (count) => {
    const store = writeLedger(keys, drafts);
    for (let seq = 10 - count; seq < 10; seq++) {
      store.objects.delete(recordKey(seq));
    }
    expect(await refusalOf(store)).toBe("ledger_truncated");
  });

  test("rolled back with its checkpoint: only a pin or a least size can tell", async () => {
    const store = writeLedger(keys, drafts.slice(0, 6));
    const { root } = await verified(writeLedger(keys, drafts));
    expect(await refusalOf(store)).toBe("accepted");
    expect(await refusalOf(store, { minSize: 7 })).toBe("accepted");
    expect(await refusalOf(store, { minSize: 8 })).toBe("ledger_truncated");
    expect(await refusalOf(store, { pinned: { size: 10, root } })).toBe("ledger_truncated");
  });

  test("the checkpoint rolled back alone changes nothing", async () => {
    const store = writeLedger(keys, drafts);
    store.objects.set(CHECKPOINT_KEY, writeLedger(keys, drafts, 4).objects.get(CHECKPOINT_KEY)!);
    expect(await verified(store)).toMatchObject({ size: 10 });
  });
});

describe("what is altered", () => {
  test("the content of a record", async () => {
    const store = writeLedger(keys, drafts);
    const bytes = store.objects.get(recordKey(1))!;
    store.objects.set(recordKey(1), Buffer.from(bytes.toString().replace("0123abcd", "0123abce")));
    expect(await refusalOf(store)).toBe("ledger_signature");
  });

  test("the layout of a record", async () => {
    const store = writeLedger(keys, drafts);
    const bytes = store.objects.get(recordKey(1))!;
    store.objects.set(recordKey(1), Buffer.concat([bytes, Buffer.from("\n")]));
    expect(await refusalOf(store)).toBe("ledger_broken");
  });

  test("a record rewritten and signed by another key", async () => {
    const store = writeLedger(keys, drafts);
    rewrite(store, 9, () => ({}), new KeySet({ ...testKeySet().parts, ledgerId: keys.ledgerId }));
    expect(await refusalOf(store)).toBe("ledger_key");
  });

  test("a record rewritten by who holds the key: the next record does not follow it", async () => {
    const store = writeLedger(keys, drafts);
    rewrite(store, 1, () => ({ cutoff_at: formatInstant(minutes(0)) }));
    expect(await refusalOf(store)).toBe("ledger_forked");
  });

  test("the last record rewritten by who holds the key: the checkpoint names another", async () => {
    const store = writeLedger(keys, drafts);
    rewrite(store, 9, () => ({ recorded_at: formatInstant(minutes(9.5)) }));
    expect(await refusalOf(store)).toBe("ledger_forked");
  });

  test("two records swapped, or one in the place of another", async () => {
    const store = writeLedger(keys, drafts);
    const [four, five] = [store.objects.get(recordKey(4))!, store.objects.get(recordKey(5))!];
    store.objects.set(recordKey(4), five);
    expect(await refusalOf(store)).toBe("ledger_broken");
    store.objects.set(recordKey(5), four);
    expect(await refusalOf(store)).toBe("ledger_broken");
  });

  test("two histories from one point: each is sound, neither goes on from the other", async () => {
    const store = writeLedger(keys, drafts);
    const other = writeLedger(keys, [...heartbeats(3), erase, ...heartbeats(5)]);
    store.objects.set(recordKey(5), other.objects.get(recordKey(5))!);
    expect(await refusalOf(store)).toBe("ledger_forked");
    const { root } = await verified(writeLedger(keys, drafts));
    expect(await refusalOf(other, { pinned: { size: 10, root } })).toBe("ledger_forked");
    expect(await refusalOf(writeLedger(keys, drafts), { pinned: { size: 10, root } })).toBe("accepted");
    other.objects.set(CHECKPOINT_KEY, writeLedger(keys, drafts).objects.get(CHECKPOINT_KEY)!);
    expect(await refusalOf(other)).toBe("ledger_forked");
  });

  test("a record of another ledger under the same key", async () => {
    const store = writeLedger(keys, drafts);
    const mixed = writeLedger(new KeySet({ ...keys.parts, ledgerId: "other-ledger" }), drafts);
    store.objects.set(recordKey(6), mixed.objects.get(recordKey(6))!);
    expect(await refusalOf(store)).toBe("ledger_forked");
  });

  test("the whole of another ledger", async () => {
    expect(await refusalOf(writeLedger(testKeySet([1], "other-ledger"), drafts))).toBe("ledger_key");
    const store = writeLedger(keys, drafts);
    const others = writeLedger(new KeySet({ ...keys.parts, ledgerId: "other-ledger" }), drafts);
    store.objects.set(recordKey(0), others.objects.get(recordKey(0))!);
    expect(await refusalOf(store)).toBe("ledger_key");
  });

  test("an object that is no record", async () => {
    const store = writeLedger(keys, drafts);
    store.objects.set("records/jan@voorbeeld.nl.json", Buffer.from("{}"));
    expect(await refusalOf(store)).toBe("ledger_broken");
    await expect(verified(store)).rejects.toThrowError(expect.not.stringContaining("jan@"));
  });

  test("a time that goes back", async () => {
    const store = writeLedger(keys, heartbeats(3), 3);
    rewrite(store, 3, () => ({ recorded_at: formatInstant(minutes(1)) }));
    expect(await refusalOf(store)).toBe("ledger_broken");
  });

  test("the checkpoint: its content, its signature, its frontier, its layout", async () => {
    const original = writeLedger(keys, drafts).objects.get(CHECKPOINT_KEY)!.toString();
    const altered = async (text: string) => {
      const store = writeLedger(keys, drafts);
      store.objects.set(CHECKPOINT_KEY, Buffer.from(text));
      return refusalOf(store);
    };
    expect(await altered(original)).toBe("accepted");
    expect(await altered(original.replace('"size":10', '"size":9'))).toBe("ledger_signature");
    expect(await altered(original.replace(/"time":"2026/, '"time":"2027'))).toBe("ledger_signature");
    expect(await altered(`${original}\n`)).toBe("ledger_broken");
    expect(await altered(original.replace('"v":1', '"v":2'))).toBe("ledger_broken");
    expect(await altered("")).toBe("ledger_broken");
  });

  test("a checkpoint that is signed over more records than there are", async () => {
    const store = writeLedger(keys, drafts);
    store.objects.delete(recordKey(9));
    expect(await refusalOf(store)).toBe("ledger_truncated");
  });

  test("a checkpoint signed over other records", async () => {
    const store = writeLedger(keys, drafts);
    const chain = LedgerChain.empty(keys);
    chain.accept(parseRecord(store.objects.get(recordKey(0))!, 0));
    chain.merkleTree.push(Buffer.from("another record"));
    store.objects.set(CHECKPOINT_KEY, buildCheckpoint(chain.merkleTree, "ab".repeat(32), minutes(9), keys));
    expect(await refusalOf(store)).toBe("ledger_forked");
  });

  test("a request opened twice, and a record about a request that is not there", async () => {
    expect(await refusalOf(writeLedger(keys, [erase, erase]))).toBe("ledger_broken");
    const about: RecordDraft = { type: "amend", request_id: requestId(2), requested_at: formatInstant(minutes(1)) };
    expect(await refusalOf(writeLedger(keys, [erase, about]))).toBe("ledger_broken");
  });
});

describe("freshness", () => {
  const quarter = 15 * 60_000;

  test("the boundary is inclusive: as old as allowed is accepted, a millisecond more is stale", async () => {
    const store = writeLedger(keys, drafts);
    const at = (milliseconds: number) => ({
      now: new Date(minutes(9).getTime() + milliseconds),
      maxStalenessMs: quarter,
    });
    expect(await refusalOf(store, at(quarter))).toBe("accepted");
    expect(await refusalOf(store, at(quarter + 1))).toBe("ledger_stale");
  });

  test("a clock up to five minutes ahead is borne", async () => {
    const store = writeLedger(keys, drafts);
    expect(await refusalOf(store, { now: minutes(4) })).toBe("accepted");
    expect(await refusalOf(store, { now: new Date(minutes(4).getTime() - 1) })).toBe("ledger_clock");
  });

  test("is judged by the checkpoint when that is newer than the last record", async () => {
    const store = writeLedger(keys, drafts);
    const { chain } = await readLedger(store, keys);
    store.objects.set(CHECKPOINT_KEY, buildCheckpoint(chain.merkleTree, chain.head, minutes(60), keys));
    expect(await verified(store, { now: minutes(70) })).toMatchObject({ freshAt: minutes(60) });
  });

  test("the message says since when, in words", async () => {
    await expect(verified(writeLedger(keys, drafts), { now: minutes(9 + 125) })).rejects.toThrowError(
      "the ledger was last written at 2026-11-20T09:09:00.000Z, 2 h ago; allowed are 15 min",
    );
  });
});
