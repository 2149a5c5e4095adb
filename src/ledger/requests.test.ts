import { describe, expect, test } from "vitest";
import { formatInstant } from "./instant.ts";
import type { ErasureRequest, LedgerRecord, RequestScope } from "./model.ts";
import type { RecordDraft } from "./record.ts";
import { defaultScopes, deriveRequests, scopeState, scopesOf } from "./requests.ts";
import { days, minutes, requestId, START } from "./testing/test-ledger.ts";

const defaults = scopesOf(new Map(Object.entries(defaultScopes).map(([scope, { action }]) => [scope, action])), START);

function record(seq: number, at: Date, draft: Partial<RecordDraft> & { type: RecordDraft["type"] }): LedgerRecord {
  const frame = { v: 1 as const, ledger_id: "test", prev_hash: "", sigs: [] };
  return { ...frame, seq, recorded_at: formatInstant(at), request_id: requestId(1), ...draft };
}

function erase(draft: Partial<RecordDraft> = {}): LedgerRecord {
  return record(1, START, {
    type: "erase",
    controller: "*",
    requested_at: formatInstant(START),
    cutoff_at: formatInstant(START),
    keys: [{ type: "email", epoch: 1, canon: "email/1", mac: "ab".repeat(32), tag: "00000000" }],
    scopes: defaults,
    ...draft,
  });
}

function derived(...records: LedgerRecord[]): ErasureRequest {
  const requests = deriveRequests(records);
  expect(requests).toHaveLength(1);
  return requests[0]!;
}

function scope(request: ErasureRequest, name: string): RequestScope {
  return request.scopes.find((candidate) => candidate.scope === name)!;
}

const released = (seq: number, at: Date, provider: string, releasedAt = at) =>
  record(seq, at, { type: "release", recipients: [{ provider, released_at: formatInstant(releasedAt) }] });

const withdrawn = (seq: number, at: Date, ...scopes: RequestScope[]) => record(seq, at, { type: "withdraw", scopes });

const amended = (seq: number, at: Date, draft: Partial<RecordDraft>) =>
  record(seq, at, { type: "amend", requested_at: formatInstant(at), ...draft });

const two = { recipients: [{ provider: "provider-1" }, { provider: "provider-2" }] };

describe("a request by its defaults", () => {
  test("deletes identity and uploads and anonymises reviews at once, and provider contact after thirty days", () => {
    const request = derived(erase());
    const at = (name: string) => [scope(request, name).action, scope(request, name).effective_at];
    expect(at("identity")).toEqual(["delete", formatInstant(START)]);
    expect(at("uploads")).toEqual(["delete", formatInstant(START)]);
    expect(at("reviews")).toEqual(["anonymise", formatInstant(START)]);
    expect(at("provider_contact")).toEqual(["delete", "2026-12-20T09:00:00.000Z"]);
  });

  test("thirty days are thirty times 24 hours, also over a month's end", () => {
    const scopes = scopesOf(new Map([["provider_contact", "delete"]]), new Date("2027-01-31T12:00:00Z"));
    expect(scopes[0]?.effective_at).toBe("2027-03-02T12:00:00.000Z");
  });

  test("on day 10 of the window: identity is effective, provider contact pending (scenario 3)", () => {
    const request = derived(erase());
    expect(scopeState(scope(request, "identity"), days(10))).toBe("effective");
    expect(scopeState(scope(request, "reviews"), days(10))).toBe("effective");
    expect(scopeState(scope(request, "provider_contact"), days(10))).toBe("pending");
  });

  test("the boundary is inclusive (scenario 4)", () => {
    const contact = scope(derived(erase()), "provider_contact");
    expect(scopeState(contact, days(30))).toBe("effective");
    expect(scopeState(contact, new Date(days(30).getTime() - 1))).toBe("pending");
  });
});

