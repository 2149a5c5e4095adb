/**
 * The key file's text: JSON that holds the HMAC keys by epoch and the Ed25519 keys. Reads and writes it; the file itself is
 * `key-file.ts`.
 *
 * Invariants: no message quotes what the file holds; a key ID is computed from its public key, never believed. A reader
 * may lack private keys (it verifies) and HMAC keys (it verifies and matches nothing).
 */
import { createHash, createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { LedgerRefused } from "../errors.ts";

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
  readonly trustedCheckpointKeys: ReadonlyMap<string, KeyObject>;
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

/** Writes a key set as text. Holds every secret of the ledger: for the key file only. */
export function formatKeyFile(parts: KeySetParts): string {
  const epochs = [...parts.hmac].map(([epoch, key]) => [epoch, key.export().toString("base64")]);
  const trusted = [...parts.trustedCheckpointKeys].map(([kid, key]) => ({ kid, public: publicPem(key) }));
  const content = {
    v: 1,
    ledger_id: parts.ledgerId,
    hmac: Object.fromEntries(epochs),
    current_epoch: parts.currentEpoch,
    checkpoint: signingKeyContent(parts.checkpoint),
    ...(parts.evidence === null ? {} : { evidence: signingKeyContent(parts.evidence) }),
    ...(trusted.length === 0 ? {} : { trusted_checkpoint_keys: trusted }),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/**
 * Reads a key file's text.
 * @param where names the file in messages.
 * @throws LedgerRefused `ledger_key_damaged` for anything but a complete key set; names the member, never its content.
 */
export function parseKeyFile(text: string, where: string): KeySetParts {
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
  return {
    ledgerId: file.text(members.ledger_id, "ledger_id"),
    hmac: file.epochKeys(members.hmac),
    currentEpoch,
    checkpoint: file.signingKey(members.checkpoint, "checkpoint"),
    evidence: members.evidence === undefined ? null : file.signingKey(members.evidence, "evidence"),
    trustedCheckpointKeys: file.trustedKeys(members.trusted_checkpoint_keys),
  };
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
