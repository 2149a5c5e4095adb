/** Making a new ledger: its keys, its first record, its first checkpoint. */
import { LedgerRefused } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { LedgerChain } from "./chain.ts";
import { buildCheckpoint, CHECKPOINT_KEY } from "./checkpoint.ts";
import { formatInstant } from "./instant.ts";
import { createKeyFile, generateKeySet } from "./key-file.ts";
import type { KeySet } from "./key-set.ts";
import { recordKey } from "./read.ts";
import { buildRecord, NO_HASH } from "./record.ts";

/**
 * Makes a ledger in an empty place, and its key file.
 *
 * The key file comes first: a ledger without keys would be lost, keys without a ledger are not. Killed half-way, it is
 * refused ever after and has to be cleared away by hand: nothing here decides what may be deleted.
 * @throws LedgerRefused `ledger_exists` when anything is there, `ledger_key_exists` when the key file is.
 */
export async function initLedger(
  store: ObjectStore,
  keyFile: string,
  options: { readonly now: Date },
): Promise<KeySet> {
  for await (const _object of store.list()) {
    throw exists(store);
  }
  const keys = generateKeySet();
  await createKeyFile(keyFile, keys);
  const genesis = buildRecord(
    { type: "genesis" },
    { seq: 0, prevHash: NO_HASH, recordedAt: formatInstant(options.now) },
    keys,
  );
  if ((await store.createIfAbsent(recordKey(0), genesis.bytes)) === "exists") {
    throw exists(store);
  }
  const chain = LedgerChain.empty(keys);
  chain.accept(genesis);
  const checkpoint = buildCheckpoint(chain.merkleTree, chain.head, options.now, keys);
  if ((await store.createIfAbsent(CHECKPOINT_KEY, checkpoint)) === "exists") {
    throw exists(store);
  }
  return keys;
}

function exists(store: ObjectStore): LedgerRefused {
  return new LedgerRefused(`there is something at ${store.url} already`, {
    code: "ledger_exists",
    hint: "a ledger is made once, in a place of its own: name an empty folder or prefix in ledger.url",
  });
}
