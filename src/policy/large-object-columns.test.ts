import { describe, expect, test } from "vitest";
import { draftPolicy } from "./draft.ts";
import { cover, refusal } from "./testing/cover.ts";
import { copyParser, DumpBuilder } from "./testing/dump-builder.ts";

const COLUMNS = "id bigint NOT NULL, email text, picture oid, scan public.lo, file bigint, created_at timestamptz";
const dump = (columns = COLUMNS): DumpBuilder =>
  new DumpBuilder()
    .table("public.users", columns)
    .entry("BLOB", "", "70001", "SELECT pg_catalog.lo_create('70001');\n");
const rule = (more: string): string => `public.users: { match: { account_id: id }, no_time: erase, ${more} }`;

describe("a rule in a dump with large objects", () => {
  test("says what becomes of every column that may lead to them", async () => {
    const message = await refusal([rule("action: delete, large_objects: [picture]")], dump());
    expect(message).toContain("public.users column scan holds OIDs");
    expect(message).toContain("large_objects: [scan]");
    expect(message).not.toContain("column picture");
    await cover([rule("action: delete, large_objects: [picture, scan, file]")], dump());
    const listed = "columns: [email, scan, file, created_at]";
    await cover([rule(`action: delete, large_objects: [picture], ${listed}`)], dump());
  });

  test("need not where its rows stay as they are, or where there are none in the dump", async () => {
    await cover([rule('action: retain, basis: "Art. 17(3)(b)"')], dump());
    const freed = rule('action: retain, basis: "Art. 17(3)(b)", set: { picture: null }');
    expect(await refusal([freed], dump())).toContain("column picture holds OIDs");
    await cover([rule("action: delete")], new DumpBuilder().table("public.users", COLUMNS));
  });

  test("may not hide a reference while a request is pending", async () => {
    const pending = "action: delete, pending: { set: { picture: null } }, large_objects: [picture, scan]";
    expect(await refusal([rule(pending)], dump())).toContain("pending: set changes column picture");
  });

  test("names numbers and OIDs, nothing else", async () => {
    for (const column of ["email", "created_at"]) {
      const message = await refusal([rule(`action: delete, large_objects: [picture, scan, ${column}]`)], dump());
      expect(message).toContain(`column ${column} is named in large_objects and does not hold OIDs`);
    }
    const unaffected = "public.users: { unaffected: true, large_objects: [email] }";
    expect(await refusal([unaffected], dump())).toContain("column email is named in large_objects");
  });
});

describe("advice on large objects", () => {
  test("names those that stay with unaffected tables", async () => {
    const stays = (column: string): string =>
      `public.users column ${column} holds OIDs: large objects that its rows refer to stay`;
    expect((await cover(["public.users: unaffected"], dump())).advice).toEqual(
      expect.arrayContaining([stays("picture"), stays("scan")]),
    );
    const named = "public.users: { unaffected: true, large_objects: [picture, scan, file] }";
    expect((await cover([named], dump())).advice).not.toContain(stays("picture"));
  });

  test("says when an anonymised row keeps its large object, and when nothing leads to any", async () => {
    const half = "action: anonymise, set: { id: null, picture: null }, large_objects: [picture, scan]";
    const columns = COLUMNS.replace(" NOT NULL", "");
    expect((await cover([rule(half)], dump(columns))).advice).toContain(
      "public.users column scan is in large_objects and not in set: an anonymised row keeps its large object",
    );
    const { advice } = await cover(["public.users: unaffected"], dump("id bigint, file bigint"));
    expect(advice.join()).toContain("no column that a rule names or that is of type oid or lo leads to them");
  });
});

test("a draft lets large objects go with the rows that go", async () => {
  const people = dump("id bigint NOT NULL, email text, picture oid, created_at timestamp with time zone");
  people.constraint("public.users", "users_pkey PRIMARY KEY (id)");
  const text = await draftPolicy(people, { parseCopy: await copyParser() });
  expect(text).toContain("large_objects: [picture]");
});
