import { describe, expect, test } from "vitest";
import { PolicyRefused } from "../errors.ts";
import { loadPolicy } from "./load.ts";
import type { Policy } from "./model.ts";

const load = (tables: string, head = ""): Promise<Policy> =>
  loadPolicy(`version: 1\n${head}\ntables:\n  ${tables}\n`, "policy.yaml");

async function refusal(text: Promise<unknown>): Promise<string> {
  const error: unknown = await text.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PolicyRefused);
  expect(error).toMatchObject({ code: "policy_invalid", exitCode: 5 });
  return (error as PolicyRefused).message;
}

describe("refused", () => {
  test.each([
    [
      "an unknown key",
      "public.t: { match: { account_id: id }, no_time: keep, acton: delete }",
      'public.t".acton: unknown key',
    ],
    ["an unknown class", "public.t: ignored", "expected a rule (match or via), unaffected, or skip_data"],
    ["neither match nor via", "public.t: { action: delete }", "a rule needs match or via"],
    [
      "no action",
      "public.t: { match: { account_id: id }, no_time: keep }",
      "needs an action: delete, anonymise or retain",
    ],
    [
      "no time",
      "public.t: { match: { account_id: id }, action: delete }",
      "rows without a time column cannot be compared with the cut-off; hint: name created_at, or say no_time: erase or no_time: keep",
    ],
    [
      "no time, said so",
      "public.t: { match: { account_id: id }, no_time: fail, action: delete }",
      "no_time: rows without a time column",
    ],
    [
      "no time of a minimised row",
      'public.t: { match: { account_id: id }, action: retain, basis: "Art. 17(3)(b)", set: { a: null } }',
      "rows without a time column",
    ],
    ["retain without basis", "public.t: { match: { account_id: id }, action: retain }", "retain needs a legal basis"],
    [
      "retain with any basis",
      "public.t: { match: { account_id: id }, action: retain, basis: we like it }",
      "basis: retain needs a legal basis",
    ],
    [
      "basis without retain",
      'public.t: { match: { account_id: id }, no_time: keep, action: delete, basis: "Art. 17(3)(b)" }',
      "belong to action: retain only",
    ],
    [
      "anonymise without set",
      "public.t: { match: { account_id: id }, no_time: keep, action: anonymise }",
      "anonymise needs set",
    ],
    [
      "anonymise with an empty set",
      "public.t: { match: { account_id: id }, no_time: keep, action: anonymise, set: {} }",
      "anonymise needs set",
    ],
    [
      "delete with set",
      "public.t: { match: { account_id: id }, no_time: keep, action: delete, set: { a: null } }",
      "set has no effect with action: delete",
    ],
    [
      "hashing",
      "public.t: { match: { account_id: id }, no_time: keep, action: anonymise, set: { a: { hash: sha256 } } }",
      "set.a: expected null, { value: … }, { truncate: month } or { redact: [email, phone, names] }",
    ],
    [
      "masking",
      "public.t: { match: { account_id: id }, no_time: keep, action: anonymise, set: { a: mask } }",
      "set.a: expected null",
    ],
    [
      "an unknown unit",
      "public.t: { match: { account_id: id }, no_time: keep, action: anonymise, set: { a: { truncate: decade } } }",
      'set.a.truncate: expected one of "year"',
    ],
    [
      "redacting nothing",
      "public.t: { match: { account_id: id }, no_time: keep, action: anonymise, set: { a: { redact: [] } } }",
      "set.a.redact",
    ],
    [
      "an unknown scope",
      "public.t: { match: { account_id: id }, scope: review, no_time: keep, action: delete }",
      "scope: expected one of",
    ],
    [
      "a scope of via alone",
      "public.t: { via: public.u, scope: reviews }",
      "scope: a rule that only has via takes the scope",
    ],
    [
      "a time of via alone",
      "public.t: { via: public.u, created_at: at }",
      "created_at: a rule that only has via takes",
    ],
    [
      "columns without referenced",
      "public.t: { via: { columns: [a], references: public.u } }",
      "via: columns and referenced belong together",
    ],
    [
      "lists of different length",
      "public.t: { via: { columns: [a, b], references: public.u, referenced: [x] } }",
      "columns and referenced belong together",
    ],
    [
      "a column twice in via",
      "public.t: { via: { columns: [a, a], references: public.u, referenced: [x, y] } }",
      "via.columns: names a column twice",
    ],
    [
      "a column twice, once quoted",
      `public.t: { match: { account_id: id }, no_time: keep, action: anonymise, set: { a: null, '"a"': { value: 1 } } }`,
      "names a column twice",
    ],
    [
      "a bad path",
      'public.t: { match: { account_id: { column: d, path: "user.id" } }, no_time: keep, action: delete }',
      "path: not a path this tool reads",
    ],
    [
      "a bad key type",
      "public.t: { match: { AccountId: id }, no_time: keep, action: delete }",
      "a key type is written like account_id",
    ],
    [
      "large objects of a retained row",
      'public.t: { match: { account_id: id }, action: retain, basis: "Art. 17(3)(b)", large_objects: [a] }',
      "large_objects: large objects go with deleted rows",
    ],
    [
      "keep_for",
      "public.t: { keep_for: 4d, match: { account_id: id }, created_at: at, action: delete }",
      "keep_for: keep_for is not yet supported",
    ],
    ["a name without schema", "t: unaffected", "tables.t: a table's name needs its schema; hint: write public.t"],
    ["via a name without schema", "public.t: { via: u }", "via: a table's name needs its schema"],
    ["the same table twice", "public.t: unaffected\n  PUBLIC.T: skip_data", "names the same table as policy.yaml:4:3"],
    ["unaffected: false", "public.t: { unaffected: false }", ".unaffected: unknown key"],
  ])("%s", async (_name, tables, expected) => {
    const message = await refusal(load(tables));
    expect(message).toContain(expected);
    expect(message).toMatch(/\n {2}policy\.yaml:\d+:\d+ /);
  });

  test.each([
    ["a missing version", "tables: {}", "version: missing"],
    ["another version", "version: 2\ntables: {}", "version: expected 1"],
    ["no tables", "version: 1", "tables: missing"],
    [
      "an unknown zone",
      "version: 1\ntimezone: Mars/Olympus\ntables: {}",
      "policy.yaml:2:11 timezone: unknown time zone",
    ],
    ["an unknown top-level key", "version: 1\ntabels: {}\ntables: {}", "policy.yaml:2:1 tabels: unknown key"],
    ["a subject without keys", "version: 1\nsubject: { table: public.u }\ntables: {}", "subject: names no key"],
    ["a subject without table", "version: 1\nsubject: { email: e }\ntables: {}", "subject.table: missing"],
    [
      "a subject's odd key type",
      "version: 1\nsubject: { table: public.u, E-Mail: e }\ntables: {}",
      'subject."E-Mail": a key type is written like account_id',
    ],
  ])("%s", async (_name, text, expected) => {
    expect(await refusal(loadPolicy(text, "policy.yaml"))).toContain(expected);
  });

  test("everything at once", async () => {
    const message = await refusal(
      load(
        "t: unaffected\n  public.a: { action: delete }\n  public.b: { match: { account_id: id }, action: retain }",
        "timezone: Nowhere/At",
      ),
    );
    expect(message).toContain("the policy has 4 problems:");
  });
});
