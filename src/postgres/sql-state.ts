/**
 * What an SQLSTATE means, in words of our own (errcodes.txt of PostgreSQL 18).
 *
 * Needed because the server's own text cannot be shown where rows are involved: `invalid input syntax for type integer:
 * "…"` quotes the row.
 */

const CONDITIONS: Readonly<Record<string, string>> = {
  "21000": "more than one row where one was expected",
  "22001": "a value is too long for its column",
  "22003": "a number is out of range",
  "22007": "invalid date or time format",
  "22008": "a date or time is out of range",
  "22012": "division by zero",
  "22021": "a byte sequence is invalid in the database's encoding",
  "22023": "invalid parameter value",
  "22P02": "a value is not valid for its column's type",
  "22P03": "invalid binary representation",
  "22P04": "the row does not have the table's columns, or COPY's syntax is broken",
  "22P05": "a character has no equivalent in the database's encoding",
  "22030": "a JSON object has the same key twice",
  "22032": "invalid JSON",
  "2200M": "invalid XML document",
  "2200N": "invalid XML content",
  "23001": "restrict violation",
  "23502": "NULL in a column that does not allow it",
  "23503": "a foreign key has no row to refer to",
  "23505": "two rows have the same unique key",
  "23514": "a check constraint does not hold",
  "23P01": "an exclusion constraint does not hold",
  "25006": "the server is read-only",
  "40001": "serialization failure",
  "40P01": "deadlock detected",
  "44000": "a view's check option does not hold",
  "53100": "the server's disk is full",
  "53200": "the server is out of memory",
  "53300": "the server has no connection slot left",
  "54000": "a program limit was exceeded, such as the size of an index row",
  "55000": "the object is not in the state this needs",
  "55006": "the object is in use",
  "55P03": "a lock could not be had",
  "57014": "the statement was cancelled",
  "57P01": "an administrator ended the connection",
  "57P02": "the server crashed",
  "57P03": "the server is not accepting connections now",
  "58030": "the server could not read or write a file",
  P0001: "a function of the database raised an exception",
  XX000: "internal error of the server",
  XX001: "the server found damaged data",
  XX002: "the server found a damaged index",
};

const CLASSES: Readonly<Record<string, string>> = {
  "08": "connection exception",
  "0A": "feature not supported",
  "21": "cardinality violation",
  "22": "a value cannot be stored",
  "23": "an integrity constraint does not hold",
  "25": "invalid transaction state",
  "28": "authorization refused",
  "38": "a function of the database failed",
  "39": "a function of the database failed",
  "40": "transaction rolled back",
  "42": "syntax error or access rule violation",
  "53": "insufficient resources",
  "54": "a program limit was exceeded",
  "55": "the object is not in the state this needs",
  "57": "the server's operator intervened",
  "58": "error of the server's system",
  F0: "configuration file error",
  HV: "foreign data wrapper error",
  P0: "PL/pgSQL error",
  XX: "internal error of the server",
};

/** Words for a five-character SQLSTATE; never empty. */
export function conditionOf(sqlState: string): string {
  return CONDITIONS[sqlState] ?? CLASSES[sqlState.slice(0, 2)] ?? "an error of a class this tool does not know";
}

const DATABASE_NAMES_ONLY = new Set(["08", "0A", "25", "28", "2B", "3D", "3F", "40", "42", "53", "55", "57", "58"]);

/** True when the server's own texts of this class speak of objects and settings, not of values. */
export function speaksOfObjects(sqlState: string): boolean {
  return DATABASE_NAMES_ONLY.has(sqlState.slice(0, 2));
}
