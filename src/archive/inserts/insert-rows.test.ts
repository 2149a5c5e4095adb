import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../../errors.ts";
import { joined, pieces } from "../testing/sources.ts";
import { leadBytes } from "../toc/lead-bytes.ts";
import { firstHead, parseInsertHead } from "./insert-head.ts";
import { InsertRows } from "./insert-rows.ts";

interface Given {
  /** By position: 1 kept, 0 generated; `null` for rows without columns. */
  readonly kept?: readonly number[] | null;
  readonly standardConformingStrings?: boolean;
  readonly encoding?: string;
  readonly step?: number;
}

async function copyText(statements: string | Buffer, given: Given = {}): Promise<string> {
  const { kept = [1, 1], standardConformingStrings = true, encoding = "UTF8", step = 65_536 } = given;
  const rows = new InsertRows({
    table: "s.t",
    standardConformingStrings,
    leads: leadBytes(encoding),
    accept: () => (kept === null ? null : Uint8Array.from(kept)),
  });
  const bytes = typeof statements === "string" ? Buffer.from(statements) : statements;
  return (await joined(rows.copyText(pieces(bytes, step)))).toString("latin1");
}

/** The same however the bytes are cut. */
async function everyCut(statements: string | Buffer, given: Given = {}): Promise<string> {
  const whole = await copyText(statements, given);
  for (const step of [1, 2, 3, 7]) {
    expect(await copyText(statements, { ...given, step })).toBe(whole);
  }
  return whole;
}

async function refusal(statements: string | Buffer, given: Given = {}): Promise<string> {
  for (const step of [65_536, 1]) {
    const error: unknown = await copyText(statements, { ...given, step }).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ArchiveDamaged);
    expect((error as ArchiveDamaged).code).toBe("insert_statement");
    if (step === 65_536) continue;
    return (error as ArchiveDamaged).message;
  }
  return "";
}

