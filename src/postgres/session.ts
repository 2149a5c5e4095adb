/**
 * The settings every connection of a restore starts with. Mirrors `_doSetFixedOutputState` of pg_backup_archiver.c.
 *
 * `client_encoding` stays UTF8: our own strings are decoded already, and table data names its encoding in its COPY.
 */
import type { ServerConnection } from "./connection.ts";
import { StatementRefused } from "./failure.ts";

/** What the archive says about the session its SQL was written for. */
export interface SessionSettings {
  /** The defn of the SEARCHPATH entry; `null` in archives up to 1.12, where the path follows each entry's schema. */
  readonly searchPath: string | null;
  readonly standardConformingStrings: boolean;
}

/** Parameters that only some servers know; a dump of PostgreSQL 17 sets `transaction_timeout`, 16 refuses it. */
const UNKNOWN_PARAMETER = new Set(["42704"]);
/** Not allowed to this role, or not in this place: no reason to stop, both only make a load slower or cancellable. */
const TOLERATED = new Set([...UNKNOWN_PARAMETER, "42501", "55P02"]);

const TOLERANT: readonly string[] = [
  "SET idle_session_timeout = 0",
  "SET transaction_timeout = 0",
  "SET synchronous_commit = off",
];

/** Brings a fresh connection into the state that the archive's SQL expects. @throws PostgresFailed */
export async function prepareSession(connection: ServerConnection, settings: SessionSettings): Promise<void> {
  const strings = settings.standardConformingStrings;
  const fixed = [
    "SET statement_timeout = 0",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET default_transaction_read_only = off",
    `SET standard_conforming_strings = ${strings ? "on" : "off"}`,
    settings.searchPath?.trim().replace(/;$/, "") ?? "",
    "SET check_function_bodies = false",
    "SET xmloption = content",
    "SET client_min_messages = warning",
    strings ? "" : "SET escape_string_warning = off",
    "SET row_security = off",
  ];
  await connection.run(`${fixed.filter((statement) => statement !== "").join(";\n")};`, "the session's settings");
  await setTolerantly(connection);
}

/** The settings that are good to have on any long-lived connection. */
export async function setTolerantly(connection: ServerConnection): Promise<void> {
  for (const statement of TOLERANT) {
    try {
      await connection.run(statement, statement);
    } catch (error) {
      if (!(error instanceof StatementRefused && TOLERATED.has(error.sqlState))) throw error;
    }
  }
}
