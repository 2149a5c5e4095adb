/**
 * Records about requests that are there: heartbeat, amendment, withdrawal, release. ERASURE §2.2.
 *
 * Invariant: what they ask for is decided against the ledger as it is when the record is created, and is the same as what
 * {@link RequestBook} will make of it; asking for what is already so records nothing.
 */
import { UsageError } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { keyMacs } from "./erase.ts";
import { checkEraseInput, type EraseInput, inputError } from "./erase-input.ts";
import { CLOCK_SKEW_MS, formatInstant, parseInstant } from "./instant.ts";
import type { KeySet } from "./key-set.ts";
import type { LedgerRecord, RequestScope, ScopeAction } from "./model.ts";
import type { RecordDraft } from "./record.ts";
import { OPAQUE_NAME } from "./record-schema.ts";
import { defaultScopes, type RequestBook, scopeState, scopesOf } from "./requests.ts";
import { LedgerWriter } from "./writer.ts";

/** Shows that the ledger is alive: "no requests" and "nobody writes" can be told apart. */
export async function heartbeat(store: ObjectStore, keys: KeySet, now: Date): Promise<{ readonly seq: number }> {
  const writer = await LedgerWriter.openEnd(store, keys);
  const record = await writer.append(() => ({ type: "heartbeat" }), now);
  await writer.publish(now);
  return { seq: record!.seq };
}

/** What an amendment adds; at least one of the three. */
export interface AmendInput {
  readonly request_id: string;
  readonly keys?: EraseInput["keys"];
  readonly scopes?: Readonly<Record<string, ScopeAction>>;
  readonly recipients?: readonly string[];
}

/**
 * Adds keys, scopes or recipients to a request. A scope in effect can be made stricter, not weaker.
 * @throws UsageError `erase_input`, `unknown_request`, or `scope_effective` for a scope that cannot be weakened any more.
 */
export async function appendAmend(
  store: ObjectStore,
  keys: KeySet,
  input: AmendInput,
  now: Date,
): Promise<LedgerRecord> {
  const where = "the amendment";
  // The schema of requests demands keys; an amendment may go without.
  const { keys: identifiers, ...rest } = input;
  checkEraseInput({ ...rest, keys: identifiers ?? { account_id: ["0"] } }, where);
  const scopes = scopesOf(new Map(Object.entries(input.scopes ?? {})), now);
  const recipients = [...new Set(input.recipients ?? [])].sort().map((provider) => ({ provider }));
  if (identifiers === undefined && scopes.length === 0 && recipients.length === 0) {
    throw inputError(where, "it amends nothing", "give keys, scopes or recipients");
  }
  const record = await appendAbout(store, keys, input.request_id, now, (request) => {
    for (const { scope, action } of scopes) {
      refuseWeakening(request.scopes, scope, action, now);
    }
    return {
      type: "amend",
      requested_at: formatInstant(now),
      ...(identifiers === undefined ? {} : { keys: keyMacs(identifiers, request.controller, keys, keys.currentEpoch) }),
      ...(scopes.length === 0 ? {} : { scopes }),
      ...(recipients.length === 0 ? {} : { recipients }),
    };
  });
  return record!;
}

const STRICTNESS: Readonly<Record<ScopeAction, number>> = { retain: 0, anonymise: 1, delete: 2 };

function refuseWeakening(scopes: readonly RequestScope[], name: string, action: ScopeAction, now: Date): void {
  const present = scopes.find(({ scope }) => scope === name);
  if (
    present !== undefined &&
    STRICTNESS[action] < STRICTNESS[present.action] &&
    scopeState(present, now) === "effective"
  ) {
    throw tooLate(name);
  }
}

/**
 * Takes back pending scopes of a request: those named, or all of them. Their rows stay.
 * @returns the record, or `null` when there was nothing pending left to withdraw.
 * @throws UsageError `unknown_request`, or `scope_effective` when a scope named is in effect.
 */
export async function appendWithdraw(
  store: ObjectStore,
  keys: KeySet,
  input: { readonly request_id: string; readonly scopes?: readonly string[] },
  now: Date,
): Promise<LedgerRecord | null> {
  if (input.scopes?.some((scope) => !Object.hasOwn(defaultScopes, scope)) === true) {
    throw inputError(
      "the withdrawal",
      "it names something that is no scope",
      `the scopes are ${Object.keys(defaultScopes).join(", ")}`,
    );
  }
  return appendAbout(store, keys, input.request_id, now, (request) => {
    const concerned = request.scopes.filter(
      ({ scope, action }) => action !== "retain" && (input.scopes?.includes(scope) ?? true),
    );
    const pending = concerned.filter((scope) => scopeState(scope, now) === "pending");
    if (input.scopes !== undefined && pending.length < concerned.length) {
      throw tooLate(concerned.find((scope) => !pending.includes(scope))!.scope);
    }
    return pending.length === 0 ? null : { type: "withdraw", scopes: pending };
  });
}

/**
 * Notes that a provider has released the contact data; when the last one has, the window ends.
 * @returns the record, or `null` when that provider had released before.
 * @throws UsageError `erase_input`, `unknown_request`, `unknown_recipient`.
 */
export async function appendRelease(
  store: ObjectStore,
  keys: KeySet,
  input: { readonly request_id: string; readonly provider: string; readonly released_at?: string },
  now: Date,
): Promise<LedgerRecord | null> {
  const releasedAt = input.released_at === undefined ? now : parseInstant(input.released_at);
  if (!OPAQUE_NAME.test(input.provider)) {
    throw inputError("the release", "provider is not an opaque name", "give the name that the request lists");
  }
  if (releasedAt === null || releasedAt.getTime() > now.getTime() + CLOCK_SKEW_MS) {
    throw inputError(
      "the release",
      "released_at is no date and time with zone, or yet to come",
      "write it like 2026-11-20T09:00:00Z",
    );
  }
  return appendAbout(store, keys, input.request_id, now, (request) => {
    const released = request.recipients.get(input.provider);
    if (released === undefined) {
      throw new UsageError("the provider is no recipient of the request", {
        code: "unknown_recipient",
        hint: "see its recipients with: sanitize ledger show; add one by an amendment",
      });
    }
    const recipients = [{ provider: input.provider, released_at: formatInstant(releasedAt) }];
    return released === null ? { type: "release", recipients } : null;
  });
}

type KnownRequest = NonNullable<ReturnType<RequestBook["get"]>>;

async function appendAbout(
  store: ObjectStore,
  keys: KeySet,
  requestId: string,
  now: Date,
  draft: (request: KnownRequest) => Omit<RecordDraft, "request_id"> | null,
): Promise<LedgerRecord | null> {
  const id = requestId.toLowerCase();
  const writer = await LedgerWriter.openWhole(store, keys);
  const record = await writer.append(() => {
    const request = writer.book.get(id);
    if (request === undefined) {
      throw new UsageError("the ledger has no request with that request_id", {
        code: "unknown_request",
        hint: "see the requests with: sanitize ledger show",
      });
    }
    const drafted = draft(request);
    return drafted === null ? null : { ...drafted, request_id: id };
  }, now);
  await writer.publish(now);
  return record;
}

function tooLate(scope: string): UsageError {
  return new UsageError(`scope ${scope} of the request is in effect: it can be neither weakened nor withdrawn`, {
    code: "scope_effective",
    hint: "what has been erased cannot come back; only pending scopes can be changed",
  });
}
