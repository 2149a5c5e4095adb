import { describe, expect, it } from "vitest";
import { sanitised, type TinyRequest, type TinyTable, tinyArchive, tinyPlan, type Value } from "./testing/tiny-dump.ts";

const old = "2026-01-02 03:04:05+00";
const users: TinyTable = {
  name: "users",
  columns: ["id bigint NOT NULL", "email text", "phone text", "name text", "created_at timestamp with time zone"],
  rows: [
    [1, "ghost@example.org", null, "Ghost", old],
    [901, "jan@voorbeeld.nl", "06 12345678", "Jan de Vries", old],
    [902, "Piet@voorbeeld.nl", null, "Piet", old],
  ],
};
const subject = "subject: { table: public.users, account_id: id, email: email, phone: phone, name: name }";
const usersRule = "public.users: { match: { account_id: id, email: email }, created_at: created_at, action: delete }";

async function run(tables: readonly TinyTable[], policy: string, requests: readonly TinyRequest[], chunk?: number) {
  const archive = await tinyArchive(tables, chunk);
  const plan = await tinyPlan(archive, `version: 1\n${policy}`, requests);
  return { ...(await sanitised(archive, plan)), plan, archive };
}

const jan: TinyRequest = { keys: { account_id: ["901"] } };

describe("direct matches", () => {
  it("delete the row and leave the bytes of the others", async () => {
    const { text, tally } = await run([users], `tables: { ${usersRule} }`, [
      { keys: { email: ["PIET@Voorbeeld.NL"] } },
    ]);
    expect(text.get("users")).toBe(
      `1\tghost@example.org\t\\N\tGhost\t${old}\n901\tjan@voorbeeld.nl\t06 12345678\tJan de Vries\t${old}\n`,
    );
    expect(tally.table(200)).toMatchObject({ read: 3, kept: 2, erased: 1 });
  });

  it("spare rows made after the cut-off, to the microsecond, and take the one made at it", async () => {
    const at = (created: string): readonly Value[] => [901, "x@y.nl", null, "n", created];
    const rows = [
      "2026-11-23 11:00:00+00",
      "2026-11-23 11:00:00.000001+00",
      "2026-11-23 12:00:00+01",
      "infinity",
      "0044-03-15 12:00:00+00 BC",
    ];
    const { text } = await run([{ ...users, rows: rows.map(at) }], `tables: { ${usersRule} }`, [jan]);
    expect(text.get("users")).toBe(`901\tx@y.nl\t\\N\tn\t${rows[1]}\n901\tx@y.nl\t\\N\tn\tinfinity\n`);
  });

  it("refuse, keep or take rows without a time, as the rule says", async () => {
    const rows = [[901, null, null, null, null]] as const;
    const rule = (noTime: string) =>
      `tables: { public.users: { match: { account_id: id }, created_at: created_at, ${noTime} action: delete } }`;
    await expect(run([{ ...users, rows }], rule(""), [jan])).rejects.toMatchObject({ code: "no_time", exitCode: 5 });
    expect((await run([{ ...users, rows }], rule("no_time: keep,"), [jan])).tally.table(200).kept).toBe(1);
    expect((await run([{ ...users, rows }], rule("no_time: erase,"), [jan])).tally.table(200).erased).toBe(1);
  });

  it("see JSON paths and polymorphic references", async () => {
    const events: TinyTable = {
      name: "events",
      columns: ["id integer", "payload jsonb", "author_type text", "author_id bigint"],
      rows: [
        [1, '{"user": {"id": 901, "note": "a\\tb"}}', "User", 5],
        [2, '{"user": {"id": "0901"}}', "User", 5],
        [3, '{"user": {"id": 9010}}', "User", 5],
        [4, '{"user": null}', "Company", 901],
        [5, null, "User", 901],
      ],
    };
    const rule = `public.events: { match: { account_id: { column: payload, path: "$.user.id" } }, no_time: erase, action: delete }`;
    expect((await run([events], `tables: { ${rule} }`, [jan])).text.get("events")).toMatch(/^3\t.*\n4\t.*\n5\t.*\n$/);
    const polymorphic =
      "public.events: { match: { account_id: { column: author_id, when: { author_type: User } } }, no_time: erase, action: delete }";
    expect((await run([events], `tables: { ${polymorphic} }`, [jan])).text.get("events")).toMatch(
      /^1\t.*\n2\t.*\n3\t.*\n4\t.*\n$/,
    );
  });
});

