import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joined, memorySource } from "../testing/sources.ts";
import { openScript } from "./open-script.ts";

const text = fc
  .array(
    fc.constantFrom(
      "a",
      "B",
      "1",
      "'",
      '"',
      "$",
      "$$",
      "$x$",
      "\\",
      "\\.",
      "\n",
      "\r",
      "\t",
      ";",
      "--",
      "/*",
      "*/",
      "(",
      ")",
      "é",
      "表",
      "COPY x FROM stdin;\n",
      "E'",
      "BEGIN",
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(""));
const name = text.filter((value) => value !== "");
const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
const literal = (value: string) => `'${value.replaceAll("'", "''")}'`;
const escaped = (value: string) => `E'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
/** As pg_dump picks a tag: what does not occur in the body. */
const dollar = (value: string) => {
  let tag = "$_";
  while (value.includes(tag) || value.endsWith("$_")) tag += "X";
  return `${tag}$${value}${tag}$`;
};
const comment = (value: string) =>
  `/* ${value.replaceAll("*/", "").replaceAll("/*", "")} */ -- ${value.replaceAll(/[\r\n]/g, "")}\n`;
const copyText = (value: string) =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");

interface Table {
  readonly table: string;
  readonly column: string;
  readonly body: string;
  readonly rows: readonly string[];
}

const tables = fc.uniqueArray(
  fc.record<Table>({ table: name, column: name, body: text, rows: fc.array(text, { maxLength: 4 }) }),
  { selector: ({ table }) => table, minLength: 1, maxLength: 4 },
);

function scriptOf(list: readonly Table[]): string {
  const parts = list.flatMap(({ table, column, body, rows }) => [
    `CREATE TABLE s.${quoted(table)} (\n ${quoted(column)} text DEFAULT ${literal(body)}\n);\n\n`,
    `CREATE FUNCTION s.f() RETURNS text LANGUAGE sql AS ${dollar(body)};\n`,
    `COMMENT ON TABLE s.${quoted(table)} IS ${escaped(body)};\n${comment(body)}`,
    `COPY s.${quoted(table)} (${quoted(column)}) FROM stdin;\n${rows.map((row) => `${copyText(row)}\n`).join("")}\\.\n\n\n`,
  ]);
  const head = "--\n-- PostgreSQL database dump\n--\nSET client_encoding = 'UTF8';\n";
  return `${head}${parts.join("")}--\n-- PostgreSQL database dump complete\n--\n`;
}

describe("scripts of any names, bodies and rows", () => {
  it("give the tables, definitions and rows they were made of, in pieces of any size", async () => {
    await fc.assert(
      fc.asyncProperty(tables, fc.integer({ min: 1, max: 40 }), async (list, step) => {
        const archive = await openScript(memorySource(Buffer.from(scriptOf(list)), step));
        const data = archive.toc.filter((entry) => entry.hasData);
        expect(data.map(({ namespace, tag }) => [namespace, tag])).toEqual(list.map(({ table }) => ["s", table]));
        expect(archive.toc.filter(({ desc }) => desc === "FUNCTION")).toHaveLength(list.length);
        expect(archive.toc.filter(({ desc }) => desc === "COMMENT").map(({ tag }) => tag)).toEqual(
          list.map(({ table }) => `TABLE ${table}`),
        );
        for (const [index, { rows }] of list.entries()) {
          const expected = `${rows.map((row) => `${copyText(row)}\n`).join("")}\\.\n\n\n`;
          expect((await joined(archive.tableData(data[index]!))).toString()).toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("are refused when they are cut, wherever that is", async () => {
    await fc.assert(
      fc.asyncProperty(tables, fc.double({ min: 0, max: 0.999, noNaN: true }), async (list, share) => {
        const bytes = Buffer.from(scriptOf(list));
        const end =
          bytes.indexOf("-- PostgreSQL database dump complete") + "-- PostgreSQL database dump complete".length;
        const cut = bytes.subarray(0, Math.floor(end * share));
        await expect(openScript(memorySource(cut))).rejects.toMatchObject({ exitCode: expect.any(Number) });
      }),
      { numRuns: 300 },
    );
  });
});
