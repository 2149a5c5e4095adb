/**
 * One record of the ledger: its closed schema, its bytes (RFC 8785), its hash and its signatures. ERASURE §2.1.
 *
 * Invariants: a record's stored bytes are its canonical form, bit for bit; signatures cover that form without `sigs`;
 * the hash that the next record carries covers it with them. There is no free text anywhere in the schema.
 */
import { createHash, sign, verify } from "node:crypto";
import { LedgerRefused } from "../errors.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { KeySet } from "./key-set.ts";
import type { LedgerRecord } from "./model.ts";
import { damagedMember } from "./record-schema.ts";

/** What the writer of a record decides; the rest follows from its place in the chain. */
export type RecordDraft = Omit<LedgerRecord, "v" | "ledger_id" | "seq" | "recorded_at" | "prev_hash" | "sigs">;

/** Where a record stands. */
export interface ChainPlace {
  readonly seq: number;
  readonly prevHash: string;
  /** RFC 3339 UTC with milliseconds. */
  readonly recordedAt: string;
}

/** A record and the bytes it came from or goes to. */
export interface StoredRecord {
  readonly record: LedgerRecord;
  readonly bytes: Buffer;
  /** SHA-256 of `bytes`, hex. */
  readonly hash: string;
}

/** `prev_hash` of the first record. */
export const NO_HASH = "0".repeat(64);

/** Completes and signs a record. @throws LedgerRefused `ledger_key` when the key set cannot sign. */
export function buildRecord(draft: RecordDraft, place: ChainPlace, keys: KeySet): StoredRecord {
  const unsigned = {
    ...draft,
    v: 1 as const,
    ledger_id: keys.ledgerId,
    seq: place.seq,
    recorded_at: place.recordedAt,
    prev_hash: place.prevHash,
  };
  const sig = sign(null, Buffer.from(canonicalJson(unsigned)), keys.ledgerPrivateKey()).toString("base64");
  const record: LedgerRecord = { ...unsigned, sigs: [{ kid: keys.checkpoint.kid, alg: "Ed25519", sig }] };
  const damaged = damagedMember(record);
  if (damaged !== null) {
    throw new TypeError(`a record of type ${draft.type} was built that readers would refuse: ${damaged}`);
  }
  const bytes = Buffer.from(canonicalJson(record));
  return { record, bytes, hash: hashOf(bytes) };
}

/** SHA-256, hex. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Reads the bytes of the record that is stored under `seq`.
 * @throws LedgerRefused `ledger_broken` unless they are a record of the schema, in canonical form, with that number.
 */
export function parseRecord(bytes: Buffer, seq: number): StoredRecord {
  const text = bytes.toString("utf8");
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's message quotes what it read: it does not travel as cause.
    throw brokenRecord(seq, "it is not JSON");
  }
  const damaged = damagedMember(content);
  if (damaged !== null) {
    throw brokenRecord(seq, damaged);
  }
  const record = content as LedgerRecord;
  if (!Buffer.from(canonicalJson(record)).equals(bytes)) {
    throw brokenRecord(seq, "its bytes are not canonical");
  }
  if (record.seq !== seq) {
    throw brokenRecord(seq, `it carries the number ${record.seq}`);
  }
  return { record, bytes, hash: hashOf(bytes) };
}

/**
 * Checks every signature of a record, off the main thread.
 * @throws LedgerRefused `ledger_signature` for one that does not hold, `ledger_key` for one by an unknown key.
 */
export async function verifyRecordSignatures({ record, bytes }: StoredRecord, keys: KeySet): Promise<void> {
  const message = unsignedPart(record, bytes);
  for (const { kid, sig } of record.sigs) {
    const key = keys.ledgerPublicKey(kid, `record ${record.seq} of the ledger`);
    const holds = await new Promise<boolean>((resolve, reject) => {
      verify(null, message, key, Buffer.from(sig, "base64"), (error, result) => {
        if (error === null) {
          resolve(result);
        } else {
          reject(error);
        }
      });
    });
    if (!holds) {
      throw new LedgerRefused(`the signature of record ${record.seq} of the ledger does not hold`, {
        code: "ledger_signature",
        hint: "the record was altered or written by somebody else: restore the ledger from its replica and find out who",
      });
    }
  }
}

/**
 * The canonical bytes without the member `sigs`: cut out of those with it, for writing a record anew takes as long as
 * checking its signature. The schema lets no value hold a quotation mark, so the member's text stands there once.
 */
function unsignedPart(record: LedgerRecord, bytes: Buffer): Buffer {
  const member = Buffer.from(`"sigs":${canonicalJson(record.sigs)},`);
  const at = bytes.lastIndexOf(member);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + member.length)]);
}

/** A record that is not what it should be. */
export function brokenRecord(seq: number, fact: string): LedgerRefused {
  return new LedgerRefused(`record ${seq} of the ledger is damaged: ${fact}`, {
    code: "ledger_broken",
    hint: "restore the ledger from its replica; do not edit records",
  });
}
