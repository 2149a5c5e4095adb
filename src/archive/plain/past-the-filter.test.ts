/** Statements that would write rows past the filter, in the spellings that hide them: none is passed on to a server. */
import { describe, expect, it } from "vitest";
import type { Archive } from "../model.ts";
import { memorySource } from "../testing/sources.ts";
import { openScript } from "./open-script.ts";

const HEAD = "SET client_encoding = 'UTF8';\nCREATE TABLE public.t (a int);\n";
const script = async (text: string): Promise<Archive> => await openScript(memorySource(Buffer.from(HEAD + text), 11));
/** All SQL of the script that a restore may run. */
const sqlOf = (archive: Archive): string => archive.toc.map(({ defn }) => defn ?? "").join("");

describe("a script", () => {
  it.each([
    ["EXPLAIN, which runs what it explains", "EXPLAIN (ANALYZE) INSERT INTO public.t VALUES (1);"],
    ["EXPLAIN of a table that is made", "explain analyze create table u as select 1;"],
    ["a cursor", "DECLARE c CURSOR WITH HOLD FOR SELECT f();"],
    ["a fetch", "FETCH ALL FROM c;"],
    ["a move", "MOVE ALL FROM c;"],
    ["a library", "LOAD 'writes_rows';"],
    ["a second call behind setval", "SELECT pg_catalog.setval('public.s', 1, true), f();"],
    ["a call inside of setval", "SELECT pg_catalog.setval('public.s', f(), true);"],
    ["a query inside of setval", "SELECT setval('public.s', (SELECT max(a) FROM t));"],
    ["what follows setval", "SELECT pg_catalog.setval('public.s', 1) FROM f();"],
    ["a second call behind lo_create", "SELECT pg_catalog.lo_create('5'), f();"],
    ["a call inside of lo_create", "SELECT lo_create(f());"],
    ["a second call behind set_config", "SELECT pg_catalog.set_config('search_path', '', false), f();"],
    ["an operator that hides a call", "SELECT pg_catalog.setval('public.s', 1) + f();"],
    ["INSERT behind a comment", "INSERT/**/INTO public.t SELECT 1;"],
    ["a table made of a query", "CREATE UNLOGGED TABLE IF NOT EXISTS u WITH (fillfactor=70) AS TABLE public.t;"],
    ["SELECT INTO", "SELECT a INTO u FROM public.t;"],
    ["a query in parentheses", "(SELECT f());"],
    ["COPY from a program", "COPY public.t FROM PROGRAM 'id';"],
    ["COPY of a query", "COPY (SELECT f()) TO STDOUT;"],
    ["COPY with a filter of its own", "COPY public.t (a) FROM stdin WHERE f();\n1\n\\.\n"],
  ])("with %s is refused", async (_what, sql) => {
    await expect(script(sql)).rejects.toMatchObject({ exitCode: 7 });
  });

  it.each([
    [
      "a literal that goes on on the next line",
      "COMMENT ON TABLE public.t IS E'a'\n'b\\'c'; INSERT INTO public.t VALUES (1), ('x');",
    ],
    [
      "the same behind a comment",
      "COMMENT ON TABLE public.t IS E'a' -- it''s\n\n -- so\n 'b\\'c'; INSERT INTO public.t VALUES (1), ('x');",
    ],
    [
      "a function called begin",
      "CREATE FUNCTION public.begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; INSERT INTO public.t VALUES (1); END;",
    ],
    [
      "a parameter called begin",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET x TO begin AS 'SELECT 1'; INSERT INTO public.t VALUES (1); END;",
    ],
  ])("is cut where the server cuts it: %s", async (_what, sql) => {
    const archive = await script(sql);
    expect(sqlOf(archive)).not.toContain("INSERT");
    expect(archive.toc.filter(({ desc }) => desc === "TABLE DATA")).toHaveLength(1);
  });

  it("that hides a statement behind a carriage return in a comment is refused, or cut there", async () => {
    await expect(script("-- a\rINSERT INTO public.t VALUES (1);\n")).rejects.toMatchObject({ code: "carriage_return" });
    const archive = await script("CREATE TABLE u (a int) -- b\r; INSERT INTO public.t VALUES (1)\n;");
    expect(sqlOf(archive)).not.toContain("INSERT");
    expect(archive.toc.filter(({ desc }) => desc === "TABLE DATA")).toHaveLength(1);
  });

  it.each(["0", "no", "of", "'0'", "f", "OFF", "'False'"])(
    "that says %s of standard_conforming_strings is read as the server reads it",
    async (value) => {
      const sql = `SET standard_conforming_strings = ${value};\nCOMMENT ON TABLE public.t IS 'b\\'; INSERT x'; COMMENT ON TABLE public.t IS 'c';`;
      const reading = openScript(memorySource(Buffer.from(`SET client_encoding = 'UTF8';\n${sql}`), 11));
      const archive = await reading.catch((error: unknown) => error as { readonly code: string });
      if ("code" in archive) expect(archive.code).toBe("unsupported_setting");
      else expect(archive.toc.filter(({ desc }) => desc === "COMMENT")).toHaveLength(2);
    },
  );

  it.each([
    "\\connect postgresql://boss:secret@host/shop",
    "\\connect 'host=x password=secret'",
    "\\connect -reuse-previous=on \"host=x password=secret dbname='shop'\"",
  ])("whose database cannot be told from a password is refused without either: %s", async (line) => {
    const text = `${line}\nCREATE TABLE a (b int);\n\\connect other\nCREATE TABLE a (b int);\n`;
    const error = await openScript(memorySource(Buffer.from(`${HEAD.split("\n")[0]}\n${text}`))).catch(
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: "psql_command" });
    expect((error as Error).message).not.toContain("secret");
  });
});