describe("the subject table", () => {
  const leads: TinyTable = {
    name: "leads",
    columns: ["id integer", "email text", "phone text", "created_at timestamp with time zone"],
    rows: [
      [1, "JAN@voorbeeld.nl", null, old],
      [2, null, "+31 6 1234 5678", old],
      [3, "piet@voorbeeld.nl", "06 87654321", old],
      [4, "jan@voorbeeld.nl", null, "2026-11-23 11:30:00+00"],
    ],
  };
  const rule = "public.leads: { match: { email: email, phone: phone }, created_at: created_at, action: delete }";

  it("tells the addresses of an account the request names by id alone, also when it comes later in the dump", async () => {
    for (const tables of [
      [users, leads],
      [leads, users],
    ]) {
      const { text, plan } = await run(tables, `${subject}\ntables: { ${usersRule}, ${rule} }`, [jan]);
      expect(text.get("leads")).toBe(
        `3\tpiet@voorbeeld.nl\t06 87654321\t${old}\n4\tjan@voorbeeld.nl\t\\N\t2026-11-23 11:30:00+00\n`,
      );
      expect(plan.tablesRead).toHaveLength(1);
    }
  });

  it("does not take a second account that merely shares a resolved number", async () => {
    const shared = { ...users, rows: [...users.rows, [903, "eva@voorbeeld.nl", "0612345678", "Eva", old]] };
    const byPhone = "public.users: { match: { account_id: id, phone: phone }, created_at: created_at, action: delete }";
    const { tally } = await run([shared], `${subject}\ntables: { ${byPhone} }`, [jan]);
    // Eva's number is resolved from Jan's row: it may find leads, never another account
    expect(tally.table(200)).toMatchObject({ erased: 1, kept: 3 });
  });
});

describe("closure", () => {
  const child = (name: string, parent: string, rows: TinyTable["rows"]): TinyTable => ({
    name,
    columns: ["id integer NOT NULL", `${parent}_id integer`],
    rows,
    foreignKeys: [`FOREIGN KEY (${parent}_id) REFERENCES public.${parent}(id)`],
  });

  it("follows foreign keys through three levels, children before parents", async () => {
    const orders = {
      ...child("orders", "users", [
        [10, 901],
        [11, 902],
        [12, null],
      ]),
    };
    const lines = child("lines", "orders", [
      [20, 10],
      [21, 11],
      [22, 12],
    ]);
    const notes = child("notes", "lines", [
      [30, 20],
      [31, 21],
      [32, null],
    ]);
    const policy = `tables:\n  ${usersRule}\n  public.orders: { via: public.users }\n  public.lines: { via: public.orders }\n  public.notes: { via: public.lines }`;
    for (const tables of [
      [users, orders, lines, notes],
      [notes, lines, orders, users],
    ]) {
      const { text, tally } = await run(tables, policy, [jan], 7);
      expect(text.get("orders")).toBe("11\t902\n12\t\\N\n");
      expect(text.get("lines")).toBe("21\t11\n22\t12\n");
      expect(text.get("notes")).toBe("31\t21\n32\t\\N\n");
      expect(tally.requests.get(0)).toMatchObject({ erased: 4 });
    }
  });

  it("reaches the end of a chain that runs against the order of the dump, in few readings", async () => {
    const length = 2000;
    const rows = Array.from({ length }, (_, n) => [length - n, n === length - 1 ? null : length - n - 1]);
    const comments: TinyTable = {
      name: "comments",
      columns: ["id integer NOT NULL", "parent_id integer", "author_id bigint"],
      rows: [...rows.map(([id, parent]) => [id!, parent!, id === 1 ? 901 : 5]), [5000, null, 6]],
      foreignKeys: ["FOREIGN KEY (parent_id) REFERENCES public.comments(id)"],
    };
    const policy =
      "tables: { public.comments: { match: { account_id: author_id }, via: public.comments, no_time: erase, action: delete } }";
    const { text, plan } = await run([comments], policy, [jan]);
    expect(text.get("comments")).toBe("5000\t\\N\t6\n");
    expect(plan.tablesRead.length).toBeLessThan(8);
  });

  it("goes round a cycle of two tables", async () => {
    const people: TinyTable = {
      name: "people",
      columns: ["id integer NOT NULL", "team_id integer"],
      rows: [
        [901, 1],
        [2, 1],
        [3, 2],
        [4, null],
      ],
      foreignKeys: ["FOREIGN KEY (team_id) REFERENCES public.teams(id)"],
    };
    const teams: TinyTable = {
      name: "teams",
      columns: ["id integer NOT NULL", "head_id integer"],
      rows: [
        [2, 2],
        [1, 901],
        [3, 4],
      ],
      foreignKeys: ["FOREIGN KEY (head_id) REFERENCES public.people(id)"],
    };
    const policy =
      "tables: { public.people: { match: { account_id: id }, via: public.teams, no_time: erase, action: delete }, public.teams: { via: public.people } }";
    const { text } = await run([people, teams], policy, [jan]);
    // 901 heads team 1, whose member 2 heads team 2, whose member is 3
    expect(text.get("people")).toBe("4\t\\N\n");
    expect(text.get("teams")).toBe("3\t4\n");
  });

  it("compares composite keys whole and lets a NULL in them refer to nothing", async () => {
    const orders: TinyTable = {
      name: "orders",
      columns: ["shop text NOT NULL", "no integer NOT NULL", "user_id bigint"],
      rows: [
        ["a", 1, 901],
        ["a", 2, 902],
        ["b\tc", 1, 901],
      ],
    };
    const ratings: TinyTable = {
      name: "ratings",
      columns: ["id integer", "shop text", "no integer"],
      rows: [
        [1, "a", 1],
        [2, "a", 2],
        [3, "b", 1],
        [4, "b\tc", 1],
        [5, "a", null],
        [6, null, 1],
      ],
    };
    const policy = `tables:
  public.orders: { match: { account_id: user_id }, no_time: erase, action: delete }
  public.ratings: { via: { columns: [shop, no], references: public.orders, referenced: [shop, no] } }`;
    expect((await run([ratings, orders], policy, [jan])).text.get("ratings")).toBe(
      "2\ta\t2\n3\tb\t1\n5\ta\t\\N\n6\t\\N\t1\n",
    );
  });
});

