import { describe, expect, test } from "vitest";
import type { Coverage } from "./model.ts";
import { type CoverOptions, cover as coverRules, refusal as refuseRules } from "./testing/cover.ts";
import { DumpBuilder } from "./testing/dump-builder.ts";

/** `tables`: YAML as it stands below `tables:`. */
const cover = (tables: string, dump: DumpBuilder, options?: CoverOptions): Promise<Coverage> =>
  coverRules([tables.trim()], dump, options);
const refusal = (tables: string, dump: DumpBuilder, options?: CoverOptions): Promise<string> =>
  refuseRules([tables.trim()], dump, options);

const USERS = "id bigint NOT NULL, email text, created_at timestamp with time zone";
const USER_RULE =
  "  public.users: { match: { account_id: id, email: email }, created_at: created_at, action: delete }\n";
const users = (): DumpBuilder =>
  new DumpBuilder().table("public.users", USERS).constraint("public.users", "users_pkey PRIMARY KEY (id)");

describe("columns", () => {
  const one = (rule: string, columns = USERS, options: { head?: string; timezone?: string } = {}) =>
    refusal(`  public.users: ${rule}\n`, new DumpBuilder().table("public.users", columns), options);

  test.each([
    ["match", "{ match: { account_id: uid }, no_time: erase, action: delete }", "has no column uid (match.account_id)"],
    [
      "when",
      "{ match: { account_id: { column: id, when: { kind: User } } }, no_time: erase, action: delete }",
      "has no column kind (match.account_id.when)",
    ],
    [
      "created_at",
      "{ match: { account_id: id }, created_at: made_at, action: delete }",
      "has no column made_at (created_at)",
    ],
    [
      "set",
      "{ match: { account_id: id }, no_time: erase, action: anonymise, set: { ip: null } }",
      "has no column ip (set)",
    ],
    [
      "pending",
      "{ match: { account_id: id }, no_time: erase, action: delete, pending: { set: { hidden: { value: true } } } }",
      "has no column hidden (set)",
    ],
    [
      "large_objects",
      "{ match: { account_id: id }, no_time: erase, action: delete, large_objects: [avatar] }",
      "has no column avatar (large_objects)",
    ],
    ["columns", "{ unaffected: true, columns: [id, email, created_at, bio] }", "has no column bio (columns)"],
    [
      "not a time",
      "{ match: { account_id: id }, created_at: email, action: delete }",
      "column email is created_at and is not a timestamp or date",
    ],
    [
      "truncated text",
      "{ match: { account_id: id }, no_time: erase, action: anonymise, set: { email: { truncate: month } } }",
      "column email is truncated and is not",
    ],
    [
      "null into NOT NULL",
      "{ match: { email: email }, no_time: erase, action: anonymise, set: { id: null } }",
      "column id is set to null and is NOT NULL",
    ],
    [
      "redacted number",
      "{ match: { email: email }, no_time: erase, action: anonymise, set: { id: { redact: [email] } } }",
      "column id is redacted and is not a text",
    ],
    [
      "path in a text",
      '{ match: { email: { column: email, path: "$.a" } }, no_time: erase, action: delete }',
      "column email is searched with a path for email and is not json",
    ],
    [
      "text for a number",
      "{ match: { email: email }, no_time: erase, action: anonymise, set: { id: { value: ghost } } }",
      "column id is set to a value that is not a whole number that fits bigint",
    ],
    [
      "large object in a text",
      "{ match: { account_id: id }, no_time: erase, action: delete, large_objects: [email] }",
      "column email is named in large_objects and does not hold OIDs",
    ],
  ])("%s", async (_name, rule, expected) => {
    expect(await one(rule)).toContain(expected);
  });

  test("a column written in the wrong case is pointed out", async () => {
    const message = await one("{ match: { account_id: userid }, no_time: erase, action: delete }", '"userId" bigint');
    expect(message).toContain('hint: did you mean "userId"?');
  });

  test("a generated column is not part of the data", async () => {
    const columns = "id bigint, label text GENERATED ALWAYS AS ((id)::text) STORED";
    expect(await one("{ match: { account_id: id, email: label }, no_time: erase, action: delete }", columns)).toContain(
      "column label (match.email) is generated",
    );
    expect(
      await one("{ match: { account_id: id }, no_time: erase, action: anonymise, set: { label: null } }", columns),
    ).toContain("column label (set) is generated");
  });

  test("a key cannot equal a column that holds many values", async () => {
    const columns = "id bigint, emails text[], data jsonb, raw bytea, h public.hstore";
    for (const column of ["emails", "data", "raw", "h"]) {
      expect(await one(`{ match: { email: ${column} }, no_time: erase, action: delete }`, columns)).toContain(
        `column ${column} holds more than one value`,
      );
    }
  });

  test("a time without zone needs a zone, from the policy or from the operator", async () => {
    const columns = "id bigint, created_at timestamp(3) without time zone";
    const rule = "{ match: { account_id: id }, created_at: created_at, action: delete }";
    expect(await one(rule, columns)).toContain(
      "column created_at is created_at and has no time zone, and none is declared",
    );
    const dump = new DumpBuilder().table("public.users", columns);
    await expect(cover(`  public.users: ${rule}\n`, dump, { timezone: "Europe/Amsterdam" })).resolves.toBeDefined();
    await expect(
      cover(`  public.users: ${rule}\n`, dump, { head: "timezone: Europe/Amsterdam" }),
    ).resolves.toBeDefined();
  });

  test("NOT NULL from a primary key, an inherited column or a domain counts", async () => {
    const set = "{ match: { email: email }, no_time: erase, action: anonymise, set: { id: null } }";
    expect(
      await refusal(
        `  public.users: ${set}\n`,
        new DumpBuilder()
          .table("public.users", "id bigint, email text")
          .constraint("public.users", "k PRIMARY KEY (id)"),
      ),
    ).toContain("NOT NULL");
    const inherited = new DumpBuilder()
      .schemaOnly("public.base", "(id bigint NOT NULL, email text)")
      .schemaOnly("public.users", "()\nINHERITS (public.base)")
      .data("public.users", ["id", "email"]);
    expect(await refusal(`  public.users: ${set}\n`, inherited)).toContain("column id is set to null and is NOT NULL");
    const domain = new DumpBuilder()
      .entry("DOMAIN", "public", "key", "CREATE DOMAIN public.key AS bigint NOT NULL;\n")
      .table("public.users", "id public.key, email text");
    expect(await refusal(`  public.users: ${set}\n`, domain)).toContain("column id is set to null and is NOT NULL");
  });

  test("a domain is what stands behind it", async () => {
    const dump = new DumpBuilder()
      .entry("DOMAIN", "public", "email", "CREATE DOMAIN public.email AS text CHECK (VALUE ~ '@');\n")
      .entry("DOMAIN", "public", "work email", 'CREATE DOMAIN public."work email" AS public.email;\n')
      .entry("TYPE", "public", "address", "CREATE TYPE public.address AS (street text, zip text);\n")
      .table("public.users", 'id bigint, mail public."work email", home public.address');
    const rule = (set: string) =>
      `  public.users: { match: { account_id: id }, no_time: erase, action: anonymise, set: { id: null, ${set} } }\n`;
    await expect(cover(rule("mail: { redact: [email] }"), dump)).resolves.toBeDefined();
    expect(await refusal(rule("home: { redact: [names] }"), dump)).toContain(
      "column home is redacted and is not a text",
    );
  });

  test("a domain's type is what the rows are read as", async () => {
    const dump = new DumpBuilder()
      .entry("DOMAIN", "public", "moment", "CREATE DOMAIN public.moment AS timestamp(3) with time zone NOT NULL;\n")
      .table("public.users", "id bigint, at public.moment, several public.moment[]");
    const { tables } = await cover(
      "  public.users: { match: { account_id: id }, created_at: at, action: delete }\n",
      dump,
    );
    const columns = [...tables.values()][0]?.columns;
    expect(columns?.get("at")).toMatchObject({ type: "timestamp(3) with time zone", notNull: true });
    expect(columns?.get("several")?.type).toBe("public.moment[]");
  });

  test("without a definition, what needs a type refuses", async () => {
    const dump = new DumpBuilder().data("public.users", ["id", "created_at"]);
    expect(
      await refusal("  public.users: { match: { account_id: id }, created_at: created_at, action: delete }\n", dump),
    ).toContain("the dump does not declare its type");
    await expect(
      cover("  public.users: { match: { account_id: id }, no_time: erase, action: delete }\n", dump),
    ).resolves.toBeDefined();
  });

  test("a definition that cannot be read refuses only where a rule needs it", async () => {
    const dump = new DumpBuilder().schemaOnly("public.users", "(id bigint FROBNICATED)").data("public.users", ["id"]);
    expect(
      await refusal("  public.users: { match: { account_id: id }, no_time: erase, action: delete }\n", dump),
    ).toContain("its definition (dump ID 1) cannot be read");
    await expect(cover("  public.users: unaffected\n", dump)).resolves.toBeDefined();
  });

  test("a fixed value for a whole unique key refuses; part of one is advice; null keeps rows apart", async () => {
    const dump = new DumpBuilder()
      .table("public.reviews", "user_id bigint, course_id bigint, slug text")
      .constraint("public.reviews", "slug_key UNIQUE (slug)")
      .entry(
        "INDEX",
        "public",
        "once",
        "CREATE UNIQUE INDEX once ON public.reviews USING btree (user_id, course_id);\n",
      );
    const rule = (set: string) =>
      `  public.reviews: { match: { account_id: user_id }, no_time: erase, action: anonymise, set: { ${set} } }\n`;
    expect(await refusal(rule("slug: { value: gone }"), dump)).toContain(
      "sets every column of the unique key slug_key to a fixed value",
    );
    expect((await cover(rule("user_id: { value: 1 }"), dump)).advice.join("\n")).toContain(
      "changes part of the unique key once",
    );
    expect((await cover(rule("user_id: null"), dump)).advice.join("\n")).not.toContain("unique key");
  });

  test("INSERT statements refuse where a rule would have to read them", async () => {
    const dump = new DumpBuilder().table("public.users", USERS, { inserts: true });
    expect(await refusal(USER_RULE, dump)).toContain("its data are INSERT statements");
    await expect(cover("  public.users: unaffected\n", dump)).resolves.toBeDefined();
  });

  test("the subject table must be there, with its columns and its data", async () => {
    const head = "subject: { table: public.users, account_id: uid }";
    expect(await refusal(USER_RULE, users(), { head })).toContain("has no column uid (subject.account_id)");
    const elsewhere = "subject: { table: public.people, account_id: id }";
    expect(await refusal(USER_RULE, users(), { head: elsewhere })).toContain(
      "public.people is the subject table and has no data in this dump",
    );
  });
});
