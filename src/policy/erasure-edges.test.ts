import { describe, expect, test } from "vitest";
import { PolicyRefused } from "../errors.ts";
import { coverPolicy } from "./coverage.ts";
import { loadPolicy } from "./load.ts";
import type { Coverage } from "./model.ts";
import { copyParser, DumpBuilder } from "./testing/dump-builder.ts";

async function cover(rules: readonly string[], dump: DumpBuilder): Promise<Coverage> {
  const policy = await loadPolicy(`version: 1\ntables:\n${rules.map((rule) => `  ${rule}\n`).join("")}`, "policy.yaml");
  return coverPolicy(policy, dump, { timezone: null, parseCopy: await copyParser() });
}

async function refusal(rules: readonly string[], dump: DumpBuilder): Promise<string> {
  const error: unknown = await cover(rules, dump).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PolicyRefused);
  return (error as PolicyRefused).message;
}

/** `child(columns) -> parent(referenced)` for each edge. */
async function edgesOf(rules: readonly string[], dump: DumpBuilder): Promise<string[]> {
  const { edges } = await cover(rules, dump);
  return edges.map(
    (edge) =>
      `${edge.child.name}(${edge.columns.join()}) -> ${edge.parent.name}(${edge.referenced.join()}) ${edge.origin}`,
  );
}

const USERS = "public.users: { match: { account_id: id }, no_time: erase, action: delete }";
const shop = (rest = ""): DumpBuilder =>
  new DumpBuilder()
    .table("public.users", "id bigint NOT NULL, name text")
    .table("public.orders", "id bigint NOT NULL, user_id bigint, note text")
    .foreignKey("public.orders", "orders_user_id_fkey", "user_id", "public.users", "id", rest);

describe("via", () => {
  test("by name takes the foreign keys of the dump, all of them", async () => {
    const dump = shop()
      .table("public.pairs", "a bigint, b bigint")
      .foreignKey("public.pairs", "a_fk", "a", "public.users", "id")
      .foreignKey("public.pairs", "b_fk", "b", "public.users", "id");
    expect(
      await edgesOf([USERS, "public.orders: { via: public.users }", "public.pairs: { via: public.users }"], dump),
    ).toEqual(["orders(user_id) -> users(id) via", "pairs(a) -> users(id) via", "pairs(b) -> users(id) via"]);
  });

  test("several levels", async () => {
    const dump = shop()
      .table("public.lines", "id bigint, order_id bigint")
      .foreignKey("public.lines", "fk", "order_id", "public.orders", "id");
    expect(
      await edgesOf([USERS, "public.orders: { via: public.users }", "public.lines: { via: public.orders }"], dump),
    ).toEqual(["orders(user_id) -> users(id) via", "lines(order_id) -> orders(id) via"]);
  });

  test("spelled out, for keys that the schema does not declare; the declared key is the same edge", async () => {
    const dump = shop().table("public.ratings", "shop bigint, no text").table("public.slips", "shop bigint, no text");
    const rules = [
      USERS,
      "public.orders: { via: { columns: [user_id], references: public.users, referenced: [id] } }",
      "public.slips: { match: { account_id: shop }, no_time: erase, action: delete }",
      "public.ratings: { via: { columns: [shop, no], references: public.slips, referenced: [shop, no] } }",
    ];
    expect(await edgesOf(rules, dump)).toEqual([
      "orders(user_id) -> users(id) via",
      "ratings(shop,no) -> slips(shop,no) via",
    ]);
  });

  test("without a foreign key refuses, and says how to spell it out", async () => {
    const dump = shop().table("public.logs", "user_id bigint");
    expect(
      await refusal([USERS, "public.orders: { via: public.users }", "public.logs: { via: public.users }"], dump),
    ).toContain(
      "public.logs goes via public.users, and no foreign key of the dump joins them; hint: spell it out: via: { columns: […], references: public.users",
    );
  });

  test.each([
    ["public.users: unaffected", "whose rows are never erased: it is unaffected"],
    ["public.users: skip_data", "whose rows are never erased: it is skip_data"],
    [
      'public.users: { match: { account_id: id }, action: retain, basis: "Art. 17(3)(b)" }',
      "whose rows are never erased: its rule retains them",
    ],
  ])("to %s refuses", async (parent, expected) => {
    expect(await refusal([parent, "public.orders: { via: public.users }"], shop())).toContain(expected);
  });

  test("to a table that is not there, by columns that are not there, or of another type, refuses", async () => {
    const orders = (via: string) => [USERS, `public.orders: { via: ${via} }`];
    expect(await refusal(orders("public.nobody"), shop())).toContain(
      "goes via public.nobody, which is not in the dump",
    );
    expect(await refusal(orders("{ columns: [uid], references: public.users, referenced: [id] }"), shop())).toContain(
      "has no column uid (via.columns)",
    );
    expect(
      await refusal(orders("{ columns: [user_id], references: public.users, referenced: [uid] }"), shop()),
    ).toContain("which has no column uid (via.referenced)");
    expect(
      await refusal(orders("{ columns: [user_id], references: public.users, referenced: [name] }"), shop()),
    ).toContain("by columns of different types (user_id, name)");
  });

  test("a circle that no match leads to refuses; one that a match leads to does not", async () => {
    const dump = () =>
      shop()
        .table("public.emp", "id integer, boss integer, dept integer, user_id bigint")
        .table("public.dept", "id integer, head integer")
        .foreignKey("public.emp", "boss_fk", "boss", "public.emp", "id")
        .foreignKey("public.emp", "dept_fk", "dept", "public.dept", "id")
        .foreignKey("public.dept", "head_fk", "head", "public.emp", "id");
    const circle = [USERS, "public.orders: { via: public.users }", "public.dept: { via: public.emp }"];
    expect(await refusal([...circle, "public.emp: { via: [public.emp, public.dept] }"], dump())).toContain(
      "public.dept only goes via tables that no match leads to",
    );
    const met =
      "public.emp: { match: { account_id: user_id }, via: [public.emp, public.dept], no_time: erase, action: delete }";
    expect(await edgesOf([...circle, met], dump())).toEqual([
      "orders(user_id) -> users(id) via",
      "emp(boss) -> emp(id) via",
      "emp(dept) -> dept(id) via",
      "dept(head) -> emp(id) via",
    ]);
  });
});

