import { describe, expect, test } from "vitest";
import { loadPolicy } from "./load.ts";
import { type Policy, type TableRule, tableKey } from "./model.ts";

const load = (tables: string, head = ""): Promise<Policy> =>
  loadPolicy(`version: 1\n${head}\ntables:\n  ${tables}\n`, "policy.yaml");

async function ruleOf(rule: string): Promise<TableRule> {
  const loaded = (await load(`public.t: ${rule}`)).tables.get('"public"."t"')?.rule;
  expect(loaded?.kind).toBe("rule");
  return loaded as TableRule;
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
