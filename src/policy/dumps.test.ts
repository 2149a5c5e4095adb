/** The policy against dumps that pg_dump wrote. */

import { describe, expect, test } from "vitest";
import { coverPolicy } from "./coverage.ts";
import { explainTable } from "./describe.ts";
import { draftPolicy } from "./draft.ts";
import { loadPolicy } from "./load.ts";
import { tableKey } from "./model.ts";
import { formatTableName } from "./names.ts";
import { copyParser } from "./testing/dump-builder.ts";
import { fixture, openDump, pagilaDumps } from "./testing/sample-dumps.ts";

const ODD = JSON.stringify('"odd ""schema"""."we""ird\n\\.\nCOPY fake FROM stdin;\nTâblé 😀"');
const SAMPLE = `version: 1
tables:
  sales.customers: { match: { account_id: id, email: email }, no_time: erase, action: delete, columns: [name, addr, tags, note] }
  sales.orders: { via: sales.customers }
  sales.emp: { match: { account_id: id }, via: [sales.emp, sales.dept], no_time: erase, action: delete }
  sales.dept: { via: sales.emp }
  sales.events: { match: { account_id: id }, created_at: at, action: delete }
  sales.by_status: unaffected
  ${ODD}: { match: { account_id: 'col "q" ; -- x' }, no_time: keep, action: anonymise, set: { 'col "q" ; -- x': null, "new\\nline": null, ünï: { redact: [phone] }, select: { value: x } } }
  sales.docs: { match: { email: { column: jb, path: "$.a" } }, no_time: erase, action: delete }
  sales.by_default: unaffected
  sales.dropped: { unaffected: true, columns: [a, b] }
  sales.empty_table: unaffected
  sales.unlog: skip_data
  sales.zero_cols: unaffected
`;

describe.each([
  "pg15-gzip.dump",
  "pg15-pipe.dump",
  "extra-pg16-zstd.dump",
  "extra-pg17-Z0.dump",
  "extra-pg18-lz4.dump",
  "extra-pg19rc1-stats.dump",
])("%s", (name) => {
  test("is covered: cycles, partitions, odd names", async () => {
    const coverage = await coverPolicy(await loadPolicy(SAMPLE, "policy.yaml"), await openDump(fixture(name)), {
      timezone: "UTC",
      parseCopy: await copyParser(),
    });
    expect(coverage.tables.size).toBe(16);
    const edges = coverage.edges.map(
      (edge) => `${edge.child.name}(${edge.columns.join()}) -> ${edge.parent.name} ${edge.origin}`,
    );
    expect(edges.sort()).toEqual([
      "dept(head) -> emp via",
      "emp(boss) -> emp via",
      "emp(dept) -> dept via",
      "orders(customer_id) -> customers via",
    ]);
    const tables = [...coverage.tables.values()];
    expect(tables.find((table) => table.name.name === "events_2024")).toMatchObject({
      copyColumns: ["payload", "at", "id"],
      ruleOf: { name: "events" },
    });
    const customers = tables.find((table) => table.name.name === "customers");
    expect(customers?.copyColumns).toEqual(["id", "name", "email", "addr", "tags", "note"]);
    expect([...(customers?.columns.values() ?? [])]).toMatchObject([
      { name: "id", type: "bigint", notNull: true, generated: false },
      { name: "name", type: "text", notNull: true },
      { name: "email", type: "text", notNull: false },
      { name: "addr", type: "sales.address" },
      { name: "tags", type: "text[]", notNull: true },
      { name: "full_label", type: "text", generated: true },
      { name: "note", type: "text" },
    ]);
  });
});

test("an unclassified dump lists every table once, partitions by their parent", async () => {
  const policy = await loadPolicy("version: 1\ntables: {}\n", "policy.yaml");
  const covered = coverPolicy(policy, await openDump(fixture("pg15-gzip.dump")), {
    timezone: null,
    parseCopy: await copyParser(),
  });
  await expect(covered).rejects.toThrow("13 problems");
});

