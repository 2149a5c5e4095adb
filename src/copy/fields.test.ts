import { describe, expect, it } from "vitest";
import { characterWidth } from "./character-width.ts";
import { escapeField, isNull, unescapeField } from "./fields.ts";
import { parseCopyStatement } from "./statement.ts";

const unescaped = (text: string): string => unescapeField(Buffer.from(text, "latin1")).toString("latin1");

describe("COPY fields", () => {
  it("know NULL from the text that looks like it", () => {
    expect(isNull(Buffer.from("\\N"))).toBe(true);
    expect(isNull(Buffer.from("\\\\N"))).toBe(false);
    expect(unescaped("\\\\N")).toBe("\\N");
    expect(isNull(Buffer.from(""))).toBe(false);
  });

  it.each([
    ["a\\tb\\nc", "a\tb\nc"],
    ["\\b\\f\\n\\r\\t\\v\\\\", "\b\f\n\r\t\v\\"],
    ["\\\\x00ff5c", "\\x00ff5c"],
    ["\\101\\7\\1234", "A\x07S4"],
    ["\\x41\\x4g\\xg", "A\x04gxg"],
    ["\\q\\.", "q."],
    ["end\\", "end\\"],
  ])("unescape as PostgreSQL does: %j", (raw, expected) => {
    expect(unescaped(raw)).toBe(expected);
  });

  it("do not take the second byte of a Japanese character for a backslash", () => {
    const width = characterWidth("SJIS")!;
    // 表, backslash escaped, "tab", as pg_dump wrote it in the samples' SJIS dump
    const raw = Buffer.from("955c5c5c746162", "hex");
    const value = Buffer.from("955c5c746162", "hex");
    expect(unescapeField(raw, width).equals(value)).toBe(true);
    expect(escapeField(value, width).equals(raw)).toBe(true);
    expect(characterWidth("UTF8")).toBeUndefined();
    expect(characterWidth("GB18030")!(Buffer.from("81308130", "hex"), 0)).toBe(4);
  });
});

describe("COPY statements", () => {
  it("are read as pg_dump writes them", () => {
    expect(parseCopyStatement('COPY sales.orders (id, "Customer ""Id""", h) FROM stdin;\n')).toEqual({
      schema: "sales",
      table: "orders",
      columns: ["id", 'Customer "Id"', "h"],
    });
    expect(parseCopyStatement("COPY sales.zero_cols  FROM stdin;\n")).toMatchObject({
      table: "zero_cols",
      columns: [],
    });
    expect(parseCopyStatement("COPY orders (id) WITH OIDS FROM stdin;\n")).toEqual({
      schema: "",
      table: "orders",
      columns: ["oid", "id"],
    });
  });

  it("may span lines that look like something else", () => {
    const name = 'we"ird\n\\.\nCOPY fake FROM stdin;\nTâblé 😀';
    const quoted = `"${name.replaceAll('"', '""')}"`;
    expect(parseCopyStatement(`COPY "odd ""schema""".${quoted} ("new\nline", "a$1") FROM stdin;\n`)).toEqual({
      schema: 'odd "schema"',
      table: name,
      columns: ["new\nline", "a$1"],
    });
  });

  it.each([
    "COPY t (a) FROM stdin WITH (FORMAT csv);",
    "COPY t (a FROM stdin;",
    "SELECT 1;",
    'COPY "t (a) FROM stdin;',
  ])("of any other kind are refused: %s", (statement) => {
    expect(() => parseCopyStatement(statement)).toThrow(expect.objectContaining({ code: "copy_statement" }));
  });
});
