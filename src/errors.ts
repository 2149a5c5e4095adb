/**
 * Every way a run can end badly, one class per exit code (DESIGN §3).
 *
 * A message states a lower-case fact: what, where (table, dump ID, row number, byte offset). A hint says what to do next.
 * Neither may ever hold a row's bytes, an identifier of a person, or a secret: messages reach logs and reports.
 */

/** What an error may carry beside its message. `code` is stable and snake_case: scripts match on it. */
export interface ErrorDetails {
  readonly code: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base of all errors that are shown to the user as they are; anything else that surfaces is a bug (exit 1). */
export abstract class SanitizeError extends Error {
  abstract readonly exitCode: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.hint = details.hint;
  }
}

/** Wrong flags, wrong configuration file, or something the configuration names cannot be used. */
export class UsageError extends SanitizeError {
  readonly exitCode = 2;
}

/** The backup may not be restored: too old, in the wrong region, not there. */
export class BackupRefused extends SanitizeError {
  readonly exitCode = 3;
}

/** The ledger of erasure requests is broken, forked, truncated, stale or unreadable. */
export class LedgerRefused extends SanitizeError {
  readonly exitCode = 4;
}

/** The policy does not cover the dump, or would leave it inconsistent. */
export class PolicyRefused extends SanitizeError {
  readonly exitCode = 5;
}

/** The target may not or cannot be loaded: not empty, wrong region, no TLS, missing role or privilege. */
export class TargetRefused extends SanitizeError {
  readonly exitCode = 6;
}

/** The archive is damaged, truncated, or of a kind or version this tool does not know. */
export class ArchiveDamaged extends SanitizeError {
  readonly exitCode = 7;
}

/** The store or the network failed, and retrying did not help. */
export class SourceFailed extends SanitizeError {
  readonly exitCode = 8;
}

/** PostgreSQL refused a statement or the connection broke. */
export class PostgresFailed extends SanitizeError {
  readonly exitCode = 9;
}

/** What was loaded is not what was promised: a survivor, or counts that do not add up. */
export class VerificationFailed extends SanitizeError {
  readonly exitCode = 10;
}

/** SIGINT, SIGTERM or an aborted signal. */
export class Interrupted extends SanitizeError {
  readonly exitCode = 130;

  constructor(message = "interrupted", cause?: unknown) {
    super(message, { code: "interrupted", hint: "nothing was left servable; run the same command again", cause });
  }
}

/** Throws {@link Interrupted} when the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw signal.reason instanceof SanitizeError ? signal.reason : new Interrupted("interrupted", signal.reason);
  }
}

/** The exit code of any thrown value: 1 (a bug) for everything that is not ours. */
export function exitCodeOf(error: unknown): number {
  return error instanceof SanitizeError ? error.exitCode : 1;
}
