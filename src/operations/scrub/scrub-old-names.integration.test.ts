/** Copies of dumps from before 2018, whose names have no schema: the one in force is meant, and it says which rule is a table's. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ShopRun, setUpShopRun } from "../testing/shop-run.ts";
import { scrubBackup } from "./scrub.ts";

const policy = `version: 1
tables:
  one.people: { match: { account_id: id }, scope: identity, no_time: erase, action: delete }
  two.people: unaffected
`;
const script = `--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
SET search_path = one, pg_catalog;
CREATE TABLE people (id integer, name text);
SET search_path = two, pg_catalog;
CREATE TABLE people (id integer, name text);
SET search_path = one, pg_catalog;
COPY people (id, name) FROM stdin;
901\tgoes
902\tstays
\\.
SET search_path = two, pg_catalog;
COPY people (id, name) FROM stdin;
901\tis another
\\.
--
-- PostgreSQL database dump complete
--
`;
let folder = "";
let setup: ShopRun;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-scrub-old-"));
  const request = {
    request_id: "6f0f3f5e-5d3b-4c59-9c4c-0b8d5f6c1a01",
    requested_at: new Date(Date.now() - 3_600_000).toISOString(),
    keys: { account_id: ["901"] },
  };
  setup = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, policy, [request] as never);
  await writeFile(join(folder, "old.sql"), script);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("tables of one name in two schemas that only search_path tells apart", () => {
  it.each(["plain", "custom"] as const)("keep their own rules in a copy as %s", async (format) => {
    const out = join(folder, `clean-${format}`);
    const options = { out, replace: false, recipients: [], passphraseFile: null, unencrypted: false };
    const result = await scrubBackup(setup.context(null), join(folder, "old.sql"), {
      ...options,
      format,
      compression: null,
    });
    expect(result.error).toBeUndefined();
    const counts = result.evidence.tables?.map(({ table, rows_kept, rows_erased }) => [table, rows_kept, rows_erased]);
    expect(counts).toEqual([
      ["one.people", 1, 1],
      ["two.people", 1, 0],
    ]);
    const text = await readFile(out, "latin1");
    expect(text).toContain("901\tis another");
    expect(text).not.toContain("901\tgoes");
  });
});
