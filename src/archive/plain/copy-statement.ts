/**
 * COPY and INSERT statements of scripts: which table they fill, and the COPY in the one form that an archive has. Mirrors
 * dumpTableData_copy of pg_dump.c; hand-made statements are brought to that form, or refused.
 */

import { quoteIdentifier } from "../sql/identifiers.ts";
import { nameOf, type QualifiedName } from "../sql/tokens.ts";
import { ScriptFault } from "./script-fault.ts";
import type { StatementWords } from "./statement-words.ts";

export interface CopyTarget {
  readonly table: QualifiedName;
  /** `COPY s.t (a, b) FROM stdin;\n`. */
  readonly copyStmt: string;
}

/** @throws ScriptFault for rows in any other format than pg_dump's text, and for a COPY that brings no rows. */
export function readCopy(words: StatementWords, offset: number): CopyTarget {
  words.at = 1;
  const from = words.at;
  const table = words.name();
  if (table === null) throw odd("a COPY statement", offset);
  const name = words.list
    .slice(from, words.at)
    .map((token) => (token.kind === "word" ? token.text.toLowerCase() : token.text))
    .join("");
  const listed = words.group();
  const oids = () => (words.take("WITH", "OIDS") ? " WITH OIDS" : "");
  const before = oids();
  if (!words.take("FROM", "STDIN") || !words.ended)
    throw odd("a COPY statement with options, or not from standard input,", offset);
  if (listed === null && !/[\s"] {2}FROM stdin;$|\S {2}FROM stdin;$/.test(words.text)) {
    throw new ScriptFault(
      "copy_columns",
      "a COPY statement without a list of columns",
      offset,
      "make the backup with pg_dump itself",
    );
  }
  const columns = listed?.flatMap((token, at) => (at % 2 === 0 ? [quoteIdentifier(nameOf(token) ?? "")] : [])) ?? [];
  const list = listed === null ? " " : ` (${columns.join(", ")})`;
  return { table, copyStmt: `COPY ${name}${list}${before} FROM stdin;\n` };
}

/** The table of an INSERT's head; `null` when it names none. */
export function readInsert(words: StatementWords): QualifiedName | null {
  words.at = 0;
  return words.take("INSERT", "INTO") ? words.name() : null;
}

function odd(what: string, offset: number): ScriptFault {
  return new ScriptFault(
    "copy_statement",
    `${what} that pg_dump does not write`,
    offset,
    "make the backup with pg_dump itself",
  );
}
