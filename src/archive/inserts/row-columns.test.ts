/** Which columns an INSERT dump's values are: entries as pg_dump makes them, without their data. */
import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../../errors.ts";
import type { TocEntry } from "../model.ts";
import { type InsertPlan, insertPlan } from "./insert-plan.ts";
import { insertTarget, RowColumns } from "./row-columns.ts";

let nextId = 1;

function entry(desc: string, tag: string, fields: Partial<TocEntry> = {}): TocEntry {
  return {
    dumpId: nextId++,
    hasData: desc === "TABLE DATA",
    catalogOid: 0,
    oid: 0,
    tag,
    desc,
    section: desc === "TABLE DATA" ? "data" : "pre-data",
    defn: null,
    dropStmt: null,
    copyStmt: null,
    namespace: "s",
    tablespace: null,
    tableam: null,
    relkind: null,
    owner: null,
    withOids: false,
    dependencies: [],
    offset: null,
    raw: Buffer.alloc(0),
    ...fields,
  };
}

const table = (tag: string, items: string, rest = "") =>
  entry("TABLE", tag, { defn: `CREATE TABLE s.${tag} (${items})${rest};\n` });
const attach = (parent: string, child: string) =>
  entry("TABLE ATTACH", child, {
    defn: `ALTER TABLE ONLY s.${parent} ATTACH PARTITION s.${child} FOR VALUES IN (1);\n`,
  });

function shapeOf(name: string, entries: readonly TocEntry[]) {
  const columns = new RowColumns(new Map(entries.map((item) => [item.dumpId, item])));
  const owner = entries.find((item) => item.tag === name && item.desc === "TABLE");
  const shape = columns.of(entry("TABLE DATA", name, { dependencies: owner === undefined ? [] : [owner.dumpId] }));
  return shape === null ? null : `${shape.columns.map((column) => column.name).join(" ")}${shape.certain ? "" : " ?"}`;
}

describe("the columns of a table's rows", () => {
  it("as its CREATE TABLE lists them", () => {
    expect(shapeOf("t", [table("t", "b integer, a text")])).toBe("b a");
    expect(shapeOf("t", [table("other", "a integer")])).toBeNull();
  });

  it("found by its name where nothing depends", () => {
    const entries = [table("t", "a integer")];
    const columns = new RowColumns(new Map(entries.map((item) => [item.dumpId, item])));
    expect(columns.of(entry("TABLE DATA", "t"))?.columns).toHaveLength(1);
    expect(columns.of(entry("TABLE DATA", "t", { namespace: "other" }))).toBeNull();
  });

  it.each([
    ["only its parent's", "", "(p)", "a b"],
    ["one of its parent's given again", "b integer DEFAULT 1", "(p)", "a b"],
    ["all of them, in the same order", "a integer, b integer, c integer", "(p)", "a b c"],
    ["all of them, in another order", "b integer, a integer", "(p)", "a b ?"],
    ["some of its own: a parent may have grown since", "c integer", "(p)", "a b c ?"],
    ["of two parents: the first may have grown since", "", "(p, s.q)", "a b z ?"],
  ])("a child with %s", (_what, items, parents, expected) => {
    const entries = [table("p", "a integer, b integer"), table("q", "z integer, a integer")];
    expect(shapeOf("c", [...entries, table("c", items, `\nINHERITS ${parents}`)])).toBe(expected);
  });

  it("a child of what the dump does not create", () => {
    expect(shapeOf("c", [table("c", "x integer", "\nINHERITS (s.gone)")])).toBeNull();
    expect(shapeOf("c", [table("c", "x integer", "\nINHERITS (s.c)")])).toBeNull();
  });

  it("a table of a type", () => {
    const type = entry("TYPE", "row", { defn: "CREATE TYPE s.row AS (\n\ta integer,\n\tb text\n);\n" });
    const typed = entry("TABLE", "t", { defn: "CREATE TABLE s.t OF s.row (\n    b WITH OPTIONS NOT NULL\n);\n" });
    expect(shapeOf("t", [type, typed])).toBe("a b");
    expect(shapeOf("t", [typed])).toBeNull();
  });

  it("a partitioned table that a script names for all its partitions", () => {
    const root = table("root", "a integer, b integer", "\nPARTITION BY LIST (a)");
    const same = [table("p1", "a integer, b integer"), attach("root", "p1")];
    const other = [table("p2", "b integer, a integer"), attach("root", "p2")];
    expect(shapeOf("root", [root, ...same])).toBe("a b");
    expect(shapeOf("root", [root, ...same, ...other])).toBe("a b ?");
    expect(shapeOf("p2", [root, ...same, ...other])).toBe("b a");
    expect(shapeOf("root", [root, attach("root", "gone")])).toBe("a b ?");
    expect(shapeOf("root", [root, attach("root", "root")])).toBe("a b ?");
    const old = entry("TABLE", "p3", { defn: "CREATE TABLE p3 PARTITION OF root\nFOR VALUES IN (3);\n" });
    expect(shapeOf("p3", [root, old])).toBe("a b");
  });

  it("the table that the rows go to", () => {
    expect(insertTarget(entry("TABLE DATA", "t"))).toEqual({ schema: "s", name: "t" });
    const defn = '-- load via partition root s."Root 1"';
    expect(insertTarget(entry("TABLE DATA", "t", { defn }))).toEqual({ schema: "s", name: "Root 1" });
  });
});

