/** A large object that a row which stays refers to as well (a picture that many share) stays with it. */

import type { RowBatch } from "../copy/row-batches.ts";
import type { Probe } from "../copy/row-kernel.ts";
import { examineRow } from "./examine.ts";
import { fieldsKept, oidAt, oidsWritten, textsOf } from "./large-objects.ts";
import type { Matcher } from "./matcher.ts";
import { candidateRows } from "./row-view.ts";
import type { TablePlan } from "./table-plan.ts";

/** Reads a table's rows, those that the probes cannot rule out marked. */
export type ScanTable = (plan: TablePlan, probes: readonly Probe[], each: (batch: RowBatch) => void) => Promise<void>;

/** Takes out of `going` what rows of any table still refer to once the rules have been applied. */
export async function keepShared(
  going: Set<number>,
  tables: Iterable<TablePlan>,
  matcher: Matcher,
  scan: ScanTable,
): Promise<void> {
  const { kernel, context } = matcher;
  const tagKey = Buffer.alloc(16);
  const texts = [...going].flatMap(textsOf);
  const table = kernel.tagTable(Uint32Array.from(texts, (text) => kernel.tag(Buffer.from(text), tagKey)));
  for (const plan of tables) {
    if (plan.references.length === 0) continue;
    for (const oid of oidsWritten(plan)) going.delete(oid);
    const { meanings } = matcher.probeSet(plan);
    const probes = plan.references.map((column): Probe => ({ column, form: "exact", tagKey, table }));
    await scan(plan, probes, (batch) => {
      for (const { row, number } of candidateRows(batch)) {
        const { outcome } = examineRow(row, number, plan, meanings, context);
        for (const field of fieldsKept(plan, outcome)) {
          const oid = oidAt(row, field);
          if (oid !== null) going.delete(oid);
        }
      }
    });
  }
}
