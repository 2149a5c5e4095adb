/**
 * The filter: batches of a table's rows in, the same bytes out without what must go. Rows that stay leave as slices of
 * the bytes that came in; rows a rule rewrites are put together from their own bytes and the new fields.
 *
 * Invariant: of a row of hundreds of megabytes only what a rule asks for is copied, and what has been passed on is let go.
 */
import type { LongRow } from "../copy/long-row.ts";
import { type RowBatch, rowBatches } from "../copy/row-batches.ts";
import { throwIfAborted, VerificationFailed } from "../errors.ts";
import type { RewritableRow } from "./anonymise.ts";
import { rewriteRow } from "./anonymise.ts";
import type { ReferencedObjects } from "./dumped-objects.ts";
import type { Decision } from "./examine.ts";
import { fieldsKept, oidAt, oidsWritten } from "./large-objects.ts";
import type { Outcome } from "./outcome.ts";
import type { ErasurePlan } from "./plan.ts";
import { LongRowView, type RowView } from "./row-view.ts";
import type { FieldChange, ProbeMeaning, TablePlan } from "./table-plan.ts";
import type { TableTally, Tally } from "./tally.ts";

const noChanges: readonly FieldChange[] = [];

/**
 * Yields the COPY bytes of a table that stay, without the closing `\.` line, one buffer for each batch of rows read.
 * @throws ArchiveDamaged, PolicyRefused (`no_time`), VerificationFailed when the arithmetic does not hold.
 */
export async function* sanitiseRows(
  data: AsyncIterable<Buffer>,
  table: TablePlan,
  plan: ErasurePlan,
  tally: Tally,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const { probes, meanings } = plan.matcher.probeSet(table);
  const filter = new RowFilter(table, meanings, plan, tally);
  const inParts = probes.length === 0 && !filter.followsReferences;
  const layout = { table: table.label, columns: table.columns.length, probes, inParts };
  for await (const batch of rowBatches(data, layout, plan.matcher.kernel)) {
    throwIfAborted(signal);
    const bytes = filter.pass(batch);
    if (batch.longRow) yield* lettingGo(bytes, batch.longRow);
    else if (bytes.length > 0) yield* bytes;
  }
  filter.checkArithmetic();
}

/** A row's pieces one by one, none of them kept here any longer than the reader of this wants it. */
function* lettingGo(pieces: Buffer[], row: LongRow): Generator<Buffer> {
  row.release();
  pieces.reverse();
  for (let piece = pieces.pop(); piece; piece = pieces.pop()) yield piece;
}

class RowFilter {
  private readonly table: TablePlan;
  private readonly meanings: readonly ProbeMeaning[];
  private readonly plan: ErasurePlan;
  private readonly tally: Tally;
  private readonly counts: TableTally;
  /** Where references to large objects are put down; `null` for the many tables that have none. */
  private readonly references: ReferencedObjects | null;

  constructor(table: TablePlan, meanings: readonly ProbeMeaning[], plan: ErasurePlan, tally: Tally) {
    this.table = table;
    this.meanings = meanings;
    this.plan = plan;
    this.tally = tally;
    this.counts = tally.table(table.dumpId);
    const { dumpedObjects } = plan;
    this.references = table.references.length > 0 && dumpedObjects ? tally.referenced(dumpedObjects) : null;
  }

  get followsReferences(): boolean {
    return this.references !== null;
  }

  /** The bytes of a batch that stay. */
  pass(batch: RowBatch): Buffer[] {
    const { table, plan, counts } = this;
    counts.read += batch.rows;
    let covered = 0;
    let from = 0;
    const pieces: Buffer[] = [];
    plan.matcher.coveredRows(batch, table, this.meanings, (row, start, end, decision) => {
      covered++;
      const changes = changesFor(table, decision);
      const gone = decision.outcome === "delete";
      this.tally.count(counts, decision, changes.length > 0, plan.isLate(table, decision));
      if (!gone && changes.length === 0) return;
      if (start > from) pieces.push(this.kept(batch.bytes, from, start));
      if (!gone) this.rewritten(row, changes, decision, pieces);
      from = end;
    });
    counts.kept += batch.rows - covered;
    if (batch.longRow) return from === 0 ? this.keptLongRow(batch.longRow) : pieces;
    const rest = this.kept(batch.bytes, from, batch.bytes.length);
    if (from === 0) return [rest];
    pieces.push(rest);
    // one buffer: many small ones would each become a message on the wire
    const joined = Buffer.concat(pieces);
    return joined.length > 0 ? [joined] : [];
  }

  /** @throws VerificationFailed (`row_arithmetic`). */
  checkArithmetic(): void {
    const { read, kept, anonymised, erased } = this.counts;
    if (read === kept + anonymised + erased) return;
    const fact = "rows read are not rows kept, anonymised and erased together";
    throw new VerificationFailed(`table ${this.table.label}: ${fact}`, {
      code: "row_arithmetic",
      hint: "this is a defect of sanitize: report it; nothing was made servable",
    });
  }

  private kept(bytes: Buffer, start: number, end: number): Buffer {
    this.references?.addRows(bytes, start, end, this.table.references);
    return bytes.subarray(start, end);
  }

  private keptLongRow(row: LongRow): Buffer[] {
    this.refers(new LongRowView(row), "none");
    return [...row.slices(0, row.length)];
  }

  private rewritten(row: RewritableRow, changes: readonly FieldChange[], decision: Decision, pieces: Buffer[]): void {
    const names = decision.ordinals.flatMap((ordinal) => [...(this.plan.names.get(ordinal) ?? [])]);
    for (const piece of rewriteRow(row, changes, { ...this.plan.rewriting, names })) pieces.push(piece);
    this.refers(row, decision.outcome);
    for (const oid of this.references ? oidsWritten(this.table) : []) this.references?.add(oid);
  }

  /** Puts down what a row that stays still refers to. */
  private refers(row: RowView, outcome: Outcome): void {
    if (!this.references) return;
    for (const field of fieldsKept(this.table, outcome)) {
      const oid = oidAt(row, field);
      if (oid !== null) this.references.add(oid);
    }
  }
}

function changesFor(table: TablePlan, decision: Decision): readonly FieldChange[] {
  switch (decision.outcome) {
    case "anonymise":
    case "retain":
      return table.set;
    case "pending":
      return table.pendingSet;
    default:
      return noChanges;
  }
}
