/**
 * The chain: records accepted one after the other, each holding on to the one before it. What a reader verifies and what
 * a writer goes on from are the same object.
 *
 * Invariants: numbers without a gap, hashes that link, times that never decrease, one ledger ID throughout. A record is
 * accepted whole or refused; nothing is skipped. Signatures are checked before, see {@link verifyRecordSignatures}.
 */
import { LedgerRefused } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { treeOf } from "./checkpoint.ts";
import type { KeySet } from "./key-set.ts";
import { MerkleTree } from "./merkle.ts";
import { brokenRecord, NO_HASH, type StoredRecord } from "./record.ts";

export class LedgerChain {
  private readonly keys: KeySet;
  private readonly tree: MerkleTree;
  private lastHash: string;
  private lastTime: string;

  private constructor(keys: KeySet, tree: MerkleTree, lastHash: string, lastTime: string) {
    this.keys = keys;
    this.tree = tree;
    this.lastHash = lastHash;
    this.lastTime = lastTime;
  }

  /** A chain without records. */
  static empty(keys: KeySet): LedgerChain {
    return new LedgerChain(keys, MerkleTree.empty(), NO_HASH, "");
  }

  /**
   * Goes on from a checkpoint and the last record that it covers.
   * @throws LedgerRefused `ledger_forked` when that record is not the one the checkpoint names.
   */
  static resume(checkpoint: Checkpoint, last: StoredRecord, keys: KeySet): LedgerChain {
    const tree = treeOf(checkpoint);
    if (tree === null || last.hash !== checkpoint.head) {
      throw forked(`record ${last.record.seq} of the ledger is not the one its checkpoint ends with`);
    }
    return new LedgerChain(keys, tree, last.hash, last.record.recorded_at);
  }

  /** Number of records accepted; the next one's number. */
  get size(): number {
    return this.tree.size;
  }

  /** SHA-256 (hex) of the last record; zeros when there is none. */
  get head(): string {
    return this.lastHash;
  }

  /** `recorded_at` of the last record; empty when there is none. */
  get recordedAt(): string {
    return this.lastTime;
  }

  /** The tree over the records accepted so far. */
  get merkleTree(): MerkleTree {
    return this.tree;
  }

  /**
   * @throws LedgerRefused `ledger_broken` for a gap or a time that decreases, `ledger_key` for the genesis of another
   * ledger, `ledger_forked` for a record of another ledger or one that follows another record than the last.
   */
  accept({ record, bytes, hash }: StoredRecord): void {
    const { seq } = record;
    if (seq !== this.size) {
      throw brokenRecord(seq, `record ${this.size} was to come`);
    }
    if (record.ledger_id !== this.keys.ledgerId) {
      throw seq === 0
        ? new LedgerRefused("the ledger is another one than that of the key set", {
            code: "ledger_key",
            hint: "check ledger.url and ledger.key_file: they name two different ledgers",
          })
        : forked(`record ${seq} belongs to another ledger`);
    }
    if (record.prev_hash !== this.lastHash) {
      throw forked(`record ${seq} of the ledger does not follow the record before it`);
    }
    if (record.recorded_at < this.lastTime) {
      throw brokenRecord(seq, "it was recorded before the record that it follows");
    }
    this.tree.push(bytes);
    this.lastHash = hash;
    this.lastTime = record.recorded_at;
  }

  /** @throws LedgerRefused `ledger_forked` unless the chain, now as long as the checkpoint says, is what it was signed over. */
  mustMatch(checkpoint: Checkpoint): void {
    if (this.lastHash !== checkpoint.head || this.tree.root() !== checkpoint.root) {
      throw forked(`the ${checkpoint.size} records of the ledger are not those its checkpoint was signed over`);
    }
  }
}

/** Two histories of one ledger. */
export function forked(fact: string): LedgerRefused {
  return new LedgerRefused(fact, {
    code: "ledger_forked",
    hint: "there are two histories of this ledger: compare it with its replica and with the pinned checkpoint of the backups",
  });
}
