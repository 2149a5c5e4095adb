import { describe, expect, test } from "vitest";
import { coverPolicy } from "./coverage.ts";
import { draftPolicy } from "./draft.ts";
import { loadPolicy } from "./load.ts";
import type { Coverage, TableClass } from "./model.ts";
import { copyParser, DumpBuilder } from "./testing/dump-builder.ts";

const draftOf = async (dump: DumpBuilder): Promise<string> => draftPolicy(dump, { parseCopy: await copyParser() });

async function checked(text: string, dump: DumpBuilder): Promise<Coverage> {
  return coverPolicy(await loadPolicy(text, "policy.yaml"), dump, { timezone: null, parseCopy: await copyParser() });
}

async function classOf(text: string, table: string): Promise<TableClass | undefined> {
  return (await loadPolicy(text, "policy.yaml")).tables.get(`"public"."${table}"`)?.rule;
}

const TIME = "created_at timestamp with time zone NOT NULL";
const shop = (): DumpBuilder =>
  new DumpBuilder()
    .table("public.users", `id bigint NOT NULL, email text, phone text, ${TIME}`)
    .constraint("public.users", "users_pkey PRIMARY KEY (id)");

describe("what the schema settles", () => {
  test("a shop without doubts is covered as drafted", async () => {
    const dump = shop()
      .table("public.messages", `id bigint, user_id bigint, body text, ${TIME}`)
      .table("public.files", "id bigint, message_id bigint NOT NULL")
      .table("public.logins", `id bigint, account_id bigint, ${TIME}`)
      .table("public.devices", "id bigint, user_id bigint")
      .table("public.visits", "id bigint, device_id bigint")
      .table("public.courses", "id bigint, title text")
      .foreignKey("public.messages", "a", "user_id", "public.users", "id")
      .foreignKey("public.files", "b", "message_id", "public.messages", "id", " ON DELETE CASCADE")
      .foreignKey("public.devices", "c", "user_id", "public.users", "id")
      .foreignKey("public.visits", "d", "device_id", "public.devices", "id", " ON DELETE SET NULL");
    const text = await draftOf(dump);
    expect(text).not.toContain("DECIDE:");
    const { edges } = await checked(text, dump);
    expect(edges.map((edge) => `${edge.child.name} -> ${edge.parent.name}`).sort()).toEqual([
      "devices -> users",
      "files -> messages",
      "messages -> users",
      "visits -> devices",
    ]);
    expect(await classOf(text, "messages")).toMatchObject({
      match: [{ type: "account_id", column: "user_id" }],
      createdAt: "created_at",
      action: "delete",
    });
    expect(await classOf(text, "logins")).toMatchObject({ match: [{ column: "account_id" }], createdAt: "created_at" });
    expect(await classOf(text, "devices")).toMatchObject({ match: [], via: [{ references: { name: "users" } }] });
    expect(await classOf(text, "visits")).toMatchObject({
      action: "anonymise",
      set: new Map([["device_id", { kind: "null" }]]),
    });
    expect(await classOf(text, "courses")).toMatchObject({ kind: "unaffected" });
  });

  test("columns of ruled tables are listed, so that a new one is noticed", async () => {
    const text = await draftOf(shop());
    await expect(checked(text, shop())).resolves.toBeDefined();
    const grown = new DumpBuilder().table(
      "public.users",
      `id bigint NOT NULL, email text, phone text, ${TIME}, nickname text`,
    );
    await expect(checked(text, grown)).rejects.toThrow("has a column nickname that its rule does not name");
  });

  test("odd names survive", async () => {
    const odd = '"My S"."Odd\n""T"""';
    const dump = shop()
      .table(odd, '"a""b" bigint, "userId" bigint, "true" text, "createdAt" timestamp with time zone')
      .foreignKey(odd, "k", '"userId"', "public.users", "id");
    const { tables } = await checked(await draftOf(dump), dump);
    expect([...tables.values()].at(-1)).toMatchObject({
      name: { schema: "My S", name: 'Odd\n"T"' },
      rule: { kind: "rule", createdAt: "createdAt" },
    });
  });
});

