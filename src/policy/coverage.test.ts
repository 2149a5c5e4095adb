import { describe, expect, test } from "vitest";
import { PolicyRefused } from "../errors.ts";
import { coverPolicy } from "./coverage.ts";
import { loadPolicy } from "./load.ts";
import type { Coverage } from "./model.ts";
import { copyParser, DumpBuilder } from "./testing/dump-builder.ts";

async function cover(
  tables: string,
  dump: DumpBuilder,
  options: { head?: string; timezone?: string } = {},
): Promise<Coverage> {
  const policy = await loadPolicy(`version: 1\n${options.head ?? ""}\ntables:\n${tables}`, "policy.yaml");
  return coverPolicy(policy, dump, { timezone: options.timezone ?? null, parseCopy: await copyParser() });
}

async function refusal(
  tables: string,
  dump: DumpBuilder,
  options: { head?: string; timezone?: string } = {},
): Promise<string> {
  const error: unknown = await cover(tables, dump, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PolicyRefused);
  expect((error as PolicyRefused).code).toBe("policy_coverage");
  return (error as PolicyRefused).message;
}

const USERS = "id bigint NOT NULL, email text, created_at timestamp with time zone";
const USER_RULE =
  "  public.users: { match: { account_id: id, email: email }, created_at: created_at, action: delete }\n";
const users = (): DumpBuilder =>
  new DumpBuilder().table("public.users", USERS).constraint("public.users", "users_pkey PRIMARY KEY (id)");

describe("classification", () => {
  test("a table of the dump that the policy does not know refuses, and so does one the dump does not know", async () => {
    const message = await refusal(
      `${USER_RULE}  public.gone: unaffected\n`,
      users().table("public.fresh", "a integer"),
    );
    expect(message).toContain("2 problems");
    expect(message).toContain("public.fresh is in the dump and not in the policy");
    expect(message).toContain("policy.yaml:5:3 public.gone is in the policy and not in the dump");
  });

  test("tables without data and views need no class, and may have one", async () => {
    const dump = users()
      .schemaOnly("public.empty", "(a integer)")
      .entry("VIEW", "public", "v", "CREATE VIEW public.v AS SELECT 1;\n");
    await expect(cover(USER_RULE, dump)).resolves.toBeDefined();
    await expect(cover(`${USER_RULE}  public.v: unaffected\n  public.empty: skip_data\n`, dump)).resolves.toBeDefined();
  });

  test("an extension's table has data and no definition", async () => {
    const coverage = await cover(
      `${USER_RULE}  public.spatial: unaffected\n`,
      users().data("public.spatial", ["srid"]),
    );
    const spatial = [...coverage.tables.values()].find(({ name }) => name.name === "spatial");
    expect(spatial?.columns.get("srid")).toEqual({ name: "srid", type: null, notNull: false, generated: false });
  });

  test("identity is exact whatever the names hold", async () => {
    const odd = '"odd ""s"""."we""ird\n\\.\nCOPY x"';
    const key = JSON.stringify(odd);
    const coverage = await cover(`${USER_RULE}  ${key}: unaffected\n`, users().table(odd, "a integer"));
    expect([...coverage.tables.values()].at(-1)?.name).toEqual({ schema: 'odd "s"', name: 'we"ird\n\\.\nCOPY x' });
    expect(await refusal(USER_RULE, users().table(odd, "a integer"))).toContain(
      '"odd ""s"""."we""ird \\. COPY x" is in the dump',
    );
  });

  test("more than fifty problems are counted", async () => {
    const dump = users();
    for (let each = 0; each < 60; each += 1) {
      dump.table(`public.t${each}`, "a integer");
    }
    const message = await refusal(USER_RULE, dump);
    expect(message).toContain("60 problems");
    expect(message).toContain("and 10 more");
    expect(message.split("\n")).toHaveLength(52);
  });
});

