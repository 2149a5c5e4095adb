/** The heart: one table's rows from the archive, through the filter, on their way to COPY. The unit of work. */
import type { Archive, TocEntry } from "../archive/model.ts";
import type { ErasurePlan } from "../erasure/plan.ts";
import { sanitiseRows } from "../erasure/sanitise-rows.ts";
import type { Tally } from "../erasure/tally.ts";
import { ArchiveDamaged } from "../errors.ts";

/** COPY bytes of a TABLE DATA entry that stay. @throws ArchiveDamaged, PolicyRefused, SourceFailed, Interrupted. */
export function sanitisedTable(
  archive: Archive,
  entry: TocEntry,
  plan: ErasurePlan,
  tally: Tally,
  signal: AbortSignal,
  data: AsyncIterable<Buffer> = archive.tableData(entry, signal),
): AsyncIterable<Buffer> {
  const table = plan.tables.get(entry.dumpId);
  if (!table) {
    // coverage names every entry with rows; one that is missing here must not pass unfiltered
    throw new ArchiveDamaged(`dump ID ${entry.dumpId} has rows that no table of the plan covers`, {
      code: "unplanned_table",
      hint: "this is a defect of sanitize: report it",
    });
  }
  return sanitiseRows(data, table, plan, tally, signal);
}