describe("INSERT statements as COPY text", () => {
  it.each([
    ["one a line", "INSERT INTO s.t VALUES (1, 'a');\nINSERT INTO s.t VALUES (2, 'b');\n\n\n", "1\ta\n2\tb\n"],
    ["with names", `INSERT INTO s."t;('" (a, "VALUES") VALUES (1, 'a');\n`, "1\ta\n"],
    ["several rows", "INSERT INTO s.t (a, b) VALUES\n\t(1, 'a'),\n\t(2, 'b');\n", "1\ta\n2\tb\n"],
    [
      "conflicts",
      "INSERT INTO s.t VALUES (1, 'a') ON CONFLICT DO NOTHING;\nINSERT INTO s.t VALUES (2, 'b');",
      "1\ta\n2\tb\n",
    ],
    [
      "several rows with conflicts",
      "INSERT INTO s.t VALUES\n\t(1, 'a'),\n\t(2, 'b') ON CONFLICT DO NOTHING;",
      "1\ta\n2\tb\n",
    ],
    ["overriding", "INSERT INTO s.t OVERRIDING SYSTEM VALUE VALUES (1, 'a');", "1\ta\n"],
    ["none", "\n\n", ""],
    ["comments between", "-- load via partition root s.t\n\nINSERT INTO s.t VALUES (1, 2);\n-- it's;\n", "1\t2\n"],
    ["NULL and truth", "INSERT INTO s.t VALUES (NULL, true);INSERT INTO s.t VALUES (false, null);", "\\N\tt\nf\t\\N\n"],
    ["bits", "INSERT INTO s.t VALUES (B'10101', B'');", "10101\t\n"],
    [
      "numbers",
      "INSERT INTO s.t VALUES (-9223372036854775808, 10.50);INSERT INTO s.t VALUES (1e+308, .5E-7);",
      "-9223372036854775808\t10.50\n1e+308\t.5E-7\n",
    ],
    ["empty strings", "INSERT INTO s.t VALUES ('', '''');", "\t'\n"],
    [
      "what COPY escapes",
      "INSERT INTO s.t VALUES ('\b\t\n\v\f\r\\', '\\N\\.\u0001\u007f');",
      "\\b\\t\\n\\v\\f\\r\\\\\t\\\\N\\\\.\u0001\u007f\n",
    ],
    [
      "statements inside",
      "INSERT INTO s.t VALUES ('\n\\.\n', ');\nINSERT INTO s.t VALUES (');",
      "\\n\\\\.\\n\t);\\nINSERT INTO s.t VALUES (\n",
    ],
    ["an E string", "INSERT INTO s.t VALUES (E'a\\\\b\\'c\\n', e'\\q');", "a\\\\b'c\\n\tq\n"],
  ])("%s", async (_name, statements, expected) => {
    expect(await everyCut(statements)).toBe(expected);
  });

  it("DEFAULT stands where generated columns are, and nowhere else", async () => {
    const kept = [0, 1, 0];
    expect(await everyCut("INSERT INTO s.t VALUES (DEFAULT, 'x', DEFAULT);", { kept })).toBe("x\n");
    expect(await everyCut("INSERT INTO s.t VALUES (DEFAULT);", { kept: [0] })).toBe("\n");
    expect(await refusal("INSERT INTO s.t VALUES (1, 'x', DEFAULT);", { kept })).toContain("generated column");
    expect(await refusal("INSERT INTO s.t VALUES (DEFAULT, DEFAULT, DEFAULT);", { kept })).toContain("not generated");
    expect(await refusal("INSERT INTO s.t VALUES (NULL, 'x', DEFAULT);", { kept })).toContain("generated column");
  });

  it("rows without columns", async () => {
    const statements = "INSERT INTO s.z DEFAULT VALUES;\nINSERT INTO s.z DEFAULT VALUES;\n";
    expect(await everyCut(statements, { kept: null })).toBe("\n\n");
    expect(await refusal("INSERT INTO s.z DEFAULT VALUES (1);", { kept: null })).toContain("no INSERT");
  });

  it("backslashes escape where the dump says so", async () => {
    const given = { kept: [1], standardConformingStrings: false };
    expect(await everyCut("INSERT INTO s.t VALUES ('weird\\\\back\\'s''x\\t');", given)).toBe("weird\\\\back's'x\\t\n");
    expect(await refusal("INSERT INTO s.t VALUES ('\\001');", given)).toContain("escape");
    expect(await refusal("INSERT INTO s.t VALUES ('\\x41');", given)).toContain("escape");
  });

  it("characters whose later byte looks like a backslash", async () => {
    const statement = Buffer.from("INSERT INTO s.t VALUES ('\x95\\\\tab\x95\\', '\x83\\');", "latin1");
    expect(await everyCut(statement, { encoding: "SJIS" })).toBe("\x95\\\\\\tab\x95\\\t\x83\\\n");
    const four = Buffer.from("INSERT INTO s.t VALUES ('\x81\x30\x81\x30\\', '\x81\x5c');", "latin1");
    expect(await everyCut(four, { encoding: "GB18030" })).toBe("\x81\x30\x81\x30\\\\\t\x81\x5c\n");
    const off = Buffer.from("INSERT INTO s.t VALUES ('\x95\\\\\\tab');", "latin1");
    expect(await everyCut(off, { encoding: "SJIS", standardConformingStrings: false, kept: [1] })).toBe(
      "\x95\\\\\\tab\n",
    );
    const half = Buffer.from("INSERT INTO s.t VALUES ('\x95');", "latin1");
    expect(await refusal(half, { encoding: "SJIS" })).toContain("half a character");
  });

  it.each([
    ["too few values", "INSERT INTO s.t VALUES (1);"],
    ["too many values", "INSERT INTO s.t VALUES (1, 2, 3);"],
    ["no value", "INSERT INTO s.t VALUES ();"],
    ["no row", "INSERT INTO s.t VALUES;"],
    ["an expression", "INSERT INTO s.t VALUES (1+1, 2);"],
    ["a call", "INSERT INTO s.t VALUES (now(), 2);"],
    ["a cast", "INSERT INTO s.t VALUES ('1'::int, 2);"],
    ["joined strings", "INSERT INTO s.t VALUES ('a' 'b', 2);"],
    ["hexadecimal bits", "INSERT INTO s.t VALUES (X'ff', 2);"],
    ["a plus sign", "INSERT INTO s.t VALUES (+1, 2);"],
    ["no number", "INSERT INTO s.t VALUES (1e, 2);"],
    ["half a number", "INSERT INTO s.t VALUES (., 2);"],
    ["a long word", `INSERT INTO s.t VALUES (${"null".repeat(50)}, 2);`],
    ["another clause", "INSERT INTO s.t VALUES (1, 2) RETURNING a;"],
    ["an endless clause", `INSERT INTO s.t VALUES (1, 2) ON ${"CONFLICT ".repeat(50)};`],
    ["a query", "INSERT INTO s.t SELECT 1, 2;"],
    ["another statement", "DELETE FROM s.t;"],
    ["a zero byte", "INSERT INTO s.t VALUES ('\0', 2);"],
    ["no end of the head", "INSERT INTO s.t"],
    ["no end of a string", "INSERT INTO s.t VALUES ('a"],
    ["no end of the statement", "INSERT INTO s.t VALUES (1, 2)"],
  ])("refuses %s", async (_name, statements) => {
    expect(await refusal(`INSERT INTO s.t VALUES (1, 2);\n${statements}`)).toMatch(/row \d+ of table s\.t, byte \d+/);
  });

  it("says where, and never what", async () => {
    expect(await refusal("INSERT INTO s.t VALUES (1, 2);\nINSERT INTO s.t VALUES (3, secret);")).toBe(
      "a value that is no literal in row 2 of table s.t, byte 64 of its statements",
    );
  });

  it("a value of many buffers goes through as it comes", async () => {
    const value = "it''s\n".repeat(100_000);
    let most = 0;
    const rows = new InsertRows({
      table: "s.t",
      standardConformingStrings: true,
      leads: null,
      accept: () => Uint8Array.of(1),
    });
    const parts: Buffer[] = [];
    const source = pieces(Buffer.from(`INSERT INTO s.t VALUES ('${value}');\n`), 4096);
    for await (const part of rows.copyText(source)) {
      most = Math.max(most, part.length);
      parts.push(part);
    }
    expect(Buffer.concat(parts).toString()).toBe(`${"it's\\n".repeat(100_000)}\n`);
    expect(most).toBeLessThanOrEqual(256 * 1024);
    expect(parts.length).toBeGreaterThan(2);
  });
});

