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