describe("plans", () => {
  const data = entry("TABLE DATA", "t");
  const named = (...names: string[]) => names.map((name) => ({ name, generated: name === "g", identity: false }));
  const plan = (columns: string[] | null, first: string | null, certain = true) =>
    insertPlan(data, columns === null ? null : { columns: named(...columns), certain }, async () => first);
  const accepted = (made: InsertPlan, head: string) => made.accept(head, "row 1") && [...made.accept(head, "row 1")!];

  it("generated columns are left out, names are quoted where needed", async () => {
    const made = await plan(["a", "g", "Select", "select"], null);
    expect(made.copyStmt).toBe('COPY s.t (a, "Select", "select") FROM stdin;\n');
    expect(accepted(made, "INSERT INTO s.t VALUES")).toEqual([1, 0, 1, 1]);
    expect(accepted(made, 'INSERT INTO s.t (a, "Select", "select") OVERRIDING SYSTEM VALUE VALUES')).toEqual([1, 1, 1]);
    expect(accepted(made, "INSERT INTO t VALUES")).toEqual([1, 0, 1, 1]);
  });

  it("no columns", async () => {
    const made = await plan([], null);
    expect(made.copyStmt).toBe("COPY s.t  FROM stdin;\n");
    expect(accepted(made, "INSERT INTO s.t DEFAULT VALUES")).toBeNull();
    expect((await plan(["g"], null)).copyStmt).toBe("COPY s.t  FROM stdin;\n");
  });

  it("names of the first statement where the dump settles nothing", async () => {
    expect((await plan(null, "INSERT INTO s.t (b, a) VALUES")).copyStmt).toBe("COPY s.t (b, a) FROM stdin;\n");
    expect((await plan(["a", "b"], "INSERT INTO s.t (b, a) VALUES", false)).copyStmt).toContain("(b, a)");
    expect((await plan(null, null)).copyStmt).toBe("COPY s.t  FROM stdin;\n");
    expect((await plan(null, "INSERT INTO s.t DEFAULT VALUES")).copyStmt).toBe("COPY s.t  FROM stdin;\n");
    expect((await plan(["a"], null, false)).copyStmt).toBe("COPY s.t (a) FROM stdin;\n");
  });

  it.each([
    ["values without names, table unknown", null, true, "INSERT INTO s.t VALUES"],
    ["values without names, order uncertain", ["a", "b"], false, "INSERT INTO s.t VALUES"],
    ["other names than the table's", ["a", "b"], false, "INSERT INTO s.t (a) VALUES"],
  ] as const)("refuses %s", async (_what, columns, certain, first) => {
    const attempt = plan(columns === null ? null : [...columns], first, certain);
    await expect(attempt).rejects.toThrow(expect.objectContaining({ code: "insert_columns" }));
  });

  it.each([
    ["insert_columns", "INSERT INTO s.t (b, a) VALUES"],
    ["insert_columns", "INSERT INTO s.t (a) VALUES"],
    ["insert_columns", "INSERT INTO s.t DEFAULT VALUES"],
    ["insert_statement", "INSERT INTO s.u VALUES"],
    ["insert_statement", "INSERT INTO u.t VALUES"],
    ["insert_statement", "INSERT INTO s.t SELECT VALUES"],
  ])("%s: %s", async (code, head) => {
    const made = await plan(["a", "b"], null);
    expect(() => made.accept(head, "row 1")).toThrow(expect.objectContaining({ code }));
    expect(() => made.accept(head, "row 1")).toThrow(ArchiveDamaged);
  });
});