describe("foreign keys to rows that may be deleted", () => {
  test("an unaffected child refuses", async () => {
    expect(await refusal([USERS, "public.orders: unaffected"], shop())).toContain(
      "public.orders refers to public.users by orders_user_id_fkey (user_id), and rows of public.users may be deleted; hint: classify public.orders with via: public.users, or by match",
    );
    expect(await refusal([USERS, "public.orders: unaffected"], shop(" ON DELETE SET NULL"))).toContain(
      "action: anonymise with set: { user_id: null }",
    );
  });

  test("skip_data, via, or a match by the key's column is enough; each but skip_data becomes an edge", async () => {
    expect(await edgesOf([USERS, "public.orders: skip_data"], shop())).toEqual([]);
    expect(
      await edgesOf(
        [USERS, "public.orders: { match: { account_id: user_id }, no_time: erase, action: delete }"],
        shop(),
      ),
    ).toEqual(["orders(user_id) -> users(id) foreign key"]);
  });

  test("a rule that looks elsewhere refuses", async () => {
    const dump = shop().foreignKey("public.orders", "second_fk", "id", "public.users", "id");
    const message = await refusal(
      [USERS, "public.orders: { match: { account_id: user_id }, no_time: erase, action: delete }"],
      dump,
    );
    expect(message).toContain(
      "by second_fk (id), and rows of public.users may be deleted, which its rule does not follow; hint: add via: public.users",
    );
    expect(message).toContain("1 problem:");
  });

  test("a row that stays must let go of the deleted one", async () => {
    const orders = (rest: string) => [
      USERS,
      `public.orders: { match: { account_id: user_id }, no_time: erase, ${rest} }`,
    ];
    expect(await refusal(orders("action: anonymise, set: { note: null }"), shop())).toContain(
      "while action: anonymise keeps the row and its reference; hint: set user_id to null or to a value",
    );
    expect(await refusal(orders('action: retain, basis: "Art. 17(3)(b)"'), shop())).toContain(
      "while action: retain keeps the row and its reference",
    );
    await expect(cover(orders("action: anonymise, set: { user_id: null }"), shop())).resolves.toBeDefined();
    await expect(cover(orders("action: anonymise, set: { user_id: { value: 1 } }"), shop())).resolves.toBeDefined();
    await expect(
      cover(orders('action: retain, basis: "Art. 17(3)(b)", set: { user_id: null }'), shop()),
    ).resolves.toBeDefined();
  });

  test("a child whose rows may be pending must let go meanwhile", async () => {
    const leads = (rest: string) => [
      USERS,
      `public.orders: { match: { account_id: user_id }, scope: provider_contact, no_time: erase, action: delete${rest} }`,
    ];
    expect(await refusal(leads(", pending: { set: { note: null } }"), shop())).toContain(
      "while its own rows may still be pending (scope provider_contact); hint: pending: { set: { user_id: null } }",
    );
    await expect(cover(leads(", pending: { set: { user_id: null } }"), shop())).resolves.toBeDefined();
    const together = USERS.replace("no_time", "scope: provider_contact, no_time");
    await expect(cover([together, ...leads("").slice(1)], shop())).resolves.toBeDefined();
  });

  test("an anonymised review may be deleted on request; what is anonymised in another scope, or only follows its parent, may not", async () => {
    const dump = () =>
      shop()
        .table("public.lines", "id bigint, order_id bigint")
        .foreignKey("public.lines", "fk", "order_id", "public.orders", "id");
    const rules = (orders: string) => [USERS, `public.orders: ${orders}`, "public.lines: unaffected"];
    expect(
      await refusal(
        rules(
          "{ match: { account_id: user_id }, scope: reviews, no_time: erase, action: anonymise, set: { user_id: null } }",
        ),
        dump(),
      ),
    ).toContain("rows of public.orders may be deleted");
    await expect(
      cover(
        rules("{ match: { account_id: user_id }, no_time: erase, action: anonymise, set: { user_id: null } }"),
        dump(),
      ),
    ).resolves.toBeDefined();
    await expect(
      cover(rules("{ via: public.users, action: anonymise, set: { user_id: null } }"), dump()),
    ).resolves.toBeDefined();
  });

  test("a table whose rows are not loaded at all leaves its children dangling", async () => {
    expect(await refusal(["public.users: skip_data", "public.orders: unaffected"], shop())).toContain(
      "none of its rows are loaded (skip_data); hint: classify public.orders as skip_data too",
    );
    await expect(cover(["public.users: skip_data", "public.orders: skip_data"], shop())).resolves.toBeDefined();
  });

  test("a foreign key of several columns lets go by a null, or by all values; MATCH FULL by all nulls only", async () => {
    const dump = (rest = "") =>
      new DumpBuilder()
        .table("public.users", "a bigint, b bigint")
        .table("public.orders", "a bigint, b bigint, note text")
        .foreignKey("public.orders", "fk", "a, b", "public.users", "a, b", rest);
    const rules = (set: string) => [
      USERS.replace("id }", "a }"),
      `public.orders: { match: { account_id: a }, no_time: erase, action: anonymise, set: { ${set} } }`,
    ];
    await expect(cover(rules("a: null"), dump())).resolves.toBeDefined();
    await expect(cover(rules("a: { value: 1 }, b: { value: 2 }"), dump())).resolves.toBeDefined();
    expect(await refusal(rules("a: { value: 1 }"), dump())).toContain("keeps the row and its reference");
    expect(await refusal(rules("a: null"), dump(" MATCH FULL"))).toContain("to null, which is MATCH FULL");
    await expect(cover(rules("a: null, b: null"), dump(" MATCH FULL"))).resolves.toBeDefined();
  });

  test("a change must not break keys: truncated or redacted references, altered referenced columns", async () => {
    const dump = () =>
      new DumpBuilder()
        .table("public.tags", "slug text")
        .table("public.posts", "author bigint, tag text")
        .foreignKey("public.posts", "tag_fk", "tag", "public.tags", "slug");
    expect(
      await refusal(
        [
          "public.tags: unaffected",
          "public.posts: { match: { account_id: author }, no_time: erase, action: anonymise, set: { tag: { redact: [names] } } }",
        ],
        dump(),
      ),
    ).toContain("truncates or redacts a column of its foreign key tag_fk");
    expect(
      await refusal(
        [
          "public.tags: { match: { slug: slug }, no_time: erase, action: anonymise, set: { slug: { value: x } } }",
          "public.posts: unaffected",
        ],
        dump(),
      ),
    ).toContain("changes column slug, which public.posts refers to by tag_fk");
  });

  test("odd names and self references", async () => {
    const name = '"My S"."Odd ""T"""';
    const dump = new DumpBuilder()
      .table(name, '"Id" bigint, "boss,id" bigint')
      .foreignKey(name, '"f k"', '"boss,id"', name, '"Id"', ' ON DELETE SET NULL ("boss,id")');
    const rule = (rest: string) => [`'${name}': { match: { account_id: Id }, ${rest}no_time: erase, action: delete }`];
    expect(await refusal(rule(""), dump)).toContain(
      '"My S"."Odd ""T""" refers to "My S"."Odd ""T""" by "f k" ("boss,id")',
    );
    const { edges, foreignKeys } = await cover(rule(`via: '${name}', `), dump);
    expect(edges).toMatchObject([{ columns: ["boss,id"], referenced: ["Id"] }]);
    expect(foreignKeys).toMatchObject([{ name: "f k", onDelete: "n", matchFull: false }]);
  });

  test("a foreign key that cannot be read refuses whatever it joins", async () => {
    const dump = shop().entry(
      "FK CONSTRAINT",
      "public",
      "x",
      "ALTER TABLE public.orders ADD CONSTRAINT x FOREIGN KEY NONSENSE;\n",
    );
    await expect(cover([USERS, "public.orders: { via: public.users }"], dump)).rejects.toMatchObject({
      code: "foreign_key_unreadable",
      message: `the foreign key of dump ID ${dump.toc.length} cannot be read`,
    });
  });
});

