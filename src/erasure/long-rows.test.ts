/** Rows of hundreds of megabytes: what they cost in memory, asked of a process that does nothing else; and what is refused. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { examineRow } from "./examine.ts";
import { sanitiseRows } from "./sanitise-rows.ts";
import { Tally } from "./tally.ts";
import { sanitised, type TinyTable, tinyArchive, tinyPlan } from "./testing/tiny-dump.ts";

const megabyte = 1024 * 1024;
/** COPY text of a bytea of 300 MB. */
const rowMegabytes = 600;

interface Outcome {
  readonly bytes: number;
  readonly kept: number;
  readonly anonymised: number;
  readonly erased: number;
  readonly before: number;
  readonly peak: number;
}

/** Rows for accounts 901, 902 (erased by number) and 903 (by address), each with {@link rowMegabytes} of hex digits. */
async function inProcess(rule: string): Promise<Outcome> {
  const program = fileURLToPath(new URL("testing/long-row-process.ts", import.meta.url));
  const flags = ["--import", "tsx", program, String(rowMegabytes), "3", rule];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  return JSON.parse(stdout) as Outcome;
}

describe("a table of rows of 300 MB", () => {
  it("costs one row and little more where its rows are matched, kept and taken", async () => {
    const result = await inProcess("{ match: { account_id: id, email: email }, no_time: erase, action: delete }");
    expect(result).toMatchObject({ kept: 1, erased: 2 });
    expect(result.bytes).toBeGreaterThan(rowMegabytes * megabyte);
    expect(result.peak - result.before).toBeLessThan((rowMegabytes + 300) * megabyte);
  }, 60_000);

  it("costs no more where the huge column itself is replaced, or fields around it are", async () => {
    const set = "set: { id: null, email: null, content: null, note: { redact: [email] } }";
    const rule = `{ match: { account_id: id, email: email }, no_time: erase, action: anonymise, ${set} }`;
    const result = await inProcess(rule);
    expect(result).toMatchObject({ kept: 1, anonymised: 2 });
    expect(result.bytes).toBeLessThan((rowMegabytes + 1) * megabyte);
    expect(result.peak - result.before).toBeLessThan((rowMegabytes + 300) * megabyte);
  }, 60_000);

  it("costs next to nothing where no rule looks at it", async () => {
    const result = await inProcess("unaffected");
    expect(result).toMatchObject({ kept: 3 });
    expect(result.peak - result.before).toBeLessThan(200 * megabyte);
  }, 60_000);
});

describe("values too long to be what a rule takes them for", () => {
  const wide = (column: string, value: string): TinyTable => ({
    name: "t",
    columns: ["id bigint NOT NULL", column],
    rows: [[901, value]],
  });
  const jan = { keys: { account_id: ["901"], email: ["jan@voorbeeld.nl"] } };
  const run = async (table: TinyTable, rule: string, other: readonly TinyTable[] = [], others = "") => {
    const archive = await tinyArchive([table, ...other]);
    const plan = await tinyPlan(archive, `version: 1\ntables: { public.t: ${rule}${others} }`, [jan]);
    return await sanitised(archive, plan);
  };

  it("match nothing: an identifier of megabytes", async () => {
    const email = `${"x".repeat(3 * megabyte)} jan@voorbeeld.nl`;
    const rule = "{ match: { email: email }, no_time: erase, action: delete }";
    expect((await run(wide("email text", email), rule)).tally.table(200)).toMatchObject({ kept: 1, erased: 0 });
  });

  it("refer to nothing, and are refused where others refer to them", async () => {
    const value = "k".repeat(2 * megabyte);
    const child: TinyTable = { name: "c", columns: ["k text"], rows: [[value]] };
    const via = ", public.c: { via: { columns: [k], references: public.t, referenced: [k] } }";
    const rule = "{ match: { account_id: id }, no_time: erase, action: delete }";
    await expect(run(wide("k text", value), rule, [child], via)).rejects.toMatchObject({
      code: "value_too_long",
      exitCode: 5,
      message: expect.stringContaining("column k, which holds 2097152 bytes") as string,
    });
    const { tally } = await run(wide("k text", "short"), rule, [child], via);
    expect(tally.table(201)).toMatchObject({ read: 1, kept: 1 });
  });

  it("are refused before they are put together: a text to redact, a document to search", async () => {
    const archive = await tinyArchive([wide("body text", "")]);
    const rules = [
      "{ match: { account_id: id }, no_time: erase, action: anonymise, set: { id: { value: 1 }, body: { redact: [email] } } }",
      '{ match: { account_id: { column: body, path: "$.a" } }, no_time: erase, action: delete }',
    ];
    const archives = [archive, await tinyArchive([wide("body jsonb", "")])];
    for (const [n, rule] of rules.entries()) {
      const plan = await tinyPlan(archives[n]!, `version: 1\ntables: { public.t: ${rule} }`, [jan]);
      const rows = sanitiseRows(hugeRow(), plan.tables.get(200)!, plan, new Tally());
      await expect(rows.next()).rejects.toMatchObject({ code: "value_too_long", exitCode: 5 });
    }
  });

  it("are not asked for at all by a rule that does not name them", async () => {
    const archive = await tinyArchive([wide("body text", "")]);
    const rule = "{ match: { account_id: id }, no_time: erase, action: delete }";
    const plan = await tinyPlan(archive, `version: 1\ntables: { public.t: ${rule} }`, [jan]);
    const table = plan.tables.get(200)!;
    const asked: number[] = [];
    const row = {
      length: () => 3,
      raw: (field: number) => {
        asked.push(field);
        return Buffer.from("901");
      },
    };
    const { meanings } = plan.matcher.probeSet(table);
    expect(examineRow(row, 1, table, meanings, plan.matcher.context).outcome).toBe("delete");
    expect(new Set(asked)).toEqual(new Set([0]));
  });
});

/** One row for account 901 whose second field is one byte more than is read as text. */
async function* hugeRow(): AsyncGenerator<Buffer> {
  yield Buffer.from("901\t");
  const piece = Buffer.alloc(megabyte, "a");
  for (let n = 0; n < 64; n++) yield piece;
  yield Buffer.from("a\n\\.\n\n\n");
}