describe("partitions", () => {
  const events = (): DumpBuilder =>
    users()
      .schemaOnly("public.events", "(id bigint, user_id bigint, at date NOT NULL) PARTITION BY RANGE (at)")
      .table("public.events_1", "user_id bigint, at date NOT NULL, id bigint")
      .table("public.events_2", "id bigint, user_id bigint, at date NOT NULL")
      .partition("public.events", "public.events_1", "FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')")
      .partition("public.events", "public.events_2");

  test("a leaf takes its own rule, else that of the nearest partitioned table above it", async () => {
    const rules =
      "  public.events: { match: { account_id: user_id }, no_time: erase, action: delete }\n  public.events_2: unaffected\n";
    const coverage = await cover(USER_RULE + rules, events());
    const leaf = (name: string) => [...coverage.tables.values()].find((table) => table.name.name === name);
    expect(leaf("events_1")).toMatchObject({
      ruleOf: { name: "events" },
      rule: { kind: "rule" },
      copyColumns: ["user_id", "at", "id"],
    });
    expect(leaf("events_2")).toMatchObject({ ruleOf: { name: "events_2" }, rule: { kind: "unaffected" } });
  });

  test("leaves without any rule refuse together, by their parent", async () => {
    expect(await refusal(USER_RULE, events())).toContain(
      "public.events has partitions in the dump that are not in the policy (public.events_1, public.events_2); hint: classify it, or each of them",
    );
    expect(await refusal(`${USER_RULE}  public.events_1: unaffected\n`, events())).toContain(
      "in the policy (public.events_2)",
    );
  });

  test("rows routed through the root still belong to the leaf, even without a schema in the dump", async () => {
    const dump = new DumpBuilder().data("public.leaf", ["id"], { into: "public.root" });
    const coverage = await cover("  public.root: unaffected\n", dump);
    expect([...coverage.tables.values()]).toMatchObject([{ name: { name: "leaf" }, ruleOf: { name: "root" } }]);
  });

  test("a partition that cannot be read refuses by its dump ID", async () => {
    const dump = events().entry(
      "TABLE ATTACH",
      "public",
      "x",
      "ALTER TABLE public.events ATTACH PARTITION FOR NEW SYNTAX;\n",
    );
    expect(await refusal("  public.users: unaffected\n  public.events: unaffected\n", dump)).toContain(
      `the partition of dump ID ${dump.toc.length} cannot be read`,
    );
  });

  test("a rule's problem is told once, not for each partition", async () => {
    const message = await refusal(
      `${USER_RULE}  public.events: { match: { account_id: owner }, no_time: erase, action: delete }\n`,
      events(),
    );
    expect(message.match(/has no column owner/g)).toHaveLength(1);
  });
});

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
      `  public.users: { match: { account_id: id }, no_time: erase, action: anonymise, set: { ${set} } }\n`;
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

describe("drift", () => {
  test("a column beyond those listed and named refuses", async () => {
    const dump = new DumpBuilder().table("public.users", `${USERS}, bio text`);
    const rule = (columns: string) =>
      `  public.users: { match: { account_id: id }, created_at: created_at, action: delete, columns: ${columns} }\n`;
    expect(await refusal(rule("{ email: contact }"), dump)).toContain("has a column bio that its rule does not name");
    await expect(cover(rule("{ email: contact, bio: free_text }"), dump)).resolves.toBeDefined();
  });

  test("an unaffected table may list its columns too", async () => {
    const dump = new DumpBuilder().table("public.courses", "id bigint, title text");
    expect(await refusal("  public.courses: { unaffected: true, columns: [id] }\n", dump)).toContain(
      "has a column title that its rule does not name",
    );
  });

  test("subject keys, conditions and foreign keys followed count as named; generated columns do not matter", async () => {
    const dump = users()
      .table("public.notes", "id bigint, user_id bigint, kind text, size bigint GENERATED ALWAYS AS (id) STORED")
      .foreignKey("public.notes", "notes_fk", "user_id", "public.users", "id");
    const notes = "  public.notes: { via: public.users, columns: [id, kind] }\n";
    const head = "subject: { table: public.users, account_id: id, email: email }";
    const rule = "  public.users: { match: { account_id: id }, created_at: created_at, action: delete, columns: [] }\n";
    await expect(cover(rule + notes, dump, { head })).resolves.toBeDefined();
  });
});

describe("advice", () => {
  test("columns that look personal and that nothing names", async () => {
    const dump = users().table(
      "public.courses",
      "id bigint, title text, contactEmail text, name text, phone_count integer",
    );
    const { advice } = await cover(`${USER_RULE}  public.courses: unaffected\n`, dump);
    expect(advice.join("\n")).toContain(
      "public.courses column contactEmail looks like personal data (email)".replace("contactEmail", '"contactEmail"'),
    );
    expect(advice.join("\n")).not.toContain("title");
    expect(advice.join("\n")).not.toContain("phone_count");
  });

  test("a changed partition key", async () => {
    const dump = new DumpBuilder()
      .schemaOnly("public.e", "(id bigint, at date NOT NULL) PARTITION BY RANGE (at)")
      .table("public.e1", "id bigint, at date NOT NULL")
      .partition("public.e", "public.e1");
    const { advice } = await cover(
      "  public.e: { match: { account_id: id }, no_time: erase, action: anonymise, set: { at: { truncate: month } } }\n",
      dump,
    );
    expect(advice.join("\n")).toContain("public.e changes column at of its partition key");
  });
});
