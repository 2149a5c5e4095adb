/** Oracle: PostgreSQL's own lexer (libpg-query's scan) cuts the same tokens, and takes the same words for keywords. */
import fc from "fast-check";
import { loadModule, type ScanToken, scanSync } from "libpg-query";
import { beforeAll, expect, it } from "vitest";
import { openArchive } from "../open-archive.ts";
import { memorySource, sampleBytes } from "../testing/sources.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { meaningful, nameOf, tokens } from "./tokens.ts";

beforeAll(() => loadModule());

/** PostgreSQL's tokens but comments; `null` for what its lexer refuses. */
function upstream(sql: string): string[] | null {
  let found: ScanToken[];
  try {
    found = scanSync(sql).tokens;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
  const bytes = Buffer.from(sql);
  const comments = new Set(["SQL_COMMENT", "C_COMMENT"]);
  return found
    .filter((token) => !comments.has(token.tokenName))
    .map((token) => bytes.toString("utf8", token.start, token.end));
}

const ours = (sql: string) => meaningful(tokens(sql)).map((token) => token.text);

/** Strings with nothing but a line end and comments between them are one to PostgreSQL; pg_dump does not write that. */
const CONTINUED = /'(?:\s|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'/;

it("cuts every definition of the samples as PostgreSQL does", async () => {
  let compared = 0;
  for (const sample of ["extra-pg18-zstd.dump", "pagila-pg15-gzip.dump"]) {
    for (const { defn } of (await openArchive(memorySource(sampleBytes(sample)))).toc) {
      if (defn === null) continue;
      expect(ours(defn)).toEqual(upstream(defn));
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(250);
});

const piece = fc.oneof(
  fc.constantFrom(
    "select",
    "a$1",
    "_x",
    "ünï",
    '"q""; --"',
    "'it''s'",
    "'a\\'",
    "E'a\\'b\\\\'",
    "B'10'",
    "x'fF'",
    "N'n'",
  ),
  fc.constantFrom(
    "U&'d\\0061'",
    'U&"d\\0061"',
    "$$a;'$$",
    "$x$ $y$ $$ $x$",
    "$1",
    "1",
    "1.5",
    ".5",
    "1e-7",
    "0xFF",
    "1_000",
  ),
  fc.constantFrom(
    "::",
    ":=",
    "=>",
    "..",
    "=",
    "<>",
    "->>",
    "@>",
    "||",
    "+",
    "-",
    "*",
    "/",
    "<=",
    "!~~*",
    "#-",
    "^@",
    "?|",
  ),
  fc.constantFrom("(", ")", ",", ";", ".", "[", "]", ":", " ", "  ", "\t", "\n", "--c\n", "/* a /* ' */ b */", "--"),
  fc.string({
    unit: fc.constantFrom("'", '"', "$", "a", "E", "\\", "-", "/", "*", " ", "\n", ".", "1", "e"),
    maxLength: 6,
  }),
);

it("cuts any text that PostgreSQL can as PostgreSQL does, and leaves nothing out of any other", () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const sql = pieces.join("");
      const found = tokens(sql);
      expect(found.map((token) => token.text).join("")).toBe(sql);
      expect(found.every((token) => token.text !== "" && sql.startsWith(token.text, token.start))).toBe(true);
      const expected = upstream(sql);
      if (expected === null || CONTINUED.test(sql)) return;
      compared++;
      expect(ours(sql)).toEqual(expected);
    }),
    { numRuns: 3000 },
  );
  expect(compared).toBeGreaterThan(1000);
});

it("a name that is quoted is the name that is read", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (name) => {
      const found = tokens(quoteIdentifier(name));
      return found.length === 1 && nameOf(found[0]) === name;
    }),
  );
});

it.each(["select", "table", "between", "values", "json_array", "merge_action", "verbose", "xmltable"])(
  "%s needs quotes",
  (word) => {
    expect(quoteIdentifier(word)).toBe(`"${word}"`);
    expect(scanSync(word).tokens[0]?.keywordName).toMatch(/^(?:RESERVED|COL_NAME|TYPE_FUNC_NAME)_KEYWORD$/);
  },
);
