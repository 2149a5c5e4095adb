import { describe, expect, it } from "vitest";
import { makeRequest } from "../erasure/testing/tiny-dump.ts";
import { loadPolicy } from "../policy/load.ts";
import { checkMatchable, knownKinds } from "./matchable.ts";

const policy = async (match: string) =>
  await loadPolicy(
    `version: 1
subject: { table: public.users, account_id: id, phone: phone }
tables: { public.users: { match: { ${match} }, no_time: erase, action: delete } }`,
    "policy.yaml",
  );
const byPhone = makeRequest({ keys: { phone: ["0612345678"] } });
const byBoth = makeRequest({ keys: { phone: ["0612345678"], account_id: ["1"] } });

describe("requests that no rule can meet", () => {
  it("refuse the run and name the requests, not the people", async () => {
    const idOnly = await policy("account_id: id");
    expect(() => checkMatchable(idOnly, [byBoth])).not.toThrow();
    const refusal = {
      code: "unmatched_requests",
      exitCode: 5,
      message: expect.stringContaining(byPhone.requestId) as string,
    };
    expect(() => checkMatchable(idOnly, [byBoth, byPhone])).toThrow(expect.objectContaining(refusal));
    expect(() => checkMatchable(idOnly, [byPhone])).not.toThrow(/0612345678/);
  });

  it("refuse a rule that looks for a kind nobody has heard of", async () => {
    const typo = await policy("account_id: id, emial: mail");
    expect(() => checkMatchable(typo, [byBoth])).toThrow(expect.objectContaining({ code: "unknown_key_kind" }));
    expect(() => checkMatchable(typo, [])).not.toThrow();
    expect(() => checkMatchable(typo, [byBoth, makeRequest({ keys: { emial: ["x"] } })])).not.toThrow();
  });

  it("know the kinds that a request may name", async () => {
    expect([...knownKinds(await policy("member_no: no"))].sort()).toEqual([
      "account_id",
      "email",
      "member_no",
      "phone",
    ]);
  });
});
