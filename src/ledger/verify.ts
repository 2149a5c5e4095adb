/**
 * The gate before every run: the ledger is whole, genuine and current, or it refuses (DESIGN §2, promise 7).
 */
import { LedgerRefused } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { CLOCK_SKEW_MS, formatInstant } from "./instant.ts";
import type { KeySet } from "./key-set.ts";
import type { VerifiedLedger } from "./model.ts";
import { readLedger, truncated } from "./read.ts";
import { RequestBook } from "./requests.ts";

export interface VerifyOptions {
  /** The instant at which the ledger has to be current. */
  readonly now: Date;
  /** How old its newest record or checkpoint may be, in milliseconds; inclusive. */
  readonly maxStalenessMs: number;
  /** Number of records it is known to have at least. */
  readonly minSize?: number | undefined;
  /** A size and root (hex) it is known to have had. */
  readonly pinned?: { readonly size: number; readonly root: string } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Verifies a ledger whole and derives its requests.
 * @throws LedgerRefused with one of `ledger_missing`, `ledger_broken`, `ledger_truncated`, `ledger_forked`,
 * `ledger_signature`, `ledger_key`, `ledger_stale` (nothing new for too long), `ledger_clock` (from the future).
 */
export async function verifyLedger(store: ObjectStore, keys: KeySet, options: VerifyOptions): Promise<VerifiedLedger> {
  const { now, minSize = 0, pinned, signal } = options;
  const book = new RequestBook();
  const { chain, checkpoint } = await readLedger(store, keys, {
    pinned,
    signal,
    onRecord: (record) => book.apply(record),
  });
  if (chain.size < minSize) {
    throw truncated(`the ledger has ${chain.size} records, but has to have ${minSize} at least`);
  }
  const freshAt = new Date(Math.max(Date.parse(chain.recordedAt), Date.parse(checkpoint.time)));
  refuseUnlessCurrent(freshAt, now, options.maxStalenessMs);
  return {
    ledgerId: keys.ledgerId,
    size: chain.size,
    head: chain.head,
    root: chain.merkleTree.root(),
    checkedAt: now,
    freshAt,
    requests: book.requests(),
  };
}

function refuseUnlessCurrent(freshAt: Date, now: Date, maxStalenessMs: number): void {
  const age = now.getTime() - freshAt.getTime();
  if (age > maxStalenessMs) {
    throw new LedgerRefused(
      `the ledger was last written at ${formatInstant(freshAt)}, ${duration(age)} ago; allowed are ${duration(maxStalenessMs)}`,
      {
        code: "ledger_stale",
        hint: "requests may be missing: find out why nothing writes to it; when it is known to be complete, run: sanitize ledger heartbeat",
      },
    );
  }
  if (age < -CLOCK_SKEW_MS) {
    throw new LedgerRefused(`the ledger was last written at ${formatInstant(freshAt)}, ${duration(-age)} from now`, {
      code: "ledger_clock",
      hint: "set the clock of this machine, or of the one that writes the ledger: freshness cannot be judged",
    });
  }
}

/** Whole seconds below two minutes, else minutes or hours, rounded down; milliseconds below a second. */
function duration(milliseconds: number): string {
  const units: readonly (readonly [number, string])[] = [
    [2 * 3_600_000, "h"],
    [2 * 60_000, "min"],
    [1000, "s"],
  ];
  for (const [least, unit] of units) {
    if (milliseconds >= least) {
      return `${Math.floor(milliseconds / (least > 1000 ? least / 2 : least))} ${unit}`;
    }
  }
  return `${milliseconds} ms`;
}
