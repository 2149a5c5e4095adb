import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendErase } from "./erase.ts";
import { initLedger } from "./init.ts";
import { loadKeyFile } from "./key-file.ts";
import { MemoryStore } from "./testing/memory-store.ts";
import { minutes, START } from "./testing/test-ledger.ts";
import { verifyLedger } from "./verify.ts";

let folder: string;
let keyFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-init-"));
  keyFile = join(folder, "ledger.key");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("initLedger", () => {
  test("makes a ledger that its key file opens", async () => {
    const store = new MemoryStore();
    await initLedger(store, keyFile, { now: START });
    const keys = await loadKeyFile(keyFile);
    await appendErase(store, keys, { keys: { account_id: ["901"] } }, minutes(1));
    const ledger = await verifyLedger(store, keys, { now: minutes(1), maxStalenessMs: 0 });
    expect(ledger).toMatchObject({ ledgerId: keys.ledgerId, size: 2 });
    expect([...store.objects.keys()]).toEqual(["records/000000000000.json", "head.json", "records/000000000001.json"]);
  });

  test("refuses a place that is not empty, and leaves no key file", async () => {
    const store = new MemoryStore();
    store.objects.set("notes.txt", Buffer.from("here"));
    await expect(initLedger(store, keyFile, { now: START })).rejects.toThrowError(
      expect.objectContaining({ code: "ledger_exists" }),
    );
    await expect(access(keyFile)).rejects.toThrow("ENOENT");
  });

  test("refuses a key file that is there, and leaves the place empty", async () => {
    await initLedger(new MemoryStore(), keyFile, { now: START });
    const store = new MemoryStore();
    await expect(initLedger(store, keyFile, { now: START })).rejects.toThrowError(
      expect.objectContaining({ code: "ledger_key_exists" }),
    );
    expect(store.objects.size).toBe(0);
  });

  test("lets one of two at once win", async () => {
    const store = new MemoryStore();
    const settled = await Promise.allSettled([
      initLedger(store, keyFile, { now: START }),
      initLedger(store, `${keyFile}2`, { now: START }),
    ]);
    const winners = settled.filter((result) => result.status === "fulfilled").map((result) => result.value);
    expect(winners).toHaveLength(1);
    expect(await verifyLedger(store, winners[0]!, { now: START, maxStalenessMs: 0 })).toMatchObject({ size: 1 });
  });
});
