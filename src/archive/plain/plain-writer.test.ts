/** The script's form, and that nothing of a dump can end a comment or become a command of psql. */

import { describe, expect, it } from "vitest";
import { joined, pieces } from "../testing/sources.ts";
import { type ScriptHeading, type ScriptItem, type ScriptToWrite, writeScript } from "./plain-writer.ts";

const heading = (over: Partial<ScriptHeading> = {}): ScriptHeading => ({
  dumpId: 7,
  tag: "t",
  desc: "TABLE",
  namespace: "public",
  owner: "someone",
  tablespace: null,
  ...over,
});

async function script(items: readonly ScriptItem[], over: Partial<ScriptToWrite> = {}): Promise<string> {
  const bytes = await joined(
    writeScript({
      encoding: "UTF8",
      encode: (text) => Buffer.from(text),
      standardConformingStrings: true,
      searchPath: "SELECT pg_catalog.set_config('search_path', '', false);\n",
      serverVersion: "15.18",
      dumpVersion: "15.18",
      startedAt: new Date("2026-11-23T06:23:49.900Z"),
      items,
      ...over,
    }),
  );
  return bytes.toString();
}

const statement = (sql: string, over: Partial<ScriptHeading> = {}): ScriptItem => ({
  kind: "statements",
  heading: heading(over),
  settings: [],
  statements: [sql],
});

describe("a plain script", () => {
  it("begins and ends as pg_dump's do", async () => {
    expect(await script([])).toBe(`--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18

-- Started on 2026-11-23 06:23:49 UTC

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- PostgreSQL database dump complete
--

`);
  });

  it("writes an item with its comment, settings and statements", async () => {
    const item: ScriptItem = {
      kind: "statements",
      heading: heading({ tablespace: "fast" }),
      settings: ["SET default_tablespace = fast;"],
      statements: ["CREATE TABLE public.t (a int);\n", "ALTER TABLE public.t OWNER TO someone;"],
    };
    expect(await script([item])).toContain(`SET default_tablespace = fast;

--
-- Name: t; Type: TABLE; Schema: public; Owner: someone; Tablespace: fast
--

CREATE TABLE public.t (a int);


ALTER TABLE public.t OWNER TO someone;
`);
  });

  it("writes rows between their COPY and its closing line, bytes as they are", async () => {
    const rows = Buffer.from("1\tx\n2\t\\N\n");
    const item: ScriptItem = {
      kind: "rows",
      heading: heading({ desc: "TABLE DATA" }),
      settings: [],
      copyStmt: "COPY public.t (a, b) FROM stdin;\n",
      note: "-- load via partition root public.a\nDROP TABLE x;",
      data: () => pieces(rows, 3),
    };
    expect(await script([item])).toContain(`--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: someone
--

-- load via partition root public.a DROP TABLE x;

COPY public.t (a, b) FROM stdin;
1\tx
2\t\\N
\\.


--
-- PostgreSQL database dump complete`);
  });

  it("writes large objects in pieces of 16 KiB, however they come", async () => {
    const content = Buffer.alloc(40_001, 0x5a);
    const objects = async function* () {
      yield { oid: 4_000_000_000, data: pieces(content, 999) };
      yield { oid: 5, data: pieces(Buffer.alloc(0), 1) };
    };
    const item = (create: boolean): ScriptItem => ({
      kind: "large-objects",
      heading: heading({ desc: "BLOBS", tag: "BLOBS", namespace: null, owner: null }),
      settings: [],
      create,
      objects,
    });
    const text = await script([item(false)]);
    expect(text).toContain("-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -\n");
    expect([...text.matchAll(/lowrite\(0, '\\x([0-9a-f]*)'\)/g)].map((match) => match[1]!.length / 2)).toEqual([
      16_384, 16_384, 7_233,
    ]);
    expect(text).toContain(
      "SELECT pg_catalog.lo_close(0);\n\nSELECT pg_catalog.lo_open('5', 131072);\nSELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n",
    );
    expect(await script([item(true)])).toContain("lo_open(pg_catalog.lo_create('5'), 131072)");
    expect(await script([item(false)], { standardConformingStrings: false })).toContain("lowrite(0, '\\\\x5a5a");
  });

  it("keeps names with line ends inside their comment", async () => {
    const text = await script([statement("SELECT 1;", { tag: "x\n\\! id\r", owner: "o\nDROP TABLE y;" })]);
    expect(text).toContain("-- Name: x \\! id ; Type: TABLE; Schema: public; Owner: o DROP TABLE y;\n");
  });

  it.each([
    ["a command of psql", "SELECT 1; \\! id\n"],
    ["a command behind a literal of two lines", "COMMENT ON TABLE t IS E'a'\n'b\\'' \\! id';"],
    ["a command behind a carriage return in a comment", "SELECT 1 -- a\r \\! id\n;"],
    ["no semicolon", "CREATE TABLE t (a int)\n"],
    ["its semicolon in a comment", "CREATE TABLE t (a int) -- ;\n"],
    ["an open parenthesis", "CREATE TABLE t (a int;\n"],
    ["nothing but a comment", "-- a\n"],
    ["a literal that never ends", "SELECT 'a;"],
    ["a comment that never ends", "SELECT 1; /* a"],
    ["a quoted name that never ends", 'CREATE TABLE "t;'],
  ])("refuses a definition with %s", async (_what, sql) => {
    await expect(script([statement(sql)])).rejects.toMatchObject({ code: "unsafe_statement", exitCode: 7 });
  });

  it("refuses a search path with a command of psql", async () => {
    const searchPath = "SELECT pg_catalog.set_config('search_path', '', false);\n\\! id\n";
    await expect(script([], { searchPath })).rejects.toMatchObject({ code: "unsafe_statement" });
  });

  it("takes backslashes where SQL has them", async () => {
    const sql = `SELECT 'a\\', "b\\", $x$ \\! $x$, E'\\'\\\\'; -- \\!\n`;
    expect(await script([statement(sql)])).toContain(sql);
    await expect(script([statement("SELECT 'a\\'';")], { standardConformingStrings: false })).resolves.toContain(
      "a\\''",
    );
  });
});
