/**
 * The keys of a ledger: HMAC keys by epoch, the checkpoint's and the evidence's Ed25519 keys.
 *
 * Invariant: nothing of a key set that can be printed or serialised is secret.
 */
import type { KeyObject } from "node:crypto";
import { LedgerRefused } from "../errors.ts";
import type { KeySetParts, SigningKey } from "./key-file-text.ts";
import { deriveTagKey } from "./tag.ts";

export { type KeySetParts, keyIdOf, type SigningKey } from "./key-file-text.ts";

export class KeySet {
  readonly ledgerId: string;
  readonly currentEpoch: number;
  readonly checkpoint: SigningKey;
  readonly evidence: SigningKey | null;
  readonly trustedCheckpointKeys: ReadonlyMap<string, KeyObject>;
  /** What the key set was made of. */
  readonly parts: KeySetParts;
  /** Derived secrets as plain bytes: a hard private member, which no inspection shows. */
  readonly #tagKeys = new Map<string, Buffer>();

  constructor(parts: KeySetParts) {
    this.ledgerId = parts.ledgerId;
    this.currentEpoch = parts.currentEpoch;
    this.checkpoint = parts.checkpoint;
    this.evidence = parts.evidence;
    this.parts = parts;
    this.trustedCheckpointKeys = parts.trustedCheckpointKeys;
  }

  /** Epochs whose HMAC keys are held, ascending. */
  epochs(): number[] {
    return [...this.parts.hmac.keys()].sort((one, other) => one - other);
  }

  /** @throws LedgerRefused `ledger_key` when the epoch's key is not held. */
  epochKey(epoch: number): KeyObject {
    const key = this.parts.hmac.get(epoch);
    if (key === undefined) {
      throw new LedgerRefused(`the key set holds no HMAC key of epoch ${epoch}`, {
        code: "ledger_key",
        hint: "use the key file that the ledger is written with: identifiers of that epoch cannot be matched without it",
      });
    }
    return key;
  }

  /** The 16-byte key of the tags of a type in an epoch. @throws LedgerRefused `ledger_key` as {@link epochKey}. */
  tagKey(epoch: number, type: string): Buffer {
    const name = `${epoch}/${type}`;
    let key = this.#tagKeys.get(name);
    if (key === undefined) {
      key = deriveTagKey(this.epochKey(epoch), type);
      this.#tagKeys.set(name, key);
    }
    return key;
  }

  /** The public key that signatures of the ledger are checked with. @throws LedgerRefused `ledger_key` for an unknown one. */
  ledgerPublicKey(kid: string, where: string): KeyObject {
    const key = kid === this.checkpoint.kid ? this.checkpoint.publicKey : this.trustedCheckpointKeys.get(kid);
    if (key === undefined) {
      throw new LedgerRefused(`${where} is signed with a key that the key set does not hold`, {
        code: "ledger_key",
        hint: "if the checkpoint key was replaced, list the earlier one under trusted_checkpoint_keys of the key file",
      });
    }
    return key;
  }

  /** @throws LedgerRefused `ledger_key` when the key set can only verify. */
  ledgerPrivateKey(): KeyObject {
    if (this.checkpoint.privateKey === null) {
      throw new LedgerRefused("the key set has no private checkpoint key: it can verify the ledger, not write to it", {
        code: "ledger_key",
        hint: "write with the key file that ledger init made",
      });
    }
    return this.checkpoint.privateKey;
  }
}
