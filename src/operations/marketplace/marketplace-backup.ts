/**
 * Writes a backup of a made-up course marketplace: what `demo` and `bench` restore.
 *
 * Invariant: the same options give the same bytes, so that a run can be repeated and compared.
 */

import { writeCustomArchiveFile } from "../../archive/custom/custom-writer.ts";
import type { ArchiveCompression } from "../../archive/model.ts";
import { makePeople } from "./marketplace-people.ts";
import type { MarketplacePerson, PersonRole } from "./marketplace-person.ts";
import { firstId, MarketplaceRows, rowCounts } from "./marketplace-rows.ts";
import { marketplaceEntries } from "./marketplace-schema.ts";
import { type MarketplaceTable, marketplaceTableNames } from "./marketplace-tables.ts";

export interface MarketplaceOptions {
  /** Over all tables; default 200,000, at least about 200 whatever is asked for. */
  readonly rows?: number;
  readonly seed?: number;
  /**
   * When the snapshot was taken. Requests of the known people come in up to two hours later: leave that much room before
   * now. Rows are older than it.
   */
  readonly createdAt: Date;
  /** Default gzip. */
  readonly compression?: ArchiveCompression;
}

export interface MarketplaceBackup {
  /** Rows written, by qualified table name. */
  readonly tables: Readonly<Record<string, number>>;
  readonly largeObjects: number;
  readonly people: Readonly<Record<PersonRole, MarketplacePerson>>;
}

/** Writes the archive to `path`, over what may be there. About 180 bytes of COPY text a row. */
export async function writeMarketplaceBackup(path: string, options: MarketplaceOptions): Promise<MarketplaceBackup> {
  const { createdAt, rows = 200_000, seed = 1, compression = "gzip" } = options;
  const people = makePeople(createdAt);
  const counts = rowCounts(rows, people);
  const generator = new MarketplaceRows(people, counts, seed, createdAt);
  const largeObjects = generator.avatars();
  const byTable = <T>(of: (table: MarketplaceTable) => T): Record<MarketplaceTable, T> =>
    Object.fromEntries(marketplaceTableNames.map((table) => [table, of(table)])) as Record<MarketplaceTable, T>;
  await writeCustomArchiveFile(path, {
    // pg_restore knows lz4 and zstd from 1.15 on, and servers before 16 come with one that does not know 1.15.
    minor: compression === "lz4" || compression === "zstd" ? 15 : 14,
    compression,
    createdAt,
    database: "marketplace",
    serverVersion: "15.18",
    dumpVersion: "15.18",
    entries: marketplaceEntries({
      rows: (table) => generator.table(table),
      lastIds: byTable((table) => firstId(table) + counts[table] - 1),
      largeObjects,
      largeObject: (oid) => generator.avatar(oid),
    }),
  });
  const total = byTable((table) => counts[table] + people.lines[table].length);
  return {
    tables: Object.fromEntries(Object.entries(total).map(([table, count]) => [`public.${table}`, count])),
    largeObjects: largeObjects.length,
    people: people.people,
  };
}