describe("heads", () => {
  it.each([
    ["INSERT INTO s.t VALUES", { schema: "s", name: "t" }, null],
    [
      `INSERT INTO "S ""q"""."t\nVALUES (" (a, "VALUES", "c)") VALUES`,
      { schema: 'S "q"', name: "t\nVALUES (" },
      ["a", "VALUES", "c)"],
    ],
    ["INSERT INTO t (a) OVERRIDING USER VALUE VALUES", { schema: null, name: "t" }, ["a"]],
  ])("%s", async (text, target, columns) => {
    expect(parseInsertHead(text)).toMatchObject({ target, columns, defaultValues: false });
    for (const step of [1, 5, 1000]) {
      const found = await firstHead(pieces(Buffer.from(`\n-- c\n${text} (1);`), step));
      expect(found?.toString()).toBe(text);
    }
  });

  it.each([
    "INSERT INTO t",
    "INSERT INTO t () VALUES",
    "INSERT INTO t (a b) VALUES",
    "INSERT INTO t AS x VALUES",
    "UPDATE t VALUES",
    "INSERT INTO t (a) DEFAULT VALUES",
  ])("refuses %s", (text) => {
    expect(parseInsertHead(text)).toBeNull();
  });

  it("none where there is no statement", async () => {
    expect(await firstHead(pieces(Buffer.from("\n\n"), 1))).toBeNull();
  });

  it("holds no endless head", async () => {
    const names = Buffer.from(`INSERT INTO s.t (${"a, ".repeat(500_000)}`);
    expect(await refusal(names)).toContain("no INSERT");
  });
});
