/** Small ledgers for tests. */

import { LedgerChain } from "../chain.ts";
import { buildCheckpoint, CHECKPOINT_KEY } from "../checkpoint.ts";
import { formatInstant } from "../instant.ts";
import type { KeySet } from "../key-set.ts";
import { recordKey } from "../read.ts";
import { buildRecord, type RecordDraft } from "../record.ts";
import { MemoryStore } from "./memory-store.ts";

export const START = new Date("2026-11-20T09:00:00.000Z");

/** `START` and so many minutes. */
export function minutes(count: number): Date {
  return new Date(START.getTime() + count * 60_000);
}

/** `START` and so many times 24 hours. */
export function days(count: number): Date {
  return minutes(count * 24 * 60);
}

/** Writes a genesis and the given records, a minute apart, and a checkpoint over the first `covered` of them. */
export function writeLedger(
  keys: KeySet,
  drafts: readonly RecordDraft[],
  covered = drafts.length + 1,
  store = new MemoryStore(),
): MemoryStore {
  const chain = LedgerChain.empty(keys);
  for (const draft of [{ type: "genesis" } as const, ...drafts]) {
    const place = { seq: chain.size, prevHash: chain.head, recordedAt: formatInstant(minutes(chain.size)) };
    const stored = buildRecord(draft, place, keys);
    store.objects.set(recordKey(chain.size), stored.bytes);
    chain.accept(stored);
    if (chain.size === covered) {
      const time = new Date(chain.recordedAt);
      store.objects.set(CHECKPOINT_KEY, buildCheckpoint(chain.merkleTree, chain.head, time, keys));
    }
  }
  return store;
}

/** So many heartbeats. */
export function heartbeats(count: number): RecordDraft[] {
  return Array.from({ length: count }, () => ({ type: "heartbeat" }));
}

/** Request IDs that can be told apart. */
export function requestId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}
