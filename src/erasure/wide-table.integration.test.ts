/** As many columns as PostgreSQL allows, dumped by pg_dump, with the rule on the last of them. Oracle: a plain DELETE. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Archive, TocEntry } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import { parseCopyStatement } from "../copy/statement.ts";
import {
  dropDatabases,
  fileSource,
  freshName,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "../postgres/testing/real-server.ts";
import { sanitiseRows } from "./sanitise-rows.ts";
import { Tally } from "./tally.ts";
import { tinyPlan } from "./testing/tiny-dump.ts";

/** MaxHeapAttributeNumber */
const COLUMNS = 1600;
const ROWS = 300;
const POLICY = `version: 1
tables:
  public.wide: { match: { account_id: c1, email: c${COLUMNS} }, scope: identity, no_time: erase, action: delete }
`;

const types = Array.from({ length: COLUMNS }, (_, index) => {
  const number = index + 1;
  if (number === 1) return "c1 bigint";
  return `c${number} ${number === COLUMNS ? "text" : "smallint"}`;
});

/** Every seventh row belongs to one of ten people by the last column, one row to another by the first. */
const FILL = `INSERT INTO wide (c1, c2, c1599, c${COLUMNS})
  SELECT i, i % 5, i, CASE WHEN i % 7 = 0 THEN 'person' || i % 10 || '@example.org' ELSE repeat('x', i) END
  FROM generate_series(1, ${ROWS}) i`;

describe.skipIf(serverUrl === null || tools === null)("1,600 columns (needs PostgreSQL and its client tools)", () => {
  const database = freshName("wide");
  let folder: string;

  const dumped = async (...options: string[]): Promise<{ archive: Archive; rows: TocEntry }> => {
    const path = join(folder, "wide.dump");
    await tool(tools!.pg_dump, database, "-Fc", "-f", path, ...options);
    const archive = await openArchive(await fileSource(path));
    return { archive, rows: archive.toc.find((entry) => entry.desc === "TABLE DATA")! };
  };

  const text = async (data: AsyncIterable<Uint8Array>): Promise<string> => {
    const parts: Uint8Array[] = [];
    for await (const part of data) parts.push(part);
    return Buffer.concat(parts).toString("latin1");
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sanitize-wide-"));
    await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${database} TEMPLATE template0`, "test"));
    await withConnection(database, async (server) => {
      await server.run(`CREATE TABLE wide (${types.join(", ")})`, "test");
      await server.run(FILL, "test");
    });
  });

  afterAll(async () => {
    await dropDatabases([database]);
    await rm(folder, { recursive: true, force: true });
  });

  it("rows that the last column gives away are found, in every form of dump", async () => {
    const sanitised: string[] = [];
    for (const options of [[], ["--inserts"], ["--column-inserts", "--rows-per-insert=10"]]) {
      const { archive, rows } = await dumped(...options);
      expect(parseCopyStatement(rows.copyStmt ?? "").columns).toHaveLength(COLUMNS);
      const plan = await tinyPlan(archive, POLICY, [{ keys: { email: ["person3@example.org"], account_id: ["299"] } }]);
      const tally = new Tally();
      const table = plan.tables.get(rows.dumpId)!;
      sanitised.push(await text(sanitiseRows(archive.tableData(rows), table, plan, tally)));
      // Multiples of 7 that end in 3: 63, 133, 203, 273; and row 299.
      expect(tally.table(rows.dumpId)).toMatchObject({ kept: ROWS - 5, erased: 5 });
    }
    await withConnection(database, (server) =>
      server.run(`DELETE FROM wide WHERE c${COLUMNS} = 'person3@example.org' OR c1 = 299`, "test"),
    );
    const { archive, rows } = await dumped();
    const expected = (await text(archive.tableData(rows))).replace(/\\\.\n\n\n$/, "");
    for (const each of sanitised) {
      expect(each.replace(/\\\.\n+$/, "") === expected).toBe(true);
    }
  });
});