describe("scopes and states", () => {
  const reviews: TinyTable = {
    name: "reviews",
    columns: ["id integer", "user_id bigint", "author text", "body text", "created_at timestamp with time zone"],
    rows: [
      [1, 901, "Jan", "Groet, Jan de Vries\nmail jan@voorbeeld.nl of bel 06-12345678", "2026-03-17 10:11:12.5+01"],
      [2, 902, "Piet", "Vraag het Jan", "2026-03-17 10:11:12.5+01"],
      [3, 901, null, null, "2026-03-17 10:11:12.5+01"],
    ],
  };
  const rule = `public.reviews: { match: { account_id: user_id }, scope: reviews, created_at: created_at, action: anonymise,
    set: { user_id: { value: 1 }, author: null, body: { redact: [email, phone, names] }, created_at: { truncate: month } } }`;

  /** The same without names, for runs without a subject table. */
  const plainRule = rule.replace("email, phone, names", "email, phone");

  it("anonymise what the rule sets and nothing else", async () => {
    const { text, tally } = await run([users, reviews], `${subject}\ntables: { ${usersRule}, ${rule} }`, [jan]);
    expect(text.get("reviews")).toBe(
      "1\t1\t\\N\tGroet, [redacted]\\nmail [redacted] of bel [redacted]\t2026-03-01 00:00:00+01\n" +
        "2\t902\tPiet\tVraag het Jan\t2026-03-17 10:11:12.5+01\n3\t1\t\\N\t\\N\t2026-03-01 00:00:00+01\n",
    );
    expect(tally.table(201)).toMatchObject({ read: 3, anonymised: 2, kept: 1, erased: 0 });
  });

  it("delete reviews of a person who asks for that", async () => {
    const { text } = await run([reviews], `tables: { ${plainRule} }`, [{ ...jan, scopes: { reviews: "delete" } }]);
    expect(text.get("reviews")).toMatch(/^2\t[^\n]*\n$/);
  });

  it("keep what is pending, changed as the rule says, and take it at the very end of the thirty days", async () => {
    const leads: TinyTable = {
      name: "leads",
      columns: ["id integer", "user_id bigint", "restricted boolean"],
      rows: [
        [1, 901, "f"],
        [2, 902, "f"],
      ],
    };
    const policy = `tables: { public.leads: { match: { account_id: user_id }, scope: provider_contact, no_time: erase, action: delete,
      pending: { set: { user_id: null, restricted: { value: true } } } } }`;
    const pending = await run([leads], policy, [{ ...jan, requestedAt: "2026-10-24T12:00:00.001Z" }]);
    expect(pending.text.get("leads")).toBe("1\t\\N\ttrue\n2\t902\tf\n");
    expect(pending.tally.table(200)).toMatchObject({ kept: 2, pending: 1, erased: 0 });
    const due = await run([leads], policy, [{ ...jan, requestedAt: "2026-10-24T12:00:00.000Z" }]);
    expect(due.tally.table(200)).toMatchObject({ erased: 1, late: 0 });
  });

  it("count a hit that the live eraser should have removed before the snapshot", async () => {
    const { tally } = await run([users], `tables: { ${usersRule} }`, [{ ...jan, requestedAt: "2026-11-20T00:00:00Z" }]);
    expect(tally.table(200)).toMatchObject({ erased: 1, late: 1 });
  });

  it("retain with a basis, minimised where the rule says so", async () => {
    const invoices: TinyTable = {
      name: "invoices",
      columns: ["id integer", "user_id bigint", "note text"],
      rows: [
        [1, 901, "x"],
        [2, 902, "y"],
      ],
    };
    const policy = `tables: { public.invoices: { match: { account_id: user_id }, no_time: erase, action: retain, basis: "Art. 17(3)(b)", for: 7y, set: { note: null } } }`;
    const { text, tally } = await run([invoices], policy, [jan]);
    expect(text.get("invoices")).toBe("1\t901\t\\N\n2\t902\ty\n");
    expect(tally.table(200)).toMatchObject({ anonymised: 1, retained: 1, erased: 0 });
  });

  it("leave alone what a request spares or has withdrawn, and release only the reference to a parent that goes", async () => {
    const spared: TinyRequest = { ...jan, scopes: { reviews: "retain" } };
    const { text, tally } = await run([reviews], `tables: { ${plainRule} }`, [spared]);
    expect(text.get("reviews")).toContain("1\t901\tJan\t");
    expect(tally.table(200)).toMatchObject({ kept: 3, anonymised: 0, retained: 0 });
    const leads: TinyTable = {
      name: "leads",
      columns: ["id integer", "user_id bigint", "note text"],
      rows: [[1, 901, "x"]],
      foreignKeys: ["FOREIGN KEY (user_id) REFERENCES public.users(id)"],
    };
    const policy = `tables: { ${usersRule}, public.leads: { match: { account_id: user_id }, scope: provider_contact, no_time: erase,
      action: delete, pending: { set: { user_id: null } } } }`;
    const withdrawn = await run([users, leads], policy, [{ ...jan, scopes: { provider_contact: "retain" } }]);
    expect(withdrawn.text.get("leads")).toBe("1\t\\N\tx\n");
  });

  it("do not call a row late that only goes with its parent", async () => {
    const leads: TinyTable = { name: "leads", columns: ["id integer NOT NULL", "user_id bigint"], rows: [[1, 901]] };
    const notes: TinyTable = {
      name: "notes",
      columns: ["id integer", "lead_id integer"],
      rows: [[1, 1]],
      foreignKeys: ["FOREIGN KEY (lead_id) REFERENCES public.leads(id)"],
    };
    const policy = `tables: { public.leads: { match: { account_id: user_id }, scope: provider_contact, no_time: erase, action: delete }, public.notes: { via: public.leads } }`;
    const { tally } = await run([leads, notes], policy, [{ ...jan, requestedAt: "2026-10-24T12:00:00.000Z" }]);
    expect(tally.table(201)).toMatchObject({ erased: 1, late: 0 });
  });

  it("let the strictest of two requests win", async () => {
    const requests = [jan, { ...jan, scopes: { reviews: "delete" as const } }];
    const { tally } = await run([reviews], `tables: { ${plainRule} }`, requests);
    expect(tally.table(200)).toMatchObject({ erased: 2, anonymised: 0 });
    expect(tally.requests.get(1)).toMatchObject({ erased: 2 });
  });
});

