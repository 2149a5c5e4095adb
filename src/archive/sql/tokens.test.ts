import { describe, expect, it } from "vitest";
import { isWord, meaningful, nameOf, qualifiedName, stringOf, tokens } from "./tokens.ts";

const cut = (sql: string, standardConformingStrings = true) =>
  meaningful(tokens(sql, { standardConformingStrings })).map(({ kind, text }) => `${kind} ${text}`);

describe("tokens", () => {
  it.each([
    ["a$1 _b ünï", ["word a$1", "word _b", "word ünï"]],
    [`"a""b;" "new\nline"`, [`quoted "a""b;"`, `quoted "new\nline"`]],
    [`U&"d\\0061t" u&'x'`, [`quoted U&"d\\0061t"`, "string u&'x'"]],
    ["'it''s;' E'a\\'b' B'10' X'ff'", ["string 'it''s;'", "string E'a\\'b'", "string B'10'", "string X'ff'"]],
    ["'a\\' || 'b'", ["string 'a\\'", "operator ||", "string 'b'"]],
    ["$$a;$x$b$$ $x$ $y$ $x$ $1", ["string $$a;$x$b$$", "string $x$ $y$ $x$", "other $1"]],
    [
      "1 1.5 .5 1e-7 0xFF 1_000 1..10",
      [
        "number 1",
        "number 1.5",
        "number .5",
        "number 1e-7",
        "number 0xFF",
        "number 1_000",
        "number 1",
        "operator ..",
        "number 10",
      ],
    ],
    [
      "a::text a:=1 b[1:2]",
      [
        "word a",
        "operator ::",
        "word text",
        "word a",
        "operator :=",
        "number 1",
        "word b",
        "other [",
        "number 1",
        "other :",
        "number 2",
        "other ]",
      ],
    ],
    [
      "a=-1 a->>'b' @-1 a<>-b",
      [
        "word a",
        "operator =",
        "operator -",
        "number 1",
        "word a",
        "operator ->>",
        "string 'b'",
        "operator @-",
        "number 1",
        "word a",
        "operator <>",
        "operator -",
        "word b",
      ],
    ],
    [
      "a /* x /* ' */ ; */ - /**/ b -- ';\n c*--d\n+",
      ["word a", "operator -", "word b", "word c", "operator *", "operator +"],
    ],
    ["a 'never ends", ["word a", "other 'never ends"]],
    [`a "never`, ["word a", `other "never`]],
    ["a $x$ never $y$", ["word a", "other $x$ never $y$"]],
    ["a /* never /* */", ["word a", "other /* never /* */"]],
  ])("%s", (sql, expected) => {
    expect(cut(sql)).toEqual(expected);
  });

  it("takes backslashes for escapes where the dump says so", () => {
    expect(cut("'a\\' || b'", false)).toEqual(["string 'a\\' || b'"]);
    expect(cut("'a''\\\\' b", false)).toEqual(["string 'a''\\\\'", "word b"]);
  });

  it("tells where each begins, and leaves nothing out", () => {
    const sql = 'GRANT  ALL ON é."T" TO $$x$$ -- c\n;';
    const list = tokens(sql);
    expect(list.map((token) => token.text).join("")).toBe(sql);
    expect(list.map((token) => sql.startsWith(token.text, token.start))).not.toContain(false);
    expect(list[2]).toMatchObject({ text: "ALL", start: 7 });
  });

  it("takes linear time for what never ends", () => {
    const openings = tokens("$a".repeat(200_000)).length + tokens("' ".repeat(200_001)).length;
    expect(openings).toBeLessThan(1_000_000);
    expect(tokens("$x$ $y$ ".repeat(100_001)).length).toBeLessThan(500_000);
  });
});

describe("values", () => {
  const value = (text: string, standardConformingStrings = true) =>
    stringOf(tokens(text, { standardConformingStrings })[0], { standardConformingStrings });

  it.each([
    ["'it''s \\n'", "it's \\n"],
    ["E'it''s \\n\\'\\\\\\x41\\101\\u00e9\\U0001F600'", "it's \n'\\AAé😀"],
    ["$x$a'$y$x$", "a'$y"],
    ["$$$$", ""],
    ["U&'d\\0061t\\+01F600\\\\'", "dat😀\\"],
    ["B'01'", null],
    ["E'\\xe9'", null],
    ["word", null],
  ])("%s", (text, expected) => {
    expect(value(text)).toBe(expected);
  });

  it("unescapes backslashes where the dump says so", () => {
    expect(value("'weird\\\\back''s'", false)).toBe("weird\\back's");
  });

  it("names fold in ASCII only", () => {
    const name = (text: string) => nameOf(tokens(text)[0]);
    expect([name("ABC"), name('"A""B"'), name('U&"d\\0061t"'), name("ÄB"), name("1"), name("'a'")]).toEqual([
      "abc",
      'A"B',
      "dat",
      "Äb",
      null,
      null,
    ]);
  });

  it("qualified names", () => {
    const at = (sql: string, index = 0) => qualifiedName(meaningful(tokens(sql)), index);
    expect(at('a."B c" (x)')).toEqual({ schema: "a", name: "B c", next: 3 });
    expect(at("COPY t (a)", 1)).toEqual({ schema: null, name: "t", next: 2 });
    expect(at("db.s.t")).toEqual({ schema: "s", name: "t", next: 5 });
    expect([at("a."), at("(a)"), at("")]).toEqual([null, null, null]);
    expect(isWord(tokens("from")[0], "FROM")).toBe(true);
    expect(isWord(tokens('"from"')[0], "FROM")).toBe(false);
  });
});
