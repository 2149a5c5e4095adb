import { formatInstant } from "./instant.ts";
import type { ErasureRequest, KeyMac, LedgerRecord, RequestScope, ScopeAction, ScopeState } from "./model.ts";
import { brokenRecord } from "./record.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** What an erasure request asks for unless it says otherwise. `delayMs` counts from the request. */
export const defaultScopes: Readonly<Record<string, { readonly action: ScopeAction; readonly delayMs: number }>> = {
  identity: { action: "delete", delayMs: 0 },
  reviews: { action: "anonymise", delayMs: 0 },
  uploads: { action: "delete", delayMs: 0 },
  /** The window in which providers may still fetch the contact data of people who wrote to them. */
  provider_contact: { action: "delete", delayMs: 30 * DAY_MS },
};

/** Scopes of a request or amendment: the named ones with the given actions, effective by the defaults of each. */
export function scopesOf(actions: ReadonlyMap<string, ScopeAction>, requestedAt: Date): RequestScope[] {
  return [...actions].map(([scope, action]) => ({
    scope,
    action,
    effective_at: formatInstant(new Date(requestedAt.getTime() + (defaultScopes[scope]?.delayMs ?? 0))),
  }));
}

/** State of a scope at an instant; the boundary is inclusive: at `effective_at` itself it is effective. */
export function scopeState(scope: RequestScope, at: Date): ScopeState {
  return at.getTime() >= Date.parse(scope.effective_at) ? "effective" : "pending";
}

/** A request under derivation. */
interface OpenRequest extends ErasureRequest {
  readonly keys: KeyMac[];
  scopes: RequestScope[];
  /** Providers, and when each released; `null` while it has not. Most requests name none and share one empty map. */
  recipients: ReadonlyMap<string, string | null>;
}

const NO_RECIPIENTS: ReadonlyMap<string, string | null> = new Map();

/** The recipients with those of a record added. A provider's first release counts. */
function withRecipients(
  present: ReadonlyMap<string, string | null>,
  { recipients = [] }: LedgerRecord,
): ReadonlyMap<string, string | null> {
  if (recipients.length === 0) {
    return present;
  }
  const all = new Map(present);
  for (const { provider, released_at } of recipients) {
    all.set(provider, all.get(provider) ?? released_at ?? null);
  }
  return all;
}

const STRICTNESS: Readonly<Record<ScopeAction, number>> = { retain: 0, anonymise: 1, delete: 2 };

/** Applies records in their order; holds what they add up to. */
export class RequestBook {
  private readonly byId = new Map<string, OpenRequest>();
  /** A ledger repeats a handful of short texts a million times: one copy of each will do. */
  private readonly texts = new Map<string, string>();

  /** @throws LedgerRefused `ledger_broken` for a record about a request that is not there, or a request opened twice. */
  apply(record: LedgerRecord): void {
    switch (record.type) {
      case "erase":
        this.open(record);
        break;
      case "amend":
        this.amend(record, this.requestOf(record));
        break;
      case "withdraw":
        withdraw(record, this.requestOf(record));
        break;
      case "release":
        release(record, this.requestOf(record));
        break;
      case "genesis":
      case "heartbeat":
      case "key_epoch":
      case "restore":
        break;
    }
  }

  /** All requests, in the order in which they were recorded. */
  requests(): ErasureRequest[] {
    return [...this.byId.values()];
  }

  get(requestId: string): (ErasureRequest & { readonly recipients: ReadonlyMap<string, string | null> }) | undefined {
    return this.byId.get(requestId);
  }

  private open(record: LedgerRecord): void {
    const requestId = record.request_id!;
    if (this.byId.has(requestId)) {
      throw brokenRecord(record.seq, "it opens a request that an earlier record opened");
    }
    const requestedAt = new Date(record.requested_at!);
    this.byId.set(requestId, {
      requestId,
      seq: record.seq,
      controller: this.shared(record.controller!),
      requestedAt,
      cutoffAt: record.cutoff_at === record.requested_at ? requestedAt : new Date(record.cutoff_at!),
      keys: record.keys!.map((key) => this.sharedKey(key)),
      scopes: record.scopes!.map((scope) => this.sharedScope(scope, record.requested_at)),
      recipients: withRecipients(NO_RECIPIENTS, record),
    });
  }

