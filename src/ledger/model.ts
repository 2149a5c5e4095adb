/** Nouns of the ledger: records as they are stored, requests as they are derived. ERASURE.md §2, DESIGN §5. */

export type RecordType = "genesis" | "erase" | "amend" | "withdraw" | "release" | "heartbeat" | "key_epoch" | "restore";
/** What a request asks for a scope. */
export type ScopeAction = "delete" | "anonymise" | "retain";

/** One identifier of a data subject, as the ledger holds it: never in the clear. */
export interface KeyMac {
  /** `account_id`, `email`, `phone` or a custom type. */
  readonly type: string;
  /** Key epoch, from 1. */
  readonly epoch: number;
  /** Version of the canonical form, for example `email/1`. */
  readonly canon: string;
  /** HMAC-SHA-256 over ("sanitize/1", type, controller, canonical form), each length-prefixed; 64 hex digits. */
  readonly mac: string;
  /** SipHash-2-4 of the tag material under a key of its own, low 32 bits; 8 hex digits. Lets a scan skip HMACs. */
  readonly tag: string;
}

export interface RequestScope {
  readonly scope: string;
  readonly action: ScopeAction;
  /** RFC 3339, UTC. Inclusive: at this instant the scope is effective. */
  readonly effective_at: string;
}

export interface LedgerRecord {
  readonly v: 1;
  readonly ledger_id: string;
  /** Gapless from 0. */
  readonly seq: number;
  readonly type: RecordType;
  /** RFC 3339 UTC with milliseconds, never decreasing along the chain. */
  readonly recorded_at: string;
  /** SHA-256 (hex) of the canonical bytes of the record before, signatures included; 64 zeros for genesis. */
  readonly prev_hash: string;
  readonly request_id?: string;
  readonly controller?: string;
  readonly requested_at?: string;
  readonly cutoff_at?: string;
  readonly keys?: readonly KeyMac[];
  readonly scopes?: readonly RequestScope[];
  readonly recipients?: readonly {
    readonly provider: string;
    readonly notified_at?: string;
    readonly released_at?: string;
  }[];
  readonly sigs: readonly { readonly kid: string; readonly alg: "Ed25519"; readonly sig: string }[];
}

/** A request as it stands after every record about it has been applied. */
export interface ErasureRequest {
  readonly requestId: string;
  /** Sequence number of the record that opened it. */
  readonly seq: number;
  readonly controller: string;
  readonly requestedAt: Date;
  readonly cutoffAt: Date;
  readonly keys: readonly KeyMac[];
  readonly scopes: readonly RequestScope[];
  /** Who was given contact data, with the instant at which each let go of it; `null` while it has not. */
  readonly recipients?: ReadonlyMap<string, string | null>;
}

export type ScopeState = "pending" | "effective";

/** The ledger, verified whole and proven current at `checkedAt`. */
export interface VerifiedLedger {
  readonly ledgerId: string;
  /** Number of records. */
  readonly size: number;
  /** SHA-256 (hex) of the last record. */
  readonly head: string;
  /** RFC 6962 Merkle root (hex) over all records. */
  readonly root: string;
  readonly checkedAt: Date;
  /** Time of the newest record or checkpoint: what freshness is judged by. */
  readonly freshAt: Date;
  readonly requests: readonly ErasureRequest[];
}
