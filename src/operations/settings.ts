/** What an operation needs to know, resolved: the command line reads it from sanitize.yaml, a program may build it itself. */
import type { StoreLocation } from "../storage/open-store.ts";

export interface SourceSettings {
  readonly location: StoreLocation;
  /** Declared region of the bucket; `null` for folders. */
  readonly region: string | null;
  /** IANA zone of the machine that makes the dumps. */
  readonly timezone: string | null;
  /** Which database of a pg_dumpall script. */
  readonly database?: string;
  /** File with age identities, and file with an age passphrase, for backups that are encrypted. */
  readonly ageIdentityFile?: string;
  readonly agePassphraseFile?: string;
}

export type TlsMode = "verify-full" | "require" | "disable";

export interface TargetSettings {
  /** postgres:// URL that names the database to come. Holds the password: never for messages. */
  readonly url: string;
  readonly region: string | null;
  readonly allowedHosts: readonly string[];
  readonly tls: TlsMode;
  readonly caFile: string | null;
}

export interface LedgerSettings {
  readonly location: StoreLocation;
  readonly keyFile: string;
  /** Milliseconds. */
  readonly maxStaleness: number;
}

export interface EvidenceSettings {
  readonly location: StoreLocation;
  /** PEM of its own; `null`: the evidence key of the ledger's key file. */
  readonly signingKeyFile: string | null;
}

export interface Settings {
  readonly source: SourceSettings;
  readonly target: TargetSettings | null;
  readonly ledger: LedgerSettings;
  readonly policyFile: string;
  readonly limits: {
    /** Milliseconds, at most 120 hours. */
    readonly maxBackupAge: number;
    readonly jobs: number;
    /** Bytes of content that one stored byte may expand to, above 1. */
    readonly maxExpansion?: number;
  };
  readonly evidence: EvidenceSettings | null;
}

/** What reading a backup needs of them. */
export type ReadingSettings = Pick<Settings, "source" | "limits">;

/** What the running operation says of itself; rendering is the command line's. */
export type RunEvent =
  | { readonly type: "phase"; readonly name: string }
  | { readonly type: "size"; readonly tables: number; readonly bytes: number }
  | {
      readonly type: "table";
      readonly table: string;
      readonly state: "started" | "done";
      readonly rows: number;
      readonly seconds: number;
    }
  | { readonly type: "progress"; readonly rows: number; readonly bytes: number }
  | { readonly type: "steps"; readonly done: number; readonly total: number }
  | { readonly type: "note"; readonly text: string };

export interface RunContext {
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** The clock; a program may bring its own. */
  readonly now: () => Date;
  readonly onEvent: (event: RunEvent) => void;
}