describe("references written differently", () => {
  const parent = (type: string): TinyTable => ({
    name: "p",
    columns: [`no ${type} NOT NULL`, "user_id bigint"],
    rows: [],
  });
  const child = (type: string): TinyTable => ({ name: "c", columns: [`no ${type}`], rows: [] });
  const policy = `tables: { public.p: { match: { account_id: user_id }, no_time: erase, action: delete },
    public.c: { via: { columns: [no], references: public.p, referenced: [no] } } }`;

  it.each([
    ["numeric(10,2)", "integer"],
    ["numeric", "numeric"],
    ["character(8)", "character varying(8)"],
    ["double precision", "double precision"],
    ["public.citext", "public.citext"],
  ])("refuse the policy: %s and %s", async (one, other) => {
    await expect(run([parent(one), child(other)], policy, [jan])).rejects.toMatchObject({ code: "policy_coverage" });
  });

  it.each([
    ["bigint", "integer"],
    ["numeric(10,2)", "numeric(10,2)"],
    ["character(8)", "character(8)"],
    ["text", "character varying(20)"],
    ["uuid", "uuid"],
  ])("follow %s and %s", async (one, other) => {
    await expect(run([parent(one), child(other)], policy, [jan])).resolves.toBeDefined();
  });
});

describe("the plan's digest", () => {
  it("depends on what decides about rows and not on the archive or the moment", async () => {
    const policy = `version: 1\n${subject}\ntables: { ${usersRule} }`;
    const archive = await tinyArchive([users]);
    const plan = await tinyPlan(archive, policy, []);
    const again = await tinyPlan(await tinyArchive([users], 3), `# a remark\n${policy}`, []);
    const other = await tinyPlan(archive, policy, [jan]);
    expect(plan.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(again.digest).toBe(plan.digest);
    expect(other.digest).not.toBe(plan.digest);
  });
});
