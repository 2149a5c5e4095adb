/**
 * The keys of a ledger: HMAC keys by epoch, the checkpoint's and the evidence's Ed25519 keys. Parsing and writing of the
 * key file's text; the file itself is `key-file.ts`.
 *
 * Invariants: secrets live in KeyObjects only; no message quotes what the file holds; a key ID is computed from its
 * public key, never believed. A reader may lack private keys (it verifies) and HMAC keys (it verifies and matches nothing).
 */
import { createHash, createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { LedgerRefused } from "../errors.ts";
import { deriveTagKey } from "./tag.ts";

/** Bytes of an epoch's HMAC key. */
export const EPOCH_KEY_BYTES = 32;

/** An Ed25519 key pair; without private key it verifies only. */
export interface SigningKey {
  /** First 16 hex digits of the SHA-256 of the public key's SPKI DER. */
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject | null;
}

/** The parts of a key set. */
export interface KeySetParts {
  readonly ledgerId: string;
  readonly hmac: ReadonlyMap<number, KeyObject>;
  readonly currentEpoch: number;
  readonly checkpoint: SigningKey;
  readonly evidence: SigningKey | null;
  /** Public keys that signed records and checkpoints before the present one, by key ID. */
  readonly trustedCheckpointKeys?: ReadonlyMap<string, KeyObject>;
}

export class KeySet {
  readonly ledgerId: string;
  readonly currentEpoch: number;
  readonly checkpoint: SigningKey;
  readonly evidence: SigningKey | null;
  readonly trustedCheckpointKeys: ReadonlyMap<string, KeyObject>;
  private readonly hmac: ReadonlyMap<number, KeyObject>;
  private readonly tagKeys = new Map<string, Buffer>();

  constructor(parts: KeySetParts) {
    this.ledgerId = parts.ledgerId;
    this.currentEpoch = parts.currentEpoch;
    this.checkpoint = parts.checkpoint;
    this.evidence = parts.evidence;
    this.hmac = parts.hmac;
    this.trustedCheckpointKeys = parts.trustedCheckpointKeys ?? new Map();
  }

  /** Epochs whose HMAC keys are held, ascending. */
  epochs(): number[] {
    return [...this.hmac.keys()].sort((one, other) => one - other);
  }

  /** @throws LedgerRefused `ledger_key` when the epoch's key is not held. */
  epochKey(epoch: number): KeyObject {
    const key = this.hmac.get(epoch);
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
    let key = this.tagKeys.get(name);
    if (key === undefined) {
      key = deriveTagKey(this.epochKey(epoch), type);
      this.tagKeys.set(name, key);
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

  /** The key file's text. Holds secrets: for {@link createKeyFile} only. */
  toFileText(): string {
    const epochs = this.epochs().map((epoch) => [epoch, this.epochKey(epoch).export().toString("base64")]);
    const trusted = [...this.trustedCheckpointKeys].map(([kid, key]) => ({ kid, public: publicPem(key) }));
    const content = {
      v: 1,
      ledger_id: this.ledgerId,
      hmac: Object.fromEntries(epochs),
      current_epoch: this.currentEpoch,
      checkpoint: signingKeyContent(this.checkpoint),
      ...(this.evidence === null ? {} : { evidence: signingKeyContent(this.evidence) }),
      ...(trusted.length === 0 ? {} : { trusted_checkpoint_keys: trusted }),
    };
    return `${JSON.stringify(content, null, 2)}\n`;
  }
}

/** First 16 hex digits of the SHA-256 of the key's SPKI DER. */
export function keyIdOf(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex")
    .slice(0, 16);
}

function publicPem(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

function signingKeyContent(key: SigningKey): Record<string, string> {
  const secret = key.privateKey?.export({ type: "pkcs8", format: "pem" }).toString();
  return { kid: key.kid, ...(secret === undefined ? {} : { private: secret }), public: publicPem(key.publicKey) };
}

/**
 * Reads a key file's text.
 * @param where names the file in messages.
 * @throws LedgerRefused `ledger_key_damaged` for anything but a complete key set; names the member, never its content.
 */
export function parseKeySet(text: string, where: string): KeySet {
  const file = new KeyFileReader(where);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which is secret: it must not travel as cause.
    throw file.damaged("it is not JSON");
  }
  const members = file.object(content, "the whole", [
    "v",
    "ledger_id",
    "hmac",
    "current_epoch",
    "checkpoint",
    "evidence",
    "trusted_checkpoint_keys",
  ]);
  if (members.v !== 1) {
    throw file.damaged("v is not 1");
  }
  const currentEpoch = members.current_epoch;
  if (typeof currentEpoch !== "number" || !Number.isInteger(currentEpoch) || currentEpoch < 1) {
    throw file.damaged("current_epoch is not a whole number from 1");
  }
  return new KeySet({
    ledgerId: file.text(members.ledger_id, "ledger_id"),
    hmac: file.epochKeys(members.hmac),
    currentEpoch,
    checkpoint: file.signingKey(members.checkpoint, "checkpoint"),
    evidence: members.evidence === undefined ? null : file.signingKey(members.evidence, "evidence"),
    trustedCheckpointKeys: file.trustedKeys(members.trusted_checkpoint_keys),
  });
}

/** Reads the members of one key file; its errors name the file and the member. */
class KeyFileReader {
  private readonly where: string;

  constructor(where: string) {
    this.where = where;
  }

  damaged(fact: string): LedgerRefused {
    return new LedgerRefused(`${this.where} is not a key file of a ledger: ${fact}`, {
      code: "ledger_key_damaged",
      hint: "restore the key file from where it is kept; it cannot be made again for a ledger that exists",
    });
  }

  object(value: unknown, name: string, members: readonly string[]): Record<string, unknown> {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw this.damaged(`${name} is not an object`);
    }
    const unknownMembers = Object.keys(value).filter((member) => !members.includes(member)).length;
    if (unknownMembers > 0) {
      throw this.damaged(`${name} has ${unknownMembers} members that do not belong there`);
    }
    return value as Record<string, unknown>;
  }

  text(value: unknown, name: string): string {
    if (typeof value !== "string" || value === "") {
      throw this.damaged(`${name} is not a text`);
    }
    return value;
  }

  epochKeys(value: unknown): ReadonlyMap<number, KeyObject> {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw this.damaged("hmac is not an object");
    }
    const keys = new Map<number, KeyObject>();
    for (const [epoch, encoded] of Object.entries(value)) {
      const bytes = Buffer.from(typeof encoded === "string" ? encoded : "", "base64");
      if (!/^[1-9][0-9]{0,8}$/.test(epoch) || bytes.length !== EPOCH_KEY_BYTES) {
        throw this.damaged(`hmac has an entry that is not an epoch with ${EPOCH_KEY_BYTES} bytes in base64`);
      }
      keys.set(Number(epoch), createSecretKey(bytes));
    }
    return keys;
  }

  signingKey(value: unknown, name: string): SigningKey {
    const members = this.object(value, name, ["kid", "private", "public"]);
    const publicKey = this.ed25519(`${name}.public`, () =>
      createPublicKey(this.text(members.public, `${name}.public`)),
    );
    const kid = keyIdOf(publicKey);
    if (members.kid !== kid) {
      throw this.damaged(`${name}.kid is not that of its public key`);
    }
    if (members.private === undefined) {
      return { kid, publicKey, privateKey: null };
    }
    const privateKey = this.ed25519(`${name}.private`, () =>
      createPrivateKey(this.text(members.private, `${name}.private`)),
    );
    if (keyIdOf(createPublicKey(privateKey)) !== kid) {
      throw this.damaged(`${name}.private and ${name}.public are no pair`);
    }
    return { kid, publicKey, privateKey };
  }

  trustedKeys(value: unknown): ReadonlyMap<string, KeyObject> {
    if (value !== undefined && !Array.isArray(value)) {
      throw this.damaged("trusted_checkpoint_keys is not a list");
    }
    const keys = (value ?? []).map((entry: unknown, index: number) =>
      this.signingKey(entry, `trusted_checkpoint_keys[${index}]`),
    );
    return new Map(keys.map((key: SigningKey) => [key.kid, key.publicKey]));
  }

  private ed25519(name: string, read: () => KeyObject): KeyObject {
    let key: KeyObject;
    try {
      key = read();
    } catch (error) {
      if (error instanceof LedgerRefused) {
        throw error;
      }
      throw this.damaged(`${name} is not a key in PEM`);
    }
    if (key.asymmetricKeyType !== "ed25519") {
      throw this.damaged(`${name} is not an Ed25519 key`);
    }
    return key;
  }
}
