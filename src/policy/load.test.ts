import { describe, expect, test } from "vitest";
import { PolicyRefused } from "../errors.ts";
import { loadPolicy } from "./load.ts";
import { type Policy, type TableRule, tableKey } from "./model.ts";

const load = (tables: string, head = ""): Promise<Policy> =>
  loadPolicy(`version: 1\n${head}\ntables:\n  ${tables}\n`, "policy.yaml");

async function ruleOf(rule: string): Promise<TableRule> {
  const loaded = (await load(`public.t: ${rule}`)).tables.get('"public"."t"')?.rule;
  expect(loaded?.kind).toBe("rule");
  return loaded as TableRule;
}

async function refusal(text: Promise<unknown>): Promise<string> {
  const error: unknown = await text.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PolicyRefused);
  expect(error).toMatchObject({ code: "policy_invalid", exitCode: 5 });
  return (error as PolicyRefused).message;
}

describe("forms", () => {
  test("a direct match, with its defaults", async () => {
    expect(
      await ruleOf("{ match: { account_id: id, email: [email, old_email] }, created_at: at, action: delete }"),
    ).toEqual({
      kind: "rule",
      match: [
        { type: "account_id", column: "id", path: null, when: {} },
        { type: "email", column: "email", path: null, when: {} },
        { type: "email", column: "old_email", path: null, when: {} },
      ],
      via: [],
      scope: "identity",
      createdAt: "at",
      noTime: "fail",
      action: "delete",
      set: new Map(),
      pendingSet: new Map(),
      basis: null,
      retainFor: null,
      largeObjects: [],
      columns: null,
    });
  });

  test("paths, conditions and quoted columns", async () => {
    const { match } = await ruleOf(
      '{ match: { email: [{ column: data, path: "$.user.mail" }, { column: \'"Owner"\', when: { kind: User, level: 2, live: true } }] }, no_time: keep, action: delete }',
    );
    expect(match).toEqual([
      { type: "email", column: "data", path: ["user", "mail"], when: {} },
      { type: "email", column: "Owner", path: null, when: { kind: "User", level: "2", live: "t" } },
    ]);
  });

  test("changes", async () => {
    const { set, pendingSet } = await ruleOf(
      "{ match: { account_id: id }, no_time: erase, action: anonymise, set: { a: null, b: { value: 1 }, c: { value: null }, d: { truncate: month }, e: { redact: [phone, email] }, f: { value: '' } }, pending: { set: { g: { value: true } } } }",
    );
    expect([...set]).toEqual([
      ["a", { kind: "null" }],
      ["b", { kind: "value", value: 1 }],
      ["c", { kind: "null" }],
      ["d", { kind: "truncate", unit: "month" }],
      ["e", { kind: "redact", what: ["email", "phone"] }],
      ["f", { kind: "value", value: "" }],
    ]);
    expect([...pendingSet]).toEqual([["g", { kind: "value", value: true }]]);
  });

  test("via by name, spelled out, and several", async () => {
    const orders = { references: { schema: "public", name: "orders" }, columns: null, referenced: null };
    expect(await ruleOf("{ via: public.orders }")).toMatchObject({
      via: [orders],
      scope: null,
      action: "delete",
      noTime: "fail",
    });
    expect(
      (await ruleOf("{ via: [PUBLIC.Orders, { columns: [a, b], references: public.shops, referenced: [x, y] }] }")).via,
    ).toEqual([
      orders,
      { references: { schema: "public", name: "shops" }, columns: ["a", "b"], referenced: ["x", "y"] },
    ]);
  });

  test("what is kept, left alone or left out", async () => {
    const policy = await load(
      'public.a: unaffected\n  public.b: { unaffected: true, columns: { bio: free_text } }\n  public.c: skip_data\n  public.d: { match: { account_id: id }, action: retain, basis: "Art. 17(3)(b) tax", for: 7y, columns: [x] }',
    );
    expect([...policy.tables.values()].map(({ rule }) => rule)).toMatchObject([
      { kind: "unaffected", columns: null },
      { kind: "unaffected", columns: new Map([["bio", "free_text"]]) },
      { kind: "skip_data" },
      {
        kind: "rule",
        action: "retain",
        basis: "Art. 17(3)(b) tax",
        retainFor: "7y",
        noTime: "erase",
        columns: new Map([["x", "declared"]]),
      },
    ]);
  });

  test("subject, time zone, controller and positions", async () => {
    const policy = await load(
      '\'"S"."T"\': unaffected',
      "subject: { table: public.users, account_id: id, email: [email, old], member_no: no }\ntimezone: Europe/Amsterdam\ncontroller: provider-17",
    );
    expect(policy).toMatchObject({
      subject: {
        table: { schema: "public", name: "users" },
        keys: [
          { type: "account_id", column: "id" },
          { type: "email", column: "email" },
          { type: "email", column: "old" },
          { type: "member_no", column: "no" },
        ],
      },
      timezone: "Europe/Amsterdam",
      controller: "provider-17",
    });
    expect(policy.tables.get(tableKey({ schema: "S", name: "T" }))?.position).toBe("policy.yaml:6:3");
  });
});

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

describe("digest", () => {
  const one =
    "public.a: { match: { account_id: id, email: mail }, created_at: at, action: anonymise, set: { x: null, y: { value: 1 } } }\n  public.b: unaffected";

  test("does not depend on layout, comments, order or spelling", async () => {
    const other =
      '\'"public"."b"\': unaffected # comment\n  Public.A:\n    set: { y: { value: 1 }, \'"x"\': null }\n    action: anonymise\n    created_at: at\n    scope: identity\n    match: { email: [mail], account_id: id }';
    const [first, second] = [await load(one), await load(other)];
    expect(first.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(second.digest).toBe(first.digest);
  });

  test.each([
    one.replace("value: 1", "value: 2"),
    one.replace("value: 1", 'value: "1"'),
    one.replace("x: null", "z: null"),
    one.replace("created_at: at", "created_at: made"),
    one.replace("unaffected", "skip_data"),
    one.replace("email: mail", "phone: mail"),
    one.replace("created_at: at", "scope: reviews, created_at: at"),
  ])("depends on what is said: %#", async (changed) => {
    expect((await load(changed)).digest).not.toBe((await load(one)).digest);
  });

  test("depends on which columns pair up", async () => {
    const via = (columns: string) =>
      load(`public.a: { via: { columns: [${columns}], references: public.b, referenced: [x, y] } }`);
    expect((await via("a, b")).digest).not.toBe((await via("b, a")).digest);
  });

  test("depends on zone, controller and subject", async () => {
    const digests = await Promise.all(
      [
        "",
        "timezone: UTC",
        "controller: a",
        "subject: { table: public.a, email: x }",
        "subject: { table: public.a, phone: x }",
      ].map(async (head) => (await load(one, head)).digest),
    );
    expect(new Set(digests).size).toBe(5);
  });
});
