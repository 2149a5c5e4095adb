import { describe, expect, test } from "vitest";
import { cover, refusal } from "./testing/cover.ts";
import { DumpBuilder } from "./testing/dump-builder.ts";

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
