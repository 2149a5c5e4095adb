import { describe, expect, it } from "vitest";
import { ByteReader } from "../byte-reader.ts";
import { pieces } from "../testing/sources.ts";
import { leadBytes } from "../toc/lead-bytes.ts";
import { ScriptLexer } from "./lexer.ts";

interface Settings {
  readonly step?: number;
  readonly encoding?: string;
  readonly backslashes?: boolean;
}

/** Items as `kind: text`; of rows, what lies between the statement's line and the byte behind them. */
async function items(script: string | Buffer, { step = 7, encoding = "UTF8", backslashes = false }: Settings = {}) {
  const bytes = typeof script === "string" ? Buffer.from(script) : script;
  const lexer = new ScriptLexer(new ByteReader(pieces(bytes, step)));
  lexer.configure(leadBytes(encoding), backslashes);
  const found: string[] = [];
  for (let item = await lexer.next(); item !== null; item = await lexer.next()) {
    found.push(`${item.kind}: ${bytes.toString("latin1", item.start, item.end)}`);
  }
  return found;
}

describe.each([1, 2, 3, 5, 64, 100_000])("the lexer, in pieces of %d", (step) => {
  it.each([
    ["SELECT ';';", 1],
    ["SELECT 'it''s;';SELECT 1;", 2],
    [`SELECT "a"";b;";`, 1],
    ["SELECT $$;$$;", 1],
    ["SELECT $a$;$$;$b$;$a$;", 1],
    ["SELECT a$1$;", 1],
    ["SELECT $1;SELECT $2;", 2],
    ["SELECT E'a\\';b';", 1],
    ["SELECT e'a\\\\';SELECT 'b';", 2],
    ["SELECT type'a\\';SELECT 'b';", 2],
    ["SELECT U&'a\\';SELECT 1;", 2],
    ["SELECT 1 -- ; '\n;SELECT 2;", 2],
    ["SELECT /* ; /* ' */ ; */ 1;SELECT 2;", 2],
    ["SELECT 1 - 2 / 3;SELECT -1;", 2],
    ["SELECT (1; 2);", 1],
    ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END;SELECT 1;", 2],
    ["create or replace procedure p() begin atomic select 1; end;SELECT 1;", 2],
    ["CREATE TABLE begin_x (a int);BEGIN;COMMIT;", 3],
    ["INSERT INTO t VALUES (E'a\\';', ';');INSERT INTO t VALUES ('''');", 2],
    ["/* ; /* */ ' */ SELECT 1;", 1],
    [";;SELECT 1;;", 1],
  ])("cuts %j into %d statements", async (script, count) => {
    const found = await items(script, { step });
    expect(found.filter((item) => !item.startsWith("comment"))).toHaveLength(count);
    expect(found.map((item) => item.slice(item.indexOf(" ") + 1)).join("")).toBe(
      script.replace(/^\/\*.*\*\/ |(?<=;);+|^;+/g, ""),
    );
  });

  it.each([
    ["", []],
    ["\\.\n", ["\\.\n"]],
    ["a\n\\.\n", ["a\n\\.\n"]],
    ["\n\\\\.\na\\.\n\\.x\n \\.\n\\.\n", ["\n\\\\.\na\\.\n\\.x\n \\.\n\\.\n"]],
    ["it's; $$ \" /* --\r\u000b\u000c\u2028\n\\.\n", ["it's; $$ \" /* --\r\u000b\u000c\u2028\n\\.\n"]],
    ["1\n\\.", ["1\n\\."]],
  ])("finds the end of the rows %j", async (rows, expected) => {
    const script = `COPY t (a) FROM stdin;\n${rows}`;
    const found = items(script, { step });
    if (expected.length === 0) {
      await expect(found).rejects.toMatchObject({ code: "truncated" });
      return;
    }
    const texts = expected.map((text) => Buffer.from(text).toString("latin1"));
    expect(await found).toEqual(["statement: COPY t (a) FROM stdin;", ...texts.map((text) => `rows: ${text}`)]);
  });

  it("takes a header that spans lines, one of them the end of rows", async () => {
    const head = 'COPY "a\n\\.\nCOPY b FROM stdin;\n" ("x\n") FROM stdin;';
    expect(await items(`${head}\n1\n\\.\nSELECT 1;`, { step })).toEqual([
      `statement: ${head}`,
      "rows: 1\n\\.\n",
      "statement: SELECT 1;",
    ]);
  });

  it("knows bytes that only look like a backslash", async () => {
    const table = Buffer.from("955c", "hex").toString("latin1");
    const script = Buffer.from(`SELECT ${table};SELECT E'${table}';SELECT '${table}';`, "latin1");
    expect(await items(script, { step, encoding: "SJIS" })).toHaveLength(3);
    expect(await items(script, { step, encoding: "SJIS", backslashes: true })).toHaveLength(3);
  });

  it("obeys standard_conforming_strings", async () => {
    const script = "SELECT 'a\\';b';";
    expect(await items(script, { step, backslashes: true })).toHaveLength(1);
    await expect(items(script, { step })).rejects.toMatchObject({ code: "truncated" });
  });
});

describe("the lexer refuses", () => {
  it.each([
    ["SELECT 1", "truncated"],
    ["SELECT 'a;", "truncated"],
    ["SELECT $a$ ;", "truncated"],
    ["/* SELECT 1;", "truncated"],
    ["INSERT INTO t VALUES ('", "truncated"],
    ["COPY t FROM stdin;\n1\n", "truncated"],
    ["COPY t FROM stdin; SELECT 1;\n\\.\n", "copy_statement"],
    ["SELECT 1 \\gexec\n", "psql_command"],
    ["SELECT 1;\r\nSELECT 2;", "crlf"],
    ["--\r\n-- a\r\n", "crlf"],
    ["COPY t FROM stdin;\r\n1\r\n\\.\r\n", "crlf"],
    ["SELECT 1;\0", "nul_byte"],
  ])("%j: %s", async (script, code) => {
    for (const step of [1, 3, 1000]) await expect(items(script, { step })).rejects.toMatchObject({ code });
  });

  it("a statement of more than 64 MiB, before it is all read", async () => {
    let given = 0;
    async function* endless() {
      yield Buffer.from("CREATE VIEW v AS SELECT '");
      for (;;) {
        given += 1 << 20;
        yield Buffer.alloc(1 << 20, "x");
      }
    }
    const lexer = new ScriptLexer(new ByteReader(endless()));
    await expect(lexer.next()).rejects.toMatchObject({ code: "statement_too_long", offset: 0 });
    expect(given).toBeLessThan(200 << 20);
  });

  it("holds nothing of an INSERT however long", async () => {
    const size = 300;
    async function* long() {
      yield Buffer.from("INSERT INTO t VALUES ('");
      for (let piece = 0; piece < size; piece++) yield Buffer.alloc(1 << 20, "x");
      yield Buffer.from("');");
    }
    const lexer = new ScriptLexer(new ByteReader(long()));
    expect(await lexer.next()).toMatchObject({ kind: "insert", start: 0, end: (size << 20) + 26 });
  });
});
