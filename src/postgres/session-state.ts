/**
 * The settings that follow the entries: tablespace, access method and, for archives up to 1.12, the search path.
 * Mirrors `_selectTablespace`, `_selectTableAccessMethod` and `_selectOutputSchema` (REL_18 pg_backup_archiver.c).
 *
 * Invariant: one object per connection, and it knows what the connection has: after a rolled-back batch, {@link reset} it.
 */
import type { TocEntry } from "../archive/model.ts";
import { quoteIdentifier } from "./identifiers.ts";

/** Servers before 12 know no access methods for tables. */
const FIRST_WITH_ACCESS_METHODS = 120_000;

export class SessionState {
  readonly #followsSchema: boolean;
  readonly #serverVersion: number;
  #namespace: string | null = null;
  #tablespace: string | null = null;
  #accessMethod: string | null = null;

  /** `followsSchema`: the archive has no SEARCHPATH entry, so its names are not qualified. */
  constructor(followsSchema: boolean, serverVersion: number) {
    this.#followsSchema = followsSchema;
    this.#serverVersion = serverVersion;
  }

  /** Forgets everything, so that the next entry states all it needs. */
  reset(): void {
    this.#namespace = null;
    this.#tablespace = null;
    this.#accessMethod = null;
  }

  /** The SETs to send in front of the entry's own SQL. */
  statementsFor(entry: TocEntry): string[] {
    const changes: string[] = [];
    if (this.#followsSchema && entry.namespace && entry.namespace !== this.#namespace) {
      this.#namespace = entry.namespace;
      const tail = entry.namespace === "pg_catalog" ? "" : ", pg_catalog";
      changes.push(`SET search_path = ${quoteIdentifier(entry.namespace)}${tail};`);
    }
    if (entry.tablespace !== null && entry.tablespace !== this.#tablespace) {
      this.#tablespace = entry.tablespace;
      changes.push(`SET default_tablespace = ${entry.tablespace === "" ? "''" : quoteIdentifier(entry.tablespace)};`);
    }
    if (this.#hasMethod(entry) && entry.tableam !== this.#accessMethod) {
      this.#accessMethod = entry.tableam;
      changes.push(`SET default_table_access_method = ${quoteIdentifier(entry.tableam ?? "")};`);
    }
    return changes;
  }

  #hasMethod(entry: TocEntry): boolean {
    return !!entry.tableam && entry.relkind !== "p" && this.#serverVersion >= FIRST_WITH_ACCESS_METHODS;
  }
}
