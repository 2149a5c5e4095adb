/** What a ledger has to keep to on any store: run against a folder and against S3. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ObjectStore } from "../storage/contract.ts";
import { CHECKPOINT_KEY } from "./checkpoint.ts";
import { appendErase, appendEraseLines } from "./erase.ts";
import { heartbeat } from "./follow-up.ts";
import { initLedger } from "./init.ts";
import { recordKey } from "./read.ts";
import { minutes, requestId, START } from "./testing/test-ledger.ts";
import { verifyLedger } from "./verify.ts";

export interface LedgerPlace {
  /** Opens an empty place of the given name; every call gives a store of its own on it. */
  open(name: string): Promise<ObjectStore>;
}

/** @param writers how many write at once. */
export function describeLedgerOn(kind: string, place: LedgerPlace, writers: number): void {
  describe(`a ledger on ${kind}`, () => {
    let folder: string;
    const opened: ObjectStore[] = [];

    const open = async (name: string): Promise<ObjectStore> => {
      const store = await place.open(name);
      opened.push(store);
      return store;
    };

    const made = async () => {
      const name = `ledger-${randomUUID()}`;
      const store = await open(name);
      const keys = await initLedger(store, join(folder, name), { now: START });
      return { name, store, keys };
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "sanitize-ledger-"));
    });

    afterAll(async () => {
      for (const store of opened) {
        store.close();
      }
      await rm(folder, { recursive: true });
    });

    test("is made once, written to, and verified", async () => {
      const { store, keys } = await made();
      const line = (number: number) =>
        JSON.stringify({ request_id: requestId(number), keys: { account_id: [`${number}`] } });
      const receipts: number[] = [];
      for await (const { seq } of appendEraseLines(store, keys, [line(1), line(2), line(3)], minutes(1))) {
        receipts.push(seq);
      }
      expect(receipts).toEqual([1, 2, 3]);
      await heartbeat(store, keys, minutes(2));
      const ledger = await verifyLedger(store, keys, { now: minutes(3), maxStalenessMs: 60_000 });
      expect(ledger).toMatchObject({ size: 5, freshAt: minutes(2) });
      expect(ledger.requests.map((request) => request.requestId)).toEqual([1, 2, 3].map(requestId));
      await expect(initLedger(store, join(folder, "another"), { now: START })).rejects.toThrowError(
        expect.objectContaining({ code: "ledger_exists" }),
      );
    });

    test(`takes ${writers} writers at once without fork, gap or loss`, { timeout: 120_000 }, async () => {
      const { name, store, keys } = await made();
      await Promise.all(
        Array.from({ length: writers }, async (_, number) =>
          appendErase(
            await open(name),
            keys,
            { request_id: requestId(number), keys: { account_id: [`${number}`] } },
            minutes(1),
          ),
        ),
      );
      const ledger = await verifyLedger(store, keys, { now: minutes(1), maxStalenessMs: 0 });
      expect(ledger.size).toBe(writers + 1);
      expect(new Set(ledger.requests.map((request) => request.requestId)).size).toBe(writers);
      const checkpoint = await store.get(CHECKPOINT_KEY);
      expect(JSON.parse(checkpoint!.bytes.toString())).toMatchObject({ size: writers + 1, root: ledger.root });
    });

    test("refuses to be verified when a record or its end is gone", async () => {
      const { store, keys } = await made();
      const refusal = () => verifyLedger(store, keys, { now: minutes(4), maxStalenessMs: minutes(4).getTime() });
      for (const minute of [1, 2, 3]) {
        await heartbeat(store, keys, minutes(minute));
      }
      await store.delete(recordKey(3));
      await expect(refusal()).rejects.toThrowError(expect.objectContaining({ code: "ledger_truncated" }));
      await store.delete(recordKey(1));
      await expect(refusal()).rejects.toThrowError(expect.objectContaining({ code: "ledger_broken" }));
      await store.delete(CHECKPOINT_KEY);
      await expect(refusal()).rejects.toThrowError(expect.objectContaining({ code: "ledger_missing" }));
    });
  });
}
