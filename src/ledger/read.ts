/**
 * Reading a ledger whole: every record from the first, fetched a few at a time, verified in order, held against the
 * signed checkpoint. Readers and writers see a ledger through this file.
 *
 * Invariants: what is missing below the checkpoint refuses; a signed record beyond it whose chain holds counts (its
 * writer was killed before it could move the checkpoint); nothing that does not belong there is passed over.
 */
import { LedgerRefused, throwIfAborted } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { forked, LedgerChain } from "./chain.ts";
import { CHECKPOINT_KEY, type Checkpoint, MAX_CHECKPOINT_BYTES, parseCheckpoint } from "./checkpoint.ts";
import type { KeySet } from "./key-set.ts";
import { mapInOrder } from "./map-in-order.ts";
import type { LedgerRecord } from "./model.ts";
import { brokenRecord, parseRecord, type StoredRecord, verifyRecordSignatures } from "./record.ts";

const RECORDS = "records/";
const RECORD_KEY = /^records\/([0-9]{12})\.json$/;

/** A thousand keys take 200 KB. */
const MAX_RECORD_BYTES = 1024 * 1024;

/** Records fetched at a time. */
const FETCHES = 16;

/** Where a record is stored. */
export function recordKey(seq: number): string {
  return `${RECORDS}${String(seq).padStart(12, "0")}.json`;
}

/** The checkpoint with the etag it had. @throws LedgerRefused as {@link parseCheckpoint}, `ledger_missing` when there is none. */
export async function readCheckpoint(
  store: ObjectStore,
  keys: KeySet,
): Promise<Checkpoint & { readonly etag: string }> {
  const found = await store.get(CHECKPOINT_KEY, MAX_CHECKPOINT_BYTES);
  if (found !== null) {
    return { ...parseCheckpoint(found.bytes, keys), etag: found.etag };
  }
  const records = (await highestRecord(store)) + 1;
  throw records === 0
    ? new LedgerRefused(`there is no ledger at ${store.url}`, {
        code: "ledger_missing",
        hint: "check ledger.url; a new ledger is made with: sanitize ledger init",
      })
    : new LedgerRefused(`the ledger at ${store.url} has ${records} records but no checkpoint (${CHECKPOINT_KEY})`, {
        code: "ledger_missing",
        hint: "restore head.json from the ledger's replica; if ledger init was interrupted, empty the place and run it again",
      });
}

/** One record, parsed, its signatures checked; `null` when there is none. */
export async function readRecord(store: ObjectStore, keys: KeySet, seq: number): Promise<StoredRecord | null> {
  const found = await store.get(recordKey(seq), MAX_RECORD_BYTES);
  if (found === null) {
    return null;
  }
  const stored = parseRecord(found.bytes, seq);
  await verifyRecordSignatures(stored, keys);
  return stored;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** A size and root (hex) that the ledger is known to have had. */
  readonly pinned?: { readonly size: number; readonly root: string } | undefined;
  /** Called with every record, in order, once it has been accepted. */
  readonly onRecord?: (record: LedgerRecord) => void;
}

/**
 * Reads and verifies all records.
 * @throws LedgerRefused with the code that says what is wrong: `ledger_missing`, `ledger_broken`, `ledger_truncated`,
 * `ledger_forked`, `ledger_signature`, `ledger_key`.
 */
export async function readLedger(
  store: ObjectStore,
  keys: KeySet,
  options: ReadOptions = {},
): Promise<{ readonly chain: LedgerChain; readonly checkpoint: Checkpoint }> {
  const { signal, pinned } = options;
  // The checkpoint first: records that come after it was read are then beyond it, never missing below it.
  const checkpoint = await readCheckpoint(store, keys);
  const highest = await highestRecord(store, signal);
  const total = Math.max(checkpoint.size, highest + 1);
  const chain = LedgerChain.empty(keys);
  const fetched = mapInOrder(total, FETCHES, (seq) => {
    throwIfAborted(signal);
    return readRecord(store, keys, seq);
  });
  for await (const stored of fetched) {
    throwIfAborted(signal);
    if (stored === null) {
      throw missing(chain.size, highest, checkpoint);
    }
    chain.accept(stored);
    if (chain.size === checkpoint.size) {
      chain.mustMatch(checkpoint);
    }
    if (chain.size === pinned?.size && chain.merkleTree.root() !== pinned.root) {
      throw forked(`the first ${pinned.size} records of the ledger are not those that were pinned`);
    }
    options.onRecord?.(stored.record);
  }
  if (pinned !== undefined && chain.size < pinned.size) {
    throw truncated(`the ledger has ${chain.size} records, but had ${pinned.size} when it was pinned`);
  }
  return { chain, checkpoint };
}

/** The highest number there is a record of; -1 for none. @throws LedgerRefused `ledger_broken` for objects that are no records. */
async function highestRecord(store: ObjectStore, signal?: AbortSignal): Promise<number> {
  let highest = -1;
  for await (const { key } of store.list({ prefix: RECORDS, ...(signal === undefined ? {} : { signal }) })) {
    const match = RECORD_KEY.exec(key);
    if (match === null) {
      // Not quoted: whoever put it there may have named it after somebody.
      throw new LedgerRefused(
        `an object among the records of the ledger (behind record ${highest}) is none by its name`,
        {
          code: "ledger_broken",
          hint: `nothing but records belongs under ${store.url}${RECORDS}: move it away after finding out who put it there`,
        },
      );
    }
    highest = Math.max(highest, Number(match[1]));
  }
  return highest;
}

function missing(seq: number, highest: number, checkpoint: Checkpoint): LedgerRefused {
  return seq < highest
    ? brokenRecord(seq, `it is missing, although there are records up to ${highest}`)
    : truncated(`the ledger ends before record ${seq}, but its checkpoint covers ${checkpoint.size} records`);
}

/** A ledger that has lost its end. */
export function truncated(fact: string): LedgerRefused {
  return new LedgerRefused(fact, {
    code: "ledger_truncated",
    hint: "requests are missing: restore the ledger from its replica before restoring any backup",
  });
}
