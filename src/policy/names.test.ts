import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PolicyRefused } from "../errors.ts";
import { tableKey } from "./model.ts";
import { columnName, formatTableName, parseTableName, quoteIdentifier, readTableName, tableLabel } from "./names.ts";

describe("reading a table's name as SQL would", () => {
  test.each<[string, string, string]>([
    ["public.users", "public", "users"],
    ["PUBLIC.Users", "public", "users"],
    ['"My Schema"."Odd ""Name"""', "My Schema", 'Odd "Name"'],
    ['public."Users"', "public", "Users"],
    ["public . users", "public", "users"],
    ["sales.bıgınt", "sales", "bıgınt"],
    ["sales.ÄPFEL", "sales", "Äpfel"],
    ["a$1.b_2$", "a$1", "b_2$"],
    ['"a.b"."c\nd\n\\."', "a.b", "c\nd\n\\."],
  ])("%j", (text, schema, name) => {
    expect(parseTableName(text)).toEqual({ schema, name });
  });

  test.each([
    ["users", "a table's name needs its schema; hint: write public.users"],
    ["Users", "a table's name needs its schema; hint: write public.users"],
    ["db.public.users", "a table's name has two parts"],
    ["", "not a name"],
    ["public.", "not a name"],
    [".users", "not a name"],
    ["public.1users", "not a name"],
    ["public.my table", "not a name"],
    ['public."users', "not a name"],
    ['public.""', "not a name"],
    ['public."a"b', "not a name"],
    ["public.users;drop", "not a name"],
    ['public."a\0b"', "not a name"],
  ])("%j is refused", (text, problem) => {
    const reading = readTableName(text);
    expect(reading.ok ? "read" : reading.problem).toContain(problem);
    expect(() => parseTableName(text)).toThrow(PolicyRefused);
  });
});

describe("writing names", () => {
  test.each([
    ["users", "users"],
    ["a_1", "a_1"],
    ["select", '"select"'],
    ["user", '"user"'],
    ["between", '"between"'],
    ["name", "name"],
    ["Users", '"Users"'],
    ["1st", '"1st"'],
    ["a$1", '"a$1"'],
    ["ünï", '"ünï"'],
    ['q"q', '"q""q"'],
    ["", '""'],
  ])("%j is quoted only where pg_dump would", (name, written) => {
    expect(quoteIdentifier(name)).toBe(written);
  });

  test("any name is read back as it was", () => {
    const part = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(part, part, (schema, name) => {
        expect(parseTableName(formatTableName({ schema, name }))).toEqual({ schema, name });
        expect(parseTableName(tableKey({ schema, name }))).toEqual({ schema, name });
      }),
    );
  });

  test("a label is one line", () => {
    expect(tableLabel({ schema: "s", name: "a\r\n\\.\nb" })).toBe('s."a \\. b"');
  });
});

test("a column is taken as written, with or without SQL's quotes", () => {
  expect(columnName("createdAt")).toBe("createdAt");
  expect(columnName('"createdAt"')).toBe("createdAt");
  expect(columnName('"a""b"')).toBe('a"b');
  expect(columnName('a"b')).toBe('a"b');
  expect(columnName('"')).toBe('"');
});