test("the draft of a dump loads, names its people, and refuses until somebody has decided", async () => {
  const dump = await openDump(fixture("pg15-gzip.dump"));
  const parseCopy = await copyParser();
  const text = await draftPolicy(dump, { parseCopy });
  const policy = await loadPolicy(text, "policy.yaml");
  expect(policy.subject).toEqual({
    table: { schema: "sales", name: "customers" },
    keys: [
      { type: "account_id", column: "id" },
      { type: "email", column: "email" },
    ],
  });
  await expect(coverPolicy(policy, dump, { timezone: "UTC", parseCopy })).rejects.toThrow('no column "DECIDE"');
  const decided = text
    .replace('created_at: "DECIDE"\n', "no_time: erase\n")
    .replace("# sales.orders: { via: sales.customers }", "sales.orders: { via: sales.customers }")
    .replace("# sales.docs: unaffected", "sales.docs: unaffected");
  expect(text).toContain("DECIDE: sales.docs keeps JSON (j): does it name people?");
  await expect(
    coverPolicy(await loadPolicy(decided, "policy.yaml"), dump, { timezone: "UTC", parseCopy }),
  ).resolves.toBeDefined();
});

describe("pagila", () => {
  const RULES = `version: 1
timezone: Europe/Amsterdam
subject: { table: public.customer, account_id: customer_id, email: email }
tables:
  public.customer: { match: { account_id: customer_id, email: email }, created_at: create_date, action: delete }
  public.rental: { via: public.customer }
  public.payment: { via: [public.customer, public.rental] }
  public.address: { via: { columns: [address_id], references: public.customer, referenced: [address_id] }, action: anonymise, set: { address: { value: "" }, address2: null, phone: { value: "" } } }
`;

  test.each(pagilaDumps)(
    "%s: erasing a customer reaches rentals and all partitions of payment, and the address behind",
    async (path) => {
      const dump = await openDump(path);
      const parseCopy = await copyParser();
      const named = new Set(["customer", "rental", "address"]);
      const rest = dump.toc
        .filter((entry) => entry.desc === "TABLE DATA" && !named.has(entry.tag) && !entry.tag.startsWith("payment"))
        .map(
          (entry) =>
            `  ${JSON.stringify(formatTableName({ schema: entry.namespace ?? "", name: entry.tag }))}: unaffected\n`,
        );
      const policy = await loadPolicy(RULES + rest.join(""), "policy.yaml");
      const coverage = await coverPolicy(policy, dump, { timezone: null, parseCopy });
      const edges = coverage.edges.map((edge) => `${edge.child.name}(${edge.columns.join()}) -> ${edge.parent.name}`);
      expect(edges.sort()).toEqual([
        "address(address_id) -> customer",
        "payment(customer_id) -> customer",
        "payment(rental_id) -> rental",
        "rental(customer_id) -> customer",
      ]);
      const leaves = [...coverage.tables.values()].filter((table) => table.name.name.startsWith("payment_p"));
      expect(leaves).toHaveLength(7);
      expect(new Set(leaves.map((table) => tableKey(table.ruleOf)))).toEqual(new Set(['"public"."payment"']));
      expect(explainTable(coverage, { schema: "public", name: "payment_p2022_07" })).toContain(
        "Takes the rule of public.payment, whose partition it is.",
      );
    },
  );

  test("the draft leaves payments, staff and addresses to a person", async () => {
    const dump = await openDump(pagilaDumps[0] ?? "");
    const parseCopy = await copyParser();
    const text = await draftPolicy(dump, { parseCopy });
    const policy = await loadPolicy(text, "policy.yaml");
    await expect(coverPolicy(policy, dump, { timezone: "UTC", parseCopy })).rejects.toThrow(
      /5 problems.*address.*payment_p2022_01.*staff/s,
    );
  });
});
