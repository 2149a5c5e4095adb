/**
 * Reads a whole backup through the filter without loading it: the dry run of `restore`, the content of `report`, and (with
 * every block of the file read in order, large objects included) the check of `verify`.
 */
import type { LargeObject } from "../archive/model.ts";
import { finishArchive } from "../archive/open-archive.ts";
import { Tally } from "../erasure/tally.ts";
import type { Journal } from "./journal.ts";
import type { Prepared } from "./prepare.ts";
import { sanitisedTable } from "./restore-table.ts";
import type { RunContext } from "./settings.ts";
import { largeObjectEvidence, readingEvidence, requestEvidence, tableEvidence } from "./summaries.ts";

export async function scanBackup(
  run: RunContext,
  prepared: Prepared,
  journal: Journal,
  everyBlock: boolean,
): Promise<void> {
  const { archive } = prepared.backup;
  const tally = new Tally();
  let largeObjects: number | null = null;
  await journal.phase("reading backup", async () => {
    const entries = archive.toc.filter((entry) => entry.desc === "TABLE DATA" && entry.hasData);
    run.onEvent({ type: "size", tables: entries.length, bytes: prepared.backup.object.size });
    if (everyBlock || archive.sequential || !archive.randomAccess) {
      largeObjects = 0;
      await archive.walk(
        {
          tableData: (entry, data) => drainTable(entry.dumpId, data),
          largeObjects: async (_entry, objects) => {
            largeObjects = (largeObjects ?? 0) + (await drainObjects(objects));
          },
        },
        run.signal,
      );
    } else {
      for (const entry of entries) {
        if (prepared.plan.tables.get(entry.dumpId)?.kind !== "skip_data") {
          await drainTable(entry.dumpId, archive.tableData(entry, run.signal));
        }
      }
    }
    await finishArchive(archive, run.signal);
  });
  journal.add({
    backup: readingEvidence(prepared.backup, prepared.plan),
    tables: tableEvidence(prepared.plan, tally),
    requests: requestEvidence(prepared.plan, tally),
    large_objects: largeObjectEvidence(prepared.plan, tally, largeObjects),
  });

  async function drainTable(dumpId: number, data: AsyncIterable<Buffer>): Promise<void> {
    const table = prepared.plan.tables.get(dumpId);
    const entry = archive.entry.get(dumpId)!;
    const started = performance.now();
    if (table?.kind === "skip_data") {
      // its rows never come back, so they are not counted; its bytes must be sound all the same
      for await (const bytes of data) void bytes;
      return;
    }
    for await (const bytes of sanitisedTable(archive, entry, prepared.plan, tally, run.signal, data)) void bytes;
    run.onEvent({
      type: "table",
      table: table?.label ?? "",
      state: "done",
      rows: tally.table(dumpId).read,
      seconds: (performance.now() - started) / 1000,
    });
  }
}

async function drainObjects(objects: AsyncIterable<LargeObject>): Promise<number> {
  let count = 0;
  for await (const { data } of objects) {
    for await (const bytes of data) void bytes;
    count++;
  }
  return count;
}
