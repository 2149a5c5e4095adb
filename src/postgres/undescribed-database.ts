/**
 * The database for a dump that does not describe one: a script without `CREATE DATABASE`. Such a script is meant for a database
 * that somebody has made for it, so an empty one under the target's name gives encoding and locale; without one the encoding
 * is the script's own, and the locale the server's.
 */
import type { ServerConnection } from "./connection.ts";
import type { DatabaseOptions } from "./database-entry.ts";

/** Encodings that only clients may have (pg_wchar.h). */
const CLIENT_ONLY = new Set(["SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"]);

/** Options of CREATE DATABASE; `encoding` is the dump's. */
export async function undescribedOptions(
  connection: ServerConnection,
  target: string,
  encoding: string,
): Promise<DatabaseOptions> {
  const [existing] = await connection.rows<{ encoding: string; collate: string; ctype: string }>(
    `SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
     FROM pg_catalog.pg_database WHERE datname = $1`,
    "the list of databases",
    [target],
  );
  if (existing !== undefined) {
    return new Map([
      ["ENCODING", existing.encoding],
      ["LC_COLLATE", existing.collate],
      ["LC_CTYPE", existing.ctype],
    ]);
  }
  return new Map(CLIENT_ONLY.has(encoding.toUpperCase()) ? [] : [["ENCODING", encoding]]);
}
