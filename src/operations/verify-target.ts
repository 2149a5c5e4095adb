/** What the side database holds, asked of the side database: survivors, constraints. The last gate but two. */
import { VerificationFailed } from "../errors.ts";
import type { VerificationEvidence } from "../evidence/document.ts";
import { connect } from "../postgres/connection.ts";
import type { SideDatabase } from "../postgres/side-database.ts";
import { countSurvivors, prepareReading } from "../postgres/survivors.ts";
import type { Prepared } from "./prepare.ts";
import type { RunContext } from "./settings.ts";

/** @throws VerificationFailed (`survivors`, `constraints`), PostgresFailed. */
export async function verifyTarget(
  run: RunContext,
  prepared: Prepared,
  side: SideDatabase,
): Promise<VerificationEvidence> {
  const connection = await connect(side.settings, run.signal);
  try {
    await prepareReading(connection);
    let survivors = 0;
    let values = 0;
    let columns = 0;
    for (const table of prepared.plan.tables.values()) {
      const count = await countSurvivors(connection, table, prepared.plan);
      values += count.values;
      columns += count.columns;
      survivors += count.survivors;
      if (count.survivors === 0) continue;
      throw new VerificationFailed(
        `table ${table.label} still holds ${count.survivors} rows of erased people after the load`,
        {
          code: "survivors",
          hint: "nothing was made servable; an anonymising rule may leave the matched column as it is: see sanitize policy explain",
        },
      );
    }
    const [row] = await connection.rows<{ total: string; invalid: string }>(
      `SELECT count(*) AS total, count(*) FILTER (WHERE NOT convalidated) AS invalid FROM pg_catalog.pg_constraint
       WHERE connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`,
      "counting constraints",
    );
    const invalid = Number(row?.invalid ?? 0);
    const expected = prepared.backup.archive.toc.filter((entry) =>
      /\bNOT (?:VALID|ENFORCED)\b/.test(entry.defn ?? ""),
    ).length;
    if (invalid > expected) {
      throw new VerificationFailed(`${invalid} constraints are not valid, the backup has ${expected} such`, {
        code: "constraints",
        hint: "nothing was made servable; the backup may come from a database with broken references",
      });
    }
    return {
      survivors,
      values_checked: values,
      columns_checked: columns,
      constraints: Number(row?.total ?? 0),
      constraints_not_valid: invalid,
    };
  } finally {
    await connection.close();
  }
}
