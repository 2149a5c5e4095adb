/**
 * The check after the load, by another road than the filter's: what PostgreSQL now holds is read back from it, column by
 * column, cut up by PostgreSQL's own functions (JSON paths, time zones), and every value is looked up anew: keys in the
 * ledger, references among the rows that went. What the filter did to a row has no part in it.
 *
 * All values go through the scan kernel; those of small tables, and one batch in 256 of large ones, also through the reference
 * implementation of canonical forms and tags, so that a fault of the kernel would not pass twice.
 *
 * Invariant: only counts leave this file.
 */
import type { LongRow } from "../copy/long-row.ts";
import { type RowBatch, rowBatches } from "../copy/row-batches.ts";
import { candidateWords, type Probe } from "../copy/row-kernel.ts";
import { lookup } from "../erasure/examine.ts";
import type { RequestView } from "../erasure/outcome.ts";
import { outcomeBehindParent, outcomeOf } from "../erasure/outcome.ts";
import type { ErasurePlan } from "../erasure/plan.ts";
import { longestKey } from "../erasure/reference-values.ts";
import type { EdgeColumns, KeyColumn, TablePlan } from "../erasure/table-plan.ts";
import type { ServerConnection } from "./connection.ts";
import { CopyOut } from "./copy-out.ts";
import { quoteIdentifier, quoteLiteral, quoteQualified } from "./identifiers.ts";

export interface SurvivorCount {
  readonly table: string;
  readonly survivors: number;
  readonly values: number;
  readonly columns: number;
}

/** How the rows of one table are asked for: keys first, then the time, then the columns of references. */
interface TableQuery {
  readonly sql: string;
  /** Fields of a row. The first is empty: CopyOut leaves the remains of message headers in it. */
  readonly columns: number;
  /** Field of the row's time; `null`: not asked for. */
  readonly time: number | null;
  readonly keys: readonly KeyColumn[];
  readonly edges: readonly { readonly edge: EdgeColumns; readonly from: number }[];
}

/** Rows of one table that should not be there. @throws PostgresFailed, Interrupted. */
export async function countSurvivors(
  connection: ServerConnection,
  table: TablePlan,
  plan: ErasurePlan,
): Promise<SurvivorCount> {
  const { rule, createdAt, edges, keys } = table;
  const columns = keys.length + edges.reduce((sum, { fields }) => sum + fields.length, 0);
  if (!rule || rule.action === "retain" || columns === 0) {
    return { table: table.label, survivors: 0, values: 0, columns: 0 };
  }
  // the time costs as much to read as the keys, and hardly any row's matters: it is asked for where a key was found
  let count = await readThrough(connection, tableQuery(table, null, plan), table, plan);
  if (count.survivors > 0 && createdAt) {
    count = await readThrough(connection, tableQuery(table, plan.matcher.context.zone, plan), table, plan);
  }
  return { table: table.label, survivors: count.survivors, values: count.values, columns };
}

async function readThrough(
  connection: ServerConnection,
  query: TableQuery,
  table: TablePlan,
  plan: ErasurePlan,
): Promise<RowCount> {
  const count = new RowCount(query, table, plan);
  await connection.run(readingState, "the session's settings");
  const layout = { table: table.label, columns: query.columns, probes: count.probes };
  for await (const batch of rowBatches(readBack(connection, query.sql, table.label), layout, plan.matcher.kernel)) {
    count.add(batch);
  }
  await connection.run("COMMIT", "the session's settings");
  return count;
}

/** Values are to read as they stood in the dump, and the session to be afterwards as it was. */
const readingState = `BEGIN READ ONLY; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres';
  SET LOCAL extra_float_digits = 3; SET LOCAL row_security = off;`;

/** Values of a table beyond which only every {@link sampled}th batch is looked at by the reference as well. */
const fullyChecked = 20_000;
const sampled = 256;

class RowCount {
  readonly probes: readonly Probe[];
  survivors = 0;
  values = 0;
  private batches = 0;
  private readonly query: TableQuery;
  private readonly table: TablePlan;
  private readonly plan: ErasurePlan;

  constructor(query: TableQuery, table: TablePlan, plan: ErasurePlan) {
    this.query = query;
    this.table = table;
    this.plan = plan;
    const keys = query.keys.map((key, field) => ({ ...key, field: field + 1, path: null }));
    const edges = query.edges.map(({ edge, from }) => ({ ...edge, fields: edge.fields.map((_, n) => from + n) }));
    this.probes = plan.matcher.probeSet({ ...table, keys, edges }).probes;
  }

  add(batch: RowBatch): void {
    this.values += batch.rows * (this.query.keys.length + this.query.edges.length);
    if (batch.longRow) {
      this.look(this.longLine(batch.longRow));
      return;
    }
    if (this.values < fullyChecked || this.batches++ % sampled === 0) {
      for (const line of this.decode(batch.bytes).split("\n")) if (line !== "") this.look(line);
      return;
    }
    for (let at = 0; at < batch.candidates.length; at += candidateWords) {
      this.look(this.decode(batch.bytes.subarray(batch.candidates[at + 1]!, batch.candidates[at + 2]! - 1)));
    }
  }