describe("release (scenario 5)", () => {
  test("by every provider on day 3 ends the window on day 3", () => {
    const request = derived(erase(two), released(2, days(2), "provider-1"), released(3, days(3), "provider-2"));
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(days(3)));
    expect(scopeState(scope(request, "identity"), START)).toBe("effective");
  });

  test("counts from the latest release, in whatever order they were recorded", () => {
    const request = derived(
      erase(two),
      released(2, days(4), "provider-1"),
      released(3, days(5), "provider-2", days(2)),
    );
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(days(4)));
  });

  test("by some providers only changes nothing", () => {
    const request = derived(erase(two), released(2, days(2), "provider-1"), released(3, days(2), "provider-1"));
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(days(30)));
  });

  test("on day 40 leaves it at day 30", () => {
    const request = derived(erase(two), released(2, days(3), "provider-1"), released(3, days(40), "provider-2"));
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(days(30)));
  });

  test("before the request ends the window at the request", () => {
    const request = derived(
      erase({ recipients: [{ provider: "provider-1" }] }),
      released(2, days(1), "provider-1", days(-5)),
    );
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(START));
  });

  test("is not undone by a recipient that comes later", () => {
    const request = derived(
      erase({ recipients: [{ provider: "provider-1" }] }),
      released(2, days(3), "provider-1"),
      amended(3, days(5), { recipients: [{ provider: "provider-2" }] }),
      released(4, days(9), "provider-2"),
    );
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(days(3)));
  });

  test("for a provider that is no recipient is a broken ledger", () => {
    expect(() => deriveRequests([erase(two), released(2, days(1), "provider-3")])).toThrowError(
      expect.objectContaining({ code: "ledger_broken" }),
    );
  });
});

describe("amendment", () => {
  test("anonymise, then delete: the later one wins (scenario 7)", () => {
    const request = derived(
      erase(),
      amended(9, days(9), { scopes: scopesOf(new Map([["reviews", "delete"]]), days(9)) }),
    );
    expect(scope(request, "reviews")).toEqual({
      scope: "reviews",
      action: "delete",
      effective_at: formatInstant(START),
    });
    expect(request.scopes).toHaveLength(4);
  });

  test("cannot weaken what is in effect, nor put it off", () => {
    const request = derived(
      erase(),
      amended(2, days(1), { scopes: scopesOf(new Map([["identity", "retain"]]), days(1)) }),
      amended(3, days(1), { scopes: scopesOf(new Map([["uploads", "delete"]]), days(1)) }),
      amended(4, days(29), { scopes: scopesOf(new Map([["provider_contact", "delete"]]), days(29)) }),
    );
    expect(scope(request, "identity")).toEqual(defaults[0]);
    expect(scope(request, "uploads").effective_at).toBe(formatInstant(START));
    expect(scope(request, "provider_contact").effective_at).toBe(formatInstant(days(30)));
  });

  test("can weaken what is pending", () => {
    const request = derived(
      erase(),
      amended(2, days(1), { scopes: scopesOf(new Map([["provider_contact", "retain"]]), days(1)) }),
    );
    expect(scope(request, "provider_contact").action).toBe("retain");
  });

  test("adds keys, each once", () => {
    const key = { type: "phone", epoch: 1, canon: "phone/1", mac: "cd".repeat(32), tag: "00000001" };
    const request = derived(
      erase(),
      amended(2, days(1), { keys: [key, erase().keys![0]!] }),
      amended(3, days(1), { keys: [key] }),
    );
    expect(request.keys).toEqual([erase().keys![0], key]);
  });
});

describe("withdrawal", () => {
  test("keeps the rows of pending scopes, and does not reach those in effect", () => {
    const request = derived(erase(), withdrawn(2, days(3), ...defaults));
    expect(scope(request, "provider_contact").action).toBe("retain");
    expect(request.scopes.filter(({ action }) => action === "delete").map((left) => left.scope)).toEqual([
      "identity",
      "uploads",
    ]);
  });

  test("at the very instant it takes effect is too late", () => {
    const request = derived(erase(), withdrawn(2, days(30), ...defaults));
    expect(scope(request, "provider_contact").action).toBe("delete");
  });

  test("can be followed by a new request for the scope, with a window of its own", () => {
    const request = derived(
      erase(),
      withdrawn(2, days(3), ...defaults),
      amended(3, days(5), { scopes: scopesOf(new Map([["provider_contact", "delete"]]), days(5)) }),
    );
    expect(scope(request, "provider_contact")).toMatchObject({
      action: "delete",
      effective_at: formatInstant(days(35)),
    });
  });
});

describe("records", () => {
  test("that are about no request leave requests alone; requests come in their order", () => {
    const second = erase({ request_id: requestId(2), cutoff_at: formatInstant(minutes(-10)), controller: "school-7" });
    const requests = deriveRequests([
      record(0, START, { type: "genesis" }),
      second,
      erase(),
      record(3, START, { type: "heartbeat" }),
    ]);
    expect(requests.map((request) => request.requestId)).toEqual([requestId(2), requestId(1)]);
    expect(requests[0]).toMatchObject({ requestedAt: START, cutoffAt: minutes(-10), controller: "school-7" });
  });
});
