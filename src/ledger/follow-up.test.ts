import { describe, expect, test } from "vitest";
import { appendErase } from "./erase.ts";
import { appendAmend, appendRelease, appendWithdraw, heartbeat } from "./follow-up.ts";
import { formatInstant } from "./instant.ts";
import type { RequestScope } from "./model.ts";
import type { MemoryStore } from "./testing/memory-store.ts";
import { testKeySet } from "./testing/test-keys.ts";
import { days, minutes, requestId, START, writeLedger } from "./testing/test-ledger.ts";
import { TombstoneIndex } from "./tombstone-index.ts";
import { verifyLedger } from "./verify.ts";

const keys = testKeySet();
const id = requestId(1);

async function withRequest(): Promise<MemoryStore> {
  const store = writeLedger(keys, []);
  const input = { request_id: id, requested_at: formatInstant(START), recipients: ["provider-1", "provider-2"] };
  await appendErase(store, keys, { ...input, keys: { account_id: ["901"] }, controller: "school-7" }, minutes(1));
  return store;
}

async function requestOf(store: MemoryStore, now = days(41)) {
  const { requests } = await verifyLedger(store, keys, { now, maxStalenessMs: days(100).getTime() });
  return requests[0]!;
}

async function scope(store: MemoryStore, name: string): Promise<RequestScope | undefined> {
  return (await requestOf(store)).scopes.find((candidate) => candidate.scope === name);
}

function refusal(code: string): unknown {
  return expect.objectContaining({ name: "UsageError", code });
}

describe("heartbeat", () => {
  test("makes a ledger current without adding requests", async () => {
    const store = writeLedger(keys, []);
    expect(await heartbeat(store, keys, minutes(90))).toEqual({ seq: 1 });
    const ledger = await verifyLedger(store, keys, { now: minutes(91), maxStalenessMs: 60_000 });
    expect(ledger).toMatchObject({ size: 2, requests: [], freshAt: minutes(90) });
  });
});

describe("amend", () => {
  test("adds keys under the request's controller, and scopes", async () => {
    const store = await withRequest();
    await appendAmend(
      store,
      keys,
      { request_id: id, keys: { email: ["jan@voorbeeld.nl"] }, scopes: { reviews: "delete" } },
      days(9),
    );
    const request = await requestOf(store);
    expect(TombstoneIndex.build([request], keys).lookup("email", "jan@voorbeeld.nl")).toEqual([0]);
    expect(request.scopes.find(({ scope }) => scope === "reviews")).toMatchObject({ action: "delete" });
  });

  test("does not weaken what is in effect, but what is pending", async () => {
    const store = await withRequest();
    await expect(
      appendAmend(store, keys, { request_id: id, scopes: { identity: "retain" } }, days(1)),
    ).rejects.toThrowError(refusal("scope_effective"));
    await appendAmend(store, keys, { request_id: id, scopes: { provider_contact: "retain" } }, days(1));
    expect(await scope(store, "provider_contact")).toMatchObject({ action: "retain" });
  });

  test("of nothing, of unsound keys, or of an unknown request is refused", async () => {
    const store = await withRequest();
    const size = store.objects.size;
    await expect(appendAmend(store, keys, { request_id: id }, days(1))).rejects.toThrowError(refusal("erase_input"));
    await expect(
      appendAmend(store, keys, { request_id: id, keys: { email: ["geheim"] } }, days(1)),
    ).rejects.toThrowError(expect.not.stringContaining("geheim"));
    await expect(
      appendAmend(store, keys, { request_id: requestId(2), scopes: { reviews: "delete" } }, days(1)),
    ).rejects.toThrowError(refusal("unknown_request"));
    expect(store.objects.size).toBe(size);
  });
});

describe("withdraw", () => {
  test("takes back what is pending, once", async () => {
    const store = await withRequest();
    expect(await appendWithdraw(store, keys, { request_id: id }, days(3))).toMatchObject({ type: "withdraw", seq: 2 });
    expect(await appendWithdraw(store, keys, { request_id: id }, days(3))).toBeNull();
    expect(await scope(store, "provider_contact")).toMatchObject({ action: "retain" });
    expect(await scope(store, "identity")).toMatchObject({ action: "delete" });
  });

  test("is refused for a scope in effect, at the boundary too, and for what is no scope", async () => {
    const store = await withRequest();
    const withdraw = (scopes: string[], at: Date) => appendWithdraw(store, keys, { request_id: id, scopes }, at);
    await expect(withdraw(["identity"], days(1))).rejects.toThrowError(refusal("scope_effective"));
    await expect(withdraw(["provider_contact"], days(30))).rejects.toThrowError(refusal("scope_effective"));
    await expect(withdraw(["contact"], days(1))).rejects.toThrowError(refusal("erase_input"));
    expect(await withdraw(["provider_contact"], new Date(days(30).getTime() - 1))).not.toBeNull();
  });
});

describe("release", () => {
  const release = (store: MemoryStore, provider: string, at: Date, released_at?: string) =>
    appendRelease(store, keys, { request_id: id, provider, ...(released_at === undefined ? {} : { released_at }) }, at);

  test("by the last provider ends the window (scenario 5)", async () => {
    const store = await withRequest();
    await release(store, "provider-1", days(1));
    expect(await scope(store, "provider_contact")).toMatchObject({ effective_at: formatInstant(days(30)) });
    await release(store, "provider-2", days(3));
    expect(await scope(store, "provider_contact")).toMatchObject({ effective_at: formatInstant(days(3)) });
    expect(await release(store, "provider-2", days(4))).toBeNull();
  });

  test("late leaves day 30 (scenario 5)", async () => {
    const store = await withRequest();
    await release(store, "provider-1", days(1));
    await release(store, "provider-2", days(40));
    expect(await scope(store, "provider_contact")).toMatchObject({ effective_at: formatInstant(days(30)) });
  });

  test("by a stranger, or yet to come, is refused", async () => {
    const store = await withRequest();
    await expect(release(store, "provider-3", days(1))).rejects.toThrowError(refusal("unknown_recipient"));
    await expect(release(store, "jan@voorbeeld.nl", days(1))).rejects.toThrowError(refusal("erase_input"));
    await expect(release(store, "provider-1", days(1), formatInstant(days(2)))).rejects.toThrowError(
      refusal("erase_input"),
    );
    await expect(release(store, "provider-1", days(1), "gisteren")).rejects.toThrowError(refusal("erase_input"));
  });
});
