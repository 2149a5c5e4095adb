/**
 * Appending to a ledger, beside any number of other writers.
 *
 * A record is created under its number only if nothing is there, so of two writers one wins and the other goes on behind
 * it: no fork, no gap, no loss. The checkpoint follows and only ever grows; a writer killed in between leaves a signed
 * record beyond it, which readers count and the next writer covers.
 *
 * Invariant: a writer never extends what it has not verified.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { LedgerRefused, SourceFailed } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { LedgerChain } from "./chain.ts";
import { buildCheckpoint, CHECKPOINT_KEY } from "./checkpoint.ts";
import { CLOCK_SKEW_MS, formatInstant } from "./instant.ts";
import type { KeySet } from "./key-set.ts";
import type { LedgerRecord } from "./model.ts";
import { readCheckpoint, readLedger, readRecord, recordKey, truncated } from "./read.ts";
import { buildRecord, type RecordDraft, type StoredRecord } from "./record.ts";
import { RequestBook } from "./requests.ts";

/** Lost races before a writer gives up. A hundred writers at once lose a hundred at worst. */
const MAX_ATTEMPTS = 1000;
/** Refusals to replace a checkpoint that nobody changed, before the store itself is blamed. */
const MAX_GROUNDLESS_REFUSALS = 10;
/** Longest pause after a lost race, in milliseconds. */
const MAX_PAUSE_MS = 50;

export class LedgerWriter {
  private readonly store: ObjectStore;
  private readonly keys: KeySet;
  private readonly chain: LedgerChain;
  /** All requests when the ledger was read whole, else `null`. */
  private readonly requests: RequestBook | null;

  private constructor(store: ObjectStore, keys: KeySet, chain: LedgerChain, requests: RequestBook | null) {
    this.store = store;
    this.keys = keys;
    this.chain = chain;
    this.requests = requests;
  }

  /**
   * Reads and verifies the whole ledger: for records about requests, which have to know those that are there.
   * @throws LedgerRefused as {@link readLedger}.
   */
  static async openWhole(store: ObjectStore, keys: KeySet): Promise<LedgerWriter> {
    const book = new RequestBook();
    const { chain } = await readLedger(store, keys, { onRecord: (record) => book.apply(record) });
    return new LedgerWriter(store, keys, chain, book);
  }

  /**
   * Verifies the checkpoint and what comes behind it: enough for records that are about no request, at any size.
   * @throws LedgerRefused when the checkpoint or the last record is missing or not sound.
   */
  static async openEnd(store: ObjectStore, keys: KeySet): Promise<LedgerWriter> {
    const checkpoint = await readCheckpoint(store, keys);
    const last = await readRecord(store, keys, checkpoint.size - 1);
    if (last === null) {
      throw truncated(`record ${checkpoint.size - 1} of the ledger is missing, but its checkpoint covers it`);
    }
    const writer = new LedgerWriter(store, keys, LedgerChain.resume(checkpoint, last, keys), null);
    await writer.catchUp();
    return writer;
  }

  /** The requests as of the last record seen. */
  get book(): RequestBook {
    if (this.requests === null) {
      throw new TypeError("this writer was opened at the ledger's end and knows no requests");
    }
    return this.requests;
  }

  /**
   * Appends a record durably and returns it. `draft` is called with everything recorded so far applied to the book, again
   * after each lost race, so that what it decides by still holds when the record is created; it may throw, or return
   * `null` when there is nothing to record.
   * @throws LedgerRefused `ledger_clock` when the ledger's last record lies too far in the future of `now`.
   * @throws SourceFailed `ledger_busy` when other writers were faster a thousand times.
   */
  async append(draft: () => RecordDraft | null, now: Date): Promise<LedgerRecord | null> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      await this.catchUp();
      const drafted = draft();
      if (drafted === null) {
        return null;
      }
      const stored = buildRecord(
        drafted,
        { seq: this.chain.size, prevHash: this.chain.head, recordedAt: this.timeOfNext(now) },
        this.keys,
      );
      if ((await this.store.createIfAbsent(recordKey(stored.record.seq), stored.bytes)) === "created") {
        this.accept(stored);
        return stored.record;
      }
      await pause(attempt);
    }
    throw busy("append a record to the ledger");
  }

  /**
   * Moves the checkpoint up to the last record seen, or leaves it when another writer has moved it further.
   * @throws LedgerRefused `ledger_forked` when the checkpoint covers other records than these.
   * @throws SourceFailed `ledger_busy` as {@link append}, `ledger_store` when the store refuses without a ground.
   */
  async publish(now: Date): Promise<void> {
    let refusedOver = "";
    let groundless = 0;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const current = await readCheckpoint(this.store, this.keys);
      if (current.size > this.chain.size) {
        return;
      }
      if (current.size === this.chain.size) {
        this.chain.mustMatch(current);
        return;
      }
      const time = new Date(Math.max(now.getTime(), Date.parse(this.chain.recordedAt), Date.parse(current.time)));
      const bytes = buildCheckpoint(this.chain.merkleTree, this.chain.head, time, this.keys);
      if ((await this.store.replaceIf(CHECKPOINT_KEY, bytes, current.etag)) === "replaced") {
        return;
      }
      groundless = current.etag === refusedOver ? groundless + 1 : 0;
      if (groundless === MAX_GROUNDLESS_REFUSALS) {
        throw new SourceFailed(
          `the store at ${this.store.url} does not replace ${CHECKPOINT_KEY}, though nobody changed it`,
          {
            code: "ledger_store",
            hint: "the ledger needs a store with conditional writes (If-Match, If-None-Match): check that this service has them",
          },
        );
      }
      refusedOver = current.etag;
      await pause(attempt);
    }
    throw busy("move the ledger's checkpoint");
  }

  /** Takes in what others appended meanwhile. */
  private async catchUp(): Promise<void> {
    for (;;) {
      const next = await readRecord(this.store, this.keys, this.chain.size);
      if (next === null) {
        return;
      }
      this.accept(next);
    }
  }

  private accept(stored: StoredRecord): void {
    this.chain.accept(stored);
    this.requests?.apply(stored.record);
  }

  /** Not before the record it follows, whatever this machine's clock says. */
  private timeOfNext(now: Date): string {
    const last = Date.parse(this.chain.recordedAt);
    if (last > now.getTime() + CLOCK_SKEW_MS) {
      throw new LedgerRefused(
        `the last record of the ledger was written at ${this.chain.recordedAt}, which is yet to come`,
        {
          code: "ledger_clock",
          hint: "set the clock of this machine, or of the one that writes the ledger",
        },
      );
    }
    return formatInstant(new Date(Math.max(now.getTime(), last)));
  }
}

/** A random pause that grows with the races lost, so that writers do not run into each other in step. */
async function pause(attempt: number): Promise<void> {
  await sleep(Math.random() * Math.min(MAX_PAUSE_MS, 2 * attempt));
}

function busy(what: string): SourceFailed {
  return new SourceFailed(`could not ${what}: other writers were faster ${MAX_ATTEMPTS} times`, {
    code: "ledger_busy",
    hint: "run the same command again",
  });
}
