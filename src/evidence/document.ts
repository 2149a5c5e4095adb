/**
 * The evidence document: what `restore --json`, `report --format json` print and what is signed and kept. Holds counts,
 * digests and request numbers; never a value of a row, an identifier, or a MAC (ERASURE.md §3).
 */

export const evidenceSchema = "sanitize/evidence/1";

export type RunOutcome = "restored" | "scrubbed" | "planned" | "verified" | "refused" | "failed";

export interface BackupEvidence {
  /** URL and key, without credentials. */
  readonly location: string;
  /** S3 version ID, or the ETag where there are no versions. */
  readonly version: string;
  readonly size: number;
  readonly region: string | null;
  /** The oldest instant any evidence gives. RFC 3339, UTC. */
  readonly snapshot_at: string;
  /** Which evidence that was. */
  readonly snapshot_evidence: string;
  readonly age_seconds: number;
  readonly age_limit_seconds: number;
  readonly format: string;
  readonly archive_version: string;
  readonly compression: string;
  readonly database: string;
  /** What lies around the archive, outermost first: `age`, `gzip`, `lz4`, `zstd`, `tar`, `pg_dumpall`. */
  readonly wrapping?: readonly string[];
  /** Of a file that cannot be read at any place: why it was read, once for each time from its beginning. */
  readonly readings?: readonly string[];
  /** What is unusual about the file. */
  readonly remarks?: readonly string[];
}

export interface LedgerEvidence {
  readonly id: string;
  readonly size: number;
  readonly head: string;
  readonly root: string;
  readonly checked_at: string;
  readonly fresh_at: string;
}

export interface TableEvidence {
  readonly table: string;
  readonly class: "rule" | "unaffected" | "skip_data";
  readonly rows_read: number;
  readonly rows_kept: number;
  readonly rows_anonymised: number;
  readonly rows_erased: number;
  /** Part of `rows_kept`. */
  readonly rows_pending: number;
  readonly rows_retained: number;
  readonly late_hits: number;
  /** Legal basis under which rows are retained. */
  readonly basis?: string;
}

export interface RequestEvidence {
  readonly request_id: string;
  readonly state: "effective" | "pending";
  readonly scopes: readonly {
    readonly scope: string;
    readonly action: string;
    readonly state: string;
    readonly effective_at: string;
  }[];
  readonly rows_erased: number;
  readonly rows_anonymised: number;
  readonly rows_pending: number;
  readonly rows_retained: number;
}

export interface LargeObjectEvidence {
  /** `null`: they were not read. */
  readonly restored: number | null;
  readonly erased: number;
  /** Of those that stay: no row that stays refers to them. `null`: an old archive, which does not name its large objects. */
  readonly orphans: number | null;
}

export interface VerificationEvidence {
  /** Rows found in the target that should not be there; 0 in every successful run. */
  readonly survivors: number;
  /** Values looked at in the target. */
  readonly values_checked: number;
  readonly columns_checked: number;
  /** Constraints in the target, all of them valid. */
  readonly constraints: number;
  readonly constraints_not_valid: number;
}

/** The sanitised copy that a run wrote, read back and found right. */
export interface ScrubEvidence {
  /** URL and key, without credentials. */
  readonly location: string;
  /** S3 version ID, or the ETag where there are no versions. */
  readonly version: string;
  /** Bytes of all its files. */
  readonly size: number;
  readonly format: string;
  readonly compression: string;
  /** With age. */
  readonly encrypted: boolean;
  /** Of the file, hex; where its beginning is known before its end. */
  readonly sha256?: string;
  /** It stands in the place of the original. */
  readonly replaced: boolean;
  /** Of the original, delete markers included. */
  readonly versions_removed: number;
}

export interface EvidenceDocument {
  readonly schema: typeof evidenceSchema;
  readonly outcome: RunOutcome;
  readonly run: string;
  readonly command: string;
  readonly tool: { readonly name: "sanitize"; readonly version: string; readonly node: string };
  readonly started_at: string;
  readonly finished_at: string;
  readonly backup?: BackupEvidence;
  readonly ledger?: LedgerEvidence;
  readonly policy?: { readonly digest: string };
  readonly plan?: { readonly digest: string };
  readonly tables?: readonly TableEvidence[];
  readonly requests?: readonly RequestEvidence[];
  readonly large_objects?: LargeObjectEvidence;
  readonly target?: {
    readonly database: string;
    readonly region: string | null;
    readonly server_version: string;
    readonly tls: string;
  };
  readonly go_live?: { readonly at: string; readonly age_seconds: number; readonly ledger_size: number };
  readonly verification?: VerificationEvidence;
  readonly scrub?: ScrubEvidence;
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
  readonly advice?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}