  private amend(record: LedgerRecord, request: OpenRequest): void {
    const held = new Set(request.keys.map((key) => `${key.type}/${key.epoch}/${key.mac}`));
    for (const key of record.keys ?? []) {
      if (!held.has(`${key.type}/${key.epoch}/${key.mac}`)) {
        request.keys.push(this.sharedKey(key));
      }
    }
    for (const scope of record.scopes ?? []) {
      const present = request.scopes.find((candidate) => candidate.scope === scope.scope);
      const amended = present === undefined ? scope : amendedScope(present, scope, record.recorded_at);
      request.scopes = [...request.scopes.filter((candidate) => candidate !== present), this.sharedScope(amended)];
    }
    request.recipients = withRecipients(request.recipients, record);
  }

  private requestOf(record: LedgerRecord): OpenRequest {
    const request = this.byId.get(record.request_id!);
    if (request === undefined) {
      throw brokenRecord(record.seq, "it is about a request that no record opened");
    }
    return request;
  }

  private sharedKey(key: KeyMac): KeyMac {
    return { ...key, type: this.shared(key.type), canon: this.shared(key.canon) };
  }

  /** Most scopes take effect at the request: they share the text of that time. */
  private sharedScope({ scope, action, effective_at }: RequestScope, time?: string): RequestScope {
    return { scope: this.shared(scope), action, effective_at: effective_at === time ? time : effective_at };
  }

  private shared(text: string): string {
    const known = this.texts.get(text);
    if (known !== undefined) {
      return known;
    }
    this.texts.set(text, text);
    return text;
  }
}

/** Derives all requests from the records of a ledger, given in their order. */
export function deriveRequests(records: Iterable<LedgerRecord>): ErasureRequest[] {
  const book = new RequestBook();
  for (const record of records) {
    book.apply(record);
  }
  return book.requests();
}

/** The later action wins, unless the earlier one is stricter and has taken effect; effects are never put off. */
function amendedScope(present: RequestScope, next: RequestScope, recordedAt: string): RequestScope {
  const stricter = STRICTNESS[next.action] >= STRICTNESS[present.action];
  if (!stricter) {
    return present.effective_at <= recordedAt ? present : next;
  }
  // A scope that stays (retained, withdrawn) has no effect that could be put off.
  if (present.action === "retain" || next.effective_at <= present.effective_at) {
    return next;
  }
  return { ...next, effective_at: present.effective_at };
}

/**
 * A withdrawn scope stays on the request with the action `retain`: its rows stay as they are. Left out, it would be taken
 * for a scope that the request never spoke of. Scopes in effect are out of its reach.
 */
function withdraw(record: LedgerRecord, request: OpenRequest): void {
  const named = new Set(record.scopes!.map((scope) => scope.scope));
  request.scopes = request.scopes.map((scope) =>
    named.has(scope.scope) && scope.effective_at > record.recorded_at
      ? { scope: scope.scope, action: "retain", effective_at: record.recorded_at }
      : scope,
  );
}

/** When the last recipient has released, the window for providers ends there, if it has not ended before. */
function release(record: LedgerRecord, request: OpenRequest): void {
  for (const { provider, released_at } of record.recipients!) {
    if (!request.recipients.has(provider) || released_at === undefined) {
      throw brokenRecord(
        record.seq,
        "it releases for a provider that is no recipient of the request, or without a time",
      );
    }
  }
  request.recipients = withRecipients(request.recipients, record);
  const released = [...request.recipients.values()];
  if (released.includes(null)) {
    return;
  }
  const last = [formatInstant(request.requestedAt), ...released.filter((time) => time !== null)].sort().at(-1)!;
  request.scopes = request.scopes.map((scope) =>
    scope.scope === "provider_contact" && scope.action !== "retain" && last < scope.effective_at
      ? { ...scope, effective_at: last }
      : scope,
  );
}