describe("partitions", () => {
  const dump = (): DumpBuilder =>
    shop()
      .schemaOnly("public.pay", "(id bigint, order_id bigint) PARTITION BY RANGE (id)")
      .table("public.pay_1", "id bigint, order_id bigint")
      .table("public.pay_2", "id bigint, order_id bigint")
      .partition("public.pay", "public.pay_1", "FOR VALUES FROM (1) TO (10)")
      .partition("public.pay", "public.pay_2");

  test("keys declared on leaves join the table that owns the rule, once", async () => {
    const leaves = dump()
      .foreignKey("public.pay_1", "one", "order_id", "public.orders", "id")
      .foreignKey("public.pay_2", "two", "order_id", "public.orders", "id");
    expect(
      await edgesOf([USERS, "public.orders: { via: public.users }", "public.pay: { via: public.orders }"], leaves),
    ).toEqual(["orders(user_id) -> users(id) via", "pay(order_id) -> orders(id) via"]);
    expect(await refusal([USERS, "public.orders: { via: public.users }", "public.pay: unaffected"], leaves)).toContain(
      "public.pay refers to public.orders by one",
    );
  });

  test("a key declared on the root binds every leaf with a rule of its own", async () => {
    const root = dump().foreignKey("public.pay", "root_fk", "order_id", "public.orders", "id");
    const rules = [USERS, "public.orders: { via: public.users }", "public.pay_1: { via: public.orders }"];
    expect(await refusal([...rules, "public.pay_2: unaffected"], root)).toContain(
      "public.pay_2 refers to public.orders by root_fk",
    );
    expect(await edgesOf([...rules, "public.pay_2: { via: public.orders }"], root)).toEqual([
      "orders(user_id) -> users(id) via",
      "pay_1(order_id) -> orders(id) via",
      "pay_2(order_id) -> orders(id) via",
    ]);
  });

  test("a key to a partitioned table leads to its leaves", async () => {
    const refunds = dump()
      .table("public.refunds", "pay_id bigint")
      .foreignKey("public.refunds", "fk", "pay_id", "public.pay", "id");
    const rules = [
      USERS,
      "public.orders: { via: public.users }",
      "public.pay_1: { match: { account_id: id }, no_time: erase, action: delete }",
      "public.pay_2: unaffected",
    ];
    expect(await refusal([...rules, "public.refunds: unaffected"], refunds)).toContain(
      "public.refunds refers to public.pay_1 by fk",
    );
    expect(await edgesOf([...rules, "public.refunds: { via: public.pay_1 }"], refunds)).toContain(
      "refunds(pay_id) -> pay_1(id) via",
    );
  });
});
