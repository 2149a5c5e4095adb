/**
 * The filter: batches of a table's rows in, the same bytes out without what must go. Rows that stay leave as slices of
 * the bytes that came in; rows a rule rewrites are put together from their own bytes and the new fields.
 */
import { type RowBatch, rowBatches } from "../copy/row-batches.ts";
import { throwIfAborted, VerificationFailed } from "../errors.ts";
import type { RewritableRow } from "./anonymise.ts";
import { rewriteRow } from "./anonymise.ts";
import type { Decision } from "./examine.ts";
import type { ErasurePlan } from "./plan.ts";
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
  const counts = tally.table(table.dumpId);
  const { probes, meanings } = plan.matcher.probeSet(table);
  const layout = { table: table.label, columns: table.columns.length, probes };
  for await (const batch of rowBatches(data, layout, plan.matcher.kernel)) {
    throwIfAborted(signal);
    const bytes = sanitiseBatch(batch, table, meanings, plan, tally, counts);
    if (bytes.length > 0) yield* bytes;
  }
  if (counts.read !== counts.kept + counts.anonymised + counts.erased) {
    throw new VerificationFailed(`table ${table.label}: rows read are not rows kept, anonymised and erased together`, {
      code: "row_arithmetic",
      hint: "this is a defect of sanitize: report it; nothing was made servable",
    });
  }
}

function sanitiseBatch(
  batch: RowBatch,
  table: TablePlan,
  meanings: readonly ProbeMeaning[],
  plan: ErasurePlan,
  tally: Tally,
  counts: TableTally,
): readonly Buffer[] {
  counts.read += batch.rows;
  let covered = 0;
  let from = 0;
  const pieces: Buffer[] = [];
  plan.matcher.coveredRows(batch, table, meanings, (row, start, end, decision) => {
    covered++;
    const changes = changesFor(table, decision);
    const gone = decision.outcome === "delete";
    tally.count(counts, decision, changes.length > 0, plan.isLate(table, decision));
    if (!gone && changes.length === 0) return;
    if (start > from) pieces.push(batch.bytes.subarray(from, start));
    if (!gone) pieces.push(...rewrite(row, changes, decision, plan));
    from = end;
  });
  counts.kept += batch.rows - covered;
  if (from === 0) return batch.longRow ? [...batch.longRow.slices(0, batch.longRow.length)] : [batch.bytes];
  if (batch.longRow) return pieces;
  pieces.push(batch.bytes.subarray(from));
  // one buffer: many small ones would each become a message on the wire
  const joined = Buffer.concat(pieces);
  return joined.length > 0 ? [joined] : [];
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

function rewrite(row: RewritableRow, changes: readonly FieldChange[], decision: Decision, plan: ErasurePlan): Buffer[] {
  const names = decision.ordinals.flatMap((ordinal) => [...(plan.names.get(ordinal) ?? [])]);
  return rewriteRow(row, changes, { ...plan.rewriting, names });
}
