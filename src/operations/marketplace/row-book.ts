/**
 * Collects the rows of the known people as COPY lines, and keeps count of what becomes of them.
 */

import type { MarketplacePerson, RowFate } from "./marketplace-person.ts";
import { copyColumns, type MarketplaceTable, marketplaceTableNames } from "./marketplace-tables.ts";
import { escapeCopy, timestampOf } from "./random-texts.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A provider and a course of its that every size of marketplace has. */
export const contact = { provider_id: "3", course_id: "5" } as const;

type Values = Readonly<Record<string, string | null>>;

/** Collects rows and keeps count of what they are for. */
export class RowBook {
  readonly lines = Object.fromEntries(marketplaceTableNames.map((table) => [table, [] as string[]])) as Record<
    MarketplaceTable,
    string[]
  >;
  rows: Partial<Record<MarketplaceTable, Partial<Record<RowFate, number>>>> = {};
  private readonly snapshot: Date;

  constructor(snapshot: Date) {
    this.snapshot = snapshot;
  }

  /** Columns left out are NULL, or the next number for `id`. Returns the row's id. */
  add(table: MarketplaceTable, fate: RowFate, values: Values): string {
    const id = String(this.lines[table].length + 1);
    const row: Values = { id, ...values };
    const fields = copyColumns(table).map((column) => {
      const value = row[column] ?? null;
      return value === null ? "\\N" : escapeCopy(value);
    });
    this.lines[table].push(`${fields.join("\t")}\n`);
    const fates = { ...this.rows[table] };
    fates[fate] = (fates[fate] ?? 0) + 1;
    this.rows[table] = fates;
    return row.id ?? id;
  }

  /** An instant before the snapshot, as PostgreSQL writes it. */
  daysAgo(days: number): string {
    return timestampOf(new Date(this.snapshot.getTime() - days * DAY_MS));
  }

  /** Hours after the snapshot (negative: before), RFC 3339. */
  at(hours: number): string {
    return new Date(this.snapshot.getTime() + hours * HOUR_MS).toISOString();
  }

  /** Ends one person's rows and begins the next one's. */
  take(): MarketplacePerson["rows"] {
    const { rows } = this;
    this.rows = {};
    return rows;
  }
}

/** Keys and spaces as jsonb prints them, so that a dump of the restored table reads the same. */
export function addEvent(book: RowBook, fate: RowFate, user: { id?: number; email?: string }, at: string): void {
  const parts = Object.entries(user).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`);
  book.add("events", fate, {
    kind: "page",
    payload: `{"path": "/cursussen", "user": {${parts.join(", ")}}}`,
    occurred_at: at,
  });
}
