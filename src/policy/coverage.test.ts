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

  test("partitions as PostgreSQL 10 dumped them, columns inherited", async () => {
    const dump = new DumpBuilder()
      .schemaOnly("public.log", "(id bigint NOT NULL, at date) PARTITION BY RANGE (at)")
      .schemaOnly("public.log_1", "PARTITION OF public.log FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')")
      .data("public.log_1", ["id", "at"]);
    const { tables } = await cover("public.log: { match: { account_id: id }, no_time: erase, action: delete }", dump);
    const leaf = [...tables.values()][0];
    expect(leaf?.ruleOf.name).toBe("log");
    expect(leaf?.columns.get("id")).toEqual({ name: "id", type: "bigint", notNull: true, generated: false });
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
      "  public.e: { match: { account_id: id }, no_time: erase, action: anonymise, set: { id: null, at: { truncate: month } } }\n",
      dump,
    );
    expect(advice.join("\n")).toContain("public.e changes column at of its partition key");
  });
});