  /** A value longer than any identifier or key can be found nowhere: as good as NULL, and far shorter. */
  private longLine(row: LongRow): string {
    const fields = Array.from({ length: row.fields }, (_, field) =>
      row.fieldLength(field) > longestKey ? "\\N" : this.decode(row.field(field)),
    );
    return fields.join("\t");
  }

  private decode(bytes: Buffer): string {
    return this.plan.rewriting.decode(bytes);
  }

  private look(line: string): void {
    if (survives(line.split("\t"), this.query, this.table, this.plan)) this.survivors++;
  }
}

/** @param zone where naive times are read in; `null`: without times, as if every row were old enough. */
function tableQuery(table: TablePlan, zone: string | null, plan: ErasurePlan): TableQuery {
  const { decode } = plan.rewriting;
  const column = (field: number): string => quoteIdentifier(table.columns[field]!);
  const times = table.createdAt && zone !== null ? [timeExpression(table.createdAt, zone, column)] : [];
  const time = table.keys.length + 1;
  const edges = table.edges.map((edge, n) => ({
    edge,
    from: table.edges.slice(0, n).reduce((sum, { fields }) => sum + fields.length, time + times.length),
  }));
  const expressions = [
    "''",
    ...table.keys.map((key) => keyExpression(key, column, decode)),
    ...times,
    ...edges.flatMap(({ edge }) => edge.fields.map(column)),
  ];
  const { name } = table.covered;
  const sql = `COPY (SELECT ${expressions.join(", ")} FROM ONLY ${quoteQualified(name.schema, name.name)}) TO STDOUT WITH (ENCODING ${quoteLiteral(plan.encoding)})`;
  return { sql, columns: expressions.length, time: times.length === 0 ? null : time, keys: table.keys, edges };
}

function keyExpression(key: KeyColumn, column: (field: number) => string, decode: (bytes: Buffer) => string): string {
  const steps = key.path?.map((step) => quoteLiteral(String(step))) ?? [];
  const value = key.path ? `${column(key.field)} #>> ARRAY[${steps.join(", ")}]::text[]` : column(key.field);
  if (key.when.length === 0) return value;
  // the raw COPY text is compared as PostgreSQL writes it, so as a literal it needs its escapes taken out again
  const conditions = key.when.map(
    ({ field, raw }) => `${column(field)}::text = ${quoteLiteral(withoutEscapes(decode(raw)))}`,
  );
  return `CASE WHEN ${conditions.join(" AND ")} THEN ${value}::text END`;
}

/** Seconds since 1970 UTC, as PostgreSQL computes them. */
function timeExpression(
  { field, kind }: NonNullable<TablePlan["createdAt"]>,
  zone: string,
  column: (field: number) => string,
): string {
  const instant =
    kind === "timestamptz"
      ? column(field)
      : `(${column(field)}::timestamp without time zone AT TIME ZONE ${quoteLiteral(zone)})`;
  return `pg_catalog.date_part('epoch', ${instant})`;
}

const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function withoutEscapes(field: string): string {
  return field.includes("\\") ? field.replace(/\\(.)/gs, (_whole, letter: string) => escapes[letter] ?? letter) : field;
}

function survives(fields: readonly string[], query: TableQuery, table: TablePlan, plan: ErasurePlan): boolean {
  const time = query.time === null ? (table.createdAt ? "-Infinity" : "\\N") : fields[query.time]!;
  for (const [n, key] of query.keys.entries()) {
    const field = fields[n + 1]!;
    if (field === "\\N") continue;
    const ordinals = lookup(key.type, withoutEscapes(field), table, plan.matcher.context);
    if (ordinals.some((ordinal) => isCovered(plan.views[ordinal], time, table))) return true;
  }
  return query.edges.some(({ edge, from }) => {
    const values = edge.fields.map((_, n) => plan.rewriting.encode(fields[from + n]!));
    const fate = values.some((value) => value.equals(nullText)) ? undefined : edge.parents.get(values);
    return (fate?.ordinals ?? []).some((ordinal) => {
      const view = plan.views[ordinal];
      const outcome = view && table.rule ? outcomeBehindParent(table.rule, view, fate!.goes) : "none";
      return outcome === "delete" || outcome === "anonymise";
    });
  });
}

const nullText = Buffer.from("\\N");

/** The request takes this row: it is effective, and the row is not younger than its cut-off. */
function isCovered(view: RequestView | null | undefined, time: string, table: TablePlan): boolean {
  if (!view || !table.rule) return false;
  const outcome = outcomeOf(table.rule, view);
  if (outcome !== "delete" && outcome !== "anonymise") return false;
  if (time === "\\N") return table.rule.noTime !== "keep";
  // PostgreSQL writes "Infinity" as JavaScript reads it
  return Math.round(Number(time) * 1_000_000) <= view.cutoff;
}

/** A COPY TO STDOUT's bytes, in the dump's encoding and ended as a dump ends them. */
async function* readBack(connection: ServerConnection, sql: string, table: string): AsyncGenerator<Buffer> {
  const what = `reading back table ${table}`;
  const stream = connection.submit(new CopyOut(sql), what);
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw connection.failure(error, what);
  }
  yield Buffer.from("\\.\n");
}
