import { describe, expect, test } from "vitest";
import { CHECKPOINT_KEY, parseCheckpoint } from "./checkpoint.ts";
import { appendErase } from "./erase.ts";
import { heartbeat } from "./follow-up.ts";
import { KeySet } from "./key-set.ts";
import { recordKey } from "./read.ts";
import { MemoryStore } from "./testing/memory-store.ts";
import { testKeySet } from "./testing/test-keys.ts";
import { heartbeats, minutes, requestId, writeLedger } from "./testing/test-ledger.ts";
import { verifyLedger } from "./verify.ts";
import { LedgerWriter } from "./writer.ts";

const keys = testKeySet();

function verified(store: MemoryStore) {
  return verifyLedger(store, keys, { now: minutes(60), maxStalenessMs: 60 * 60_000 });
}

function checkpointSize(store: MemoryStore): number {
  return parseCheckpoint(store.objects.get(CHECKPOINT_KEY)!, keys).size;
}

describe("a hundred writers at once", () => {
  test("lose no request, leave no gap, make no fork", async () => {
    const store = writeLedger(keys, []);
    const receipts = await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        appendErase(store, keys, { request_id: requestId(number), keys: { account_id: [String(number)] } }, minutes(5)),
      ),
    );
    const ledger = await verified(store);
    expect(ledger.size).toBe(101);
    expect(checkpointSize(store)).toBe(101);
    expect(new Set(receipts.map(({ seq }) => seq)).size).toBe(100);
    expect(new Set(ledger.requests.map((request) => request.requestId)).size).toBe(100);
    for (const { seq, request_id } of receipts) {
      expect(ledger.requests.find((request) => request.requestId === request_id)?.seq).toBe(seq);
    }
  });

  test("of the same request record it once", async () => {
    const store = writeLedger(keys, []);
    const input = { request_id: requestId(7), requested_at: "2026-11-20T09:00:00Z", keys: { account_id: ["901"] } };
    const receipts = await Promise.all(Array.from({ length: 20 }, () => appendErase(store, keys, input, minutes(5))));
    expect(receipts.filter(({ recorded }) => recorded === "new")).toHaveLength(1);
    expect(new Set(receipts.map(({ seq }) => seq))).toEqual(new Set([1]));
    expect((await verified(store)).size).toBe(2);
  });
});

describe("a writer killed between record and checkpoint", () => {
  test("leaves a ledger that readers accept and the next writer heals", async () => {
    const store = writeLedger(keys, heartbeats(4), 3);
    expect(await verified(store)).toMatchObject({ size: 5 });
    expect(await heartbeat(store, keys, minutes(20))).toEqual({ seq: 5 });
    expect(checkpointSize(store)).toBe(6);
    expect(await verified(store)).toMatchObject({ size: 6, freshAt: minutes(20) });
  });
});

describe("the checkpoint", () => {
  test("never shrinks: a writer that is behind leaves it", async () => {
    const store = writeLedger(keys, []);
    const behind = await LedgerWriter.openEnd(store, keys);
    await behind.append(() => ({ type: "heartbeat" }), minutes(1));
    await heartbeat(store, keys, minutes(2));
    const ahead = store.objects.get(CHECKPOINT_KEY)!;
    await behind.publish(minutes(3));
    expect(store.objects.get(CHECKPOINT_KEY)).toEqual(ahead);
  });

  test("is not moved over another history", async () => {
    const store = writeLedger(keys, []);
    const writer = await LedgerWriter.openEnd(store, keys);
    await writer.append(() => ({ type: "heartbeat" }), minutes(1));
    const other = writeLedger(keys, [{ type: "restore" }]);
    store.objects.set(CHECKPOINT_KEY, other.objects.get(CHECKPOINT_KEY)!);
    await expect(writer.publish(minutes(2))).rejects.toThrowError(expect.objectContaining({ code: "ledger_forked" }));
  });
});

test("a store that never replaces is blamed, not waited for", async () => {
  const store = writeLedger(keys, []);
  store.replaceIf = () => Promise.resolve("changed");
  await expect(heartbeat(store, keys, minutes(1))).rejects.toThrowError(
    expect.objectContaining({ code: "ledger_store" }),
  );
});

describe("times", () => {
  test("never decrease, whatever the writer's clock says", async () => {
    const store = writeLedger(keys, heartbeats(4));
    await heartbeat(store, keys, minutes(1));
    expect(await verified(store)).toMatchObject({ size: 6, freshAt: minutes(4) });
  });

  test("of a ledger far in the future are not written behind", async () => {
    const store = writeLedger(keys, heartbeats(9));
    await expect(heartbeat(store, keys, minutes(3))).rejects.toThrowError(
      expect.objectContaining({ code: "ledger_clock" }),
    );
    expect(store.objects.has(recordKey(10))).toBe(false);
  });
});

describe("a writer refuses to extend", () => {
  const code = async (store: MemoryStore, with_ = keys) =>
    heartbeat(store, with_, minutes(20)).then(
      () => "written",
      (error: unknown) => (error as { code: string }).code,
    );

  test("what is not there", async () => {
    expect(await code(new MemoryStore())).toBe("ledger_missing");
  });

  test("a ledger whose end is gone", async () => {
    const store = writeLedger(keys, heartbeats(4));
    store.objects.delete(recordKey(4));
    expect(await code(store)).toBe("ledger_truncated");
  });

  test("a ledger whose end was replaced", async () => {
    const store = writeLedger(keys, heartbeats(4));
    store.objects.set(
      recordKey(4),
      writeLedger(keys, [...heartbeats(3), { type: "restore" }]).objects.get(recordKey(4))!,
    );
    expect(await code(store)).toBe("ledger_forked");
  });

  test("a ledger that it has no private key for", async () => {
    const store = writeLedger(keys, heartbeats(4));
    const reader = new KeySet({ ...keys.parts, checkpoint: { ...keys.checkpoint, privateKey: null } });
    expect(await code(store, reader)).toBe("ledger_key");
    expect(store.objects.has(recordKey(5))).toBe(false);
  });
});