describe("what only a person can decide is left out, so that the check refuses", () => {
  test.each([
    ["shared content", "reviews", `id bigint, user_id bigint, body text, ${TIME}`, "does it stay without its author?"],
    ["accounting", "invoices", `id bigint, user_id bigint, ${TIME}`, "which tax law may oblige you to keep"],
    ["two people", "tickets", `id bigint, user_id bigint, author_id bigint, ${TIME}`, "whose are its rows?"],
    ["a handler", "jobs", `id bigint, user_id bigint, assigned_to bigint, ${TIME}`, "whose are its rows?"],
  ])("%s", async (_name, table, columns, why) => {
    const dump = shop()
      .table(`public.${table}`, columns)
      .foreignKey(`public.${table}`, "k", "user_id", "public.users", "id");
    const other = /author_id|assigned_to/.exec(columns)?.[0];
    if (other !== undefined) {
      dump.foreignKey(`public.${table}`, "k2", other, "public.users", "id");
    }
    const text = await draftOf(dump);
    expect(text).toContain(`# DECIDE: public.${table} `);
    expect(text).toContain(why);
    await expect(checked(text, dump)).rejects.toThrow(`public.${table} is in the dump and not in the policy`);
    const decided = text.replace(`# public.${table}: { via:`, `public.${table}: { via:`);
    await expect(checked(decided, dump)).resolves.toBeDefined();
  });

  test("contact data that nothing leads to", async () => {
    const dump = shop().table("public.providers", "id bigint, email text NOT NULL");
    const text = await draftOf(dump);
    expect(text).toContain("# DECIDE: public.providers holds contact data (email): of people who may ask for erasure?");
    await expect(checked(text, dump)).rejects.toThrow("public.providers is in the dump and not in the policy");
    await expect(
      checked(text.replace("# public.providers: unaffected", "public.providers: unaffected"), dump),
    ).resolves.toBeDefined();
  });

  test("contact data behind a person", async () => {
    const dump = new DumpBuilder()
      .table("public.users", `id bigint, email text, address_id bigint, ${TIME}`)
      .table("public.addresses", "id bigint, phone text, street text NOT NULL")
      .foreignKey("public.users", "k", "address_id", "public.addresses", "id");
    const text = await draftOf(dump);
    expect(text).toContain(
      "# public.addresses: { via: { columns: [id], references: public.users, referenced: [address_id] }, action: anonymise, set: { phone: null, street: { value: … } } }",
    );
  });

  test("people without a time", async () => {
    const dump = new DumpBuilder().table("public.users", "id bigint, email text");
    await expect(checked(await draftOf(dump), dump)).rejects.toThrow('has no column "DECIDE" (created_at)');
  });

  test("times without zone", async () => {
    const dump = new DumpBuilder().table(
      "public.users",
      "id bigint, email text, created_at timestamp without time zone",
    );
    const text = await draftOf(dump);
    await expect(checked(text, dump)).rejects.toThrow("has no time zone, and none is declared");
    await expect(checked(text.replace("# timezone:", "timezone:"), dump)).resolves.toBeDefined();
  });

  test("no people at all", async () => {
    const dump = new DumpBuilder().table("public.films", "id bigint, title text");
    const text = await draftOf(dump);
    expect(text).toContain("# DECIDE: no table looks like the people's");
    await expect(checked(text, dump)).resolves.toBeDefined();
  });
});

test("a rule follows every key to a table that may lose rows", async () => {
  const dump = shop()
    .table("public.threads", `id bigint, user_id bigint, ${TIME}`)
    .table("public.messages", `id bigint, user_id bigint, thread_id bigint, ${TIME}`)
    .foreignKey("public.threads", "a", "user_id", "public.users", "id")
    .foreignKey("public.messages", "b", "user_id", "public.users", "id")
    .foreignKey("public.messages", "c", "thread_id", "public.threads", "id");
  const text = await draftOf(dump);
  expect(text).toContain("DECIDE: goes with public.threads too");
  await expect(checked(text, dump)).resolves.toBeDefined();
});
