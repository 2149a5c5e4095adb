/** What the side database holds, asked of the side database: survivors while it is loaded, constraints when it is. */
import type { TocEntry } from "../archive/model.ts";
import { VerificationFailed } from "../errors.ts";
import type { VerificationEvidence } from "../evidence/document.ts";
import { connect, type ServerConnection } from "../postgres/connection.ts";
import { countLargeObjects } from "../postgres/large-objects.ts";
import type { SideDatabase } from "../postgres/side-database.ts";
import { countSurvivors } from "../postgres/survivors.ts";
import type { Prepared } from "./prepare.ts";
import type { RunContext } from "./settings.ts";

/** Checks tables one by one and remembers which. */
export class TargetVerification {
  private readonly prepared: Prepared;
  private readonly checked = new Set<number>();
  private values = 0;
  private columns = 0;

  constructor(prepared: Prepared) {
    this.prepared = prepared;
  }

  /** Reads a loaded table back. @throws VerificationFailed (`survivors`), PostgresFailed. */
  async checkTable(entry: TocEntry, connection: ServerConnection): Promise<void> {
    const table = this.prepared.plan.tables.get(entry.dumpId);
    if (!table) return;
    const count = await countSurvivors(connection, table, this.prepared.plan);
    this.values += count.values;
    this.columns += count.columns;
    this.checked.add(entry.dumpId);
    if (count.survivors === 0) return;
    throw new VerificationFailed(
      `table ${table.label} still holds ${count.survivors} rows of erased people after the load`,
      {
        code: "survivors",
        hint: "nothing was made servable; an anonymising rule may leave the matched column as it is: see sanitize policy explain",
      },
    );
  }

  /** Those that go are not there, all others are. @throws VerificationFailed, PostgresFailed. */
  private async checkLargeObjects(run: RunContext, side: SideDatabase): Promise<void> {
    const { dumpedObjects, largeObjects } = this.prepared.plan;
    if (largeObjects.size === 0 && (dumpedObjects?.size ?? 0) === 0) return;
    const connection = await connect(side.settings, run.signal);
    try {
      const { total, among } = await countLargeObjects(connection, largeObjects);
      if (among > 0) {
        throw new VerificationFailed(`${among} large objects of erased people are in the target after the load`, {
          code: "survivors",
          hint: "this is a defect of sanitize: report it; nothing was made servable",
        });
      }
      if (dumpedObjects === null) return;
      const expected = dumpedObjects.size - [...largeObjects].filter((oid) => dumpedObjects.has(oid)).length;
      if (total === expected) return;
      throw new VerificationFailed(`the target holds ${total} large objects, ${expected} were to be restored`, {
        code: "large_object_count",
        hint: "the backup may be damaged; nothing was made servable",
      });
    } finally {
      await connection.close();
    }
  }

  /** The last look. @throws VerificationFailed (`unchecked_table`, `survivors`, `large_object_count`, `constraints`), PostgresFailed. */
  async finish(run: RunContext, side: SideDatabase): Promise<VerificationEvidence> {
    for (const table of this.prepared.plan.tables.values()) {
      if (table.kind !== "rule" || this.checked.has(table.dumpId)) continue;
      throw new VerificationFailed(`table ${table.label} was not read back after the load`, {
        code: "unchecked_table",
        hint: "this is a defect of sanitize: report it; nothing was made servable",
      });
    }
    await this.checkLargeObjects(run, side);
    const { total, invalid } = await countConstraints(run, side);
    const { toc } = this.prepared.backup.archive;
    const expected = toc.filter(
      (entry) => entry.desc.endsWith("CONSTRAINT") && /\bNOT (?:VALID|ENFORCED);?\s*$/.test(entry.defn ?? ""),
    ).length;
    if (invalid > expected) {
      throw new VerificationFailed(`${invalid} constraints are not valid, the backup has ${expected} such`, {
        code: "constraints",
        hint: "nothing was made servable; the backup may come from a database with broken references",
      });
    }
    return {
      survivors: 0,
      values_checked: this.values,
      columns_checked: this.columns,
      constraints: total,
      constraints_not_valid: invalid,
    };
  }
}

async function countConstraints(run: RunContext, side: SideDatabase): Promise<{ total: number; invalid: number }> {
  const connection = await connect(side.settings, run.signal);
  try {
    const [row] = await connection.rows<{ total: string; invalid: string }>(
      `SELECT count(*) AS total, count(*) FILTER (WHERE NOT convalidated AND conislocal AND conparentid = 0) AS invalid FROM pg_catalog.pg_constraint
       WHERE connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`,
      "counting constraints",
    );
    return { total: Number(row?.total ?? 0), invalid: Number(row?.invalid ?? 0) };
  } finally {
    await connection.close();
  }
}
