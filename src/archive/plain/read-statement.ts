/**
 * What each statement of a script means. Identity comes from the statement alone, never from the comment in front of it.
 *
 * Invariant: what could write rows past the filter is refused; what is not known becomes an entry that runs alone, in its
 * place; what is no SQL at all is not passed on to a server.
 */

import { meaningful, qualifiedName, tokens } from "../sql/tokens.ts";
import { readAlter } from "./alter-statement.ts";
import { readComment, readPrivileges } from "./attached-statement.ts";
import { readCreate } from "./create-statement.ts";
import { type Made, type Meaning, relation, schemaOf, unknownEntry } from "./meaning.ts";
import type { StatementWords } from "./statement-words.ts";

const TRANSACTIONS = new Set(["BEGIN", "COMMIT", "START", "END"]);
/** They make or change rows, or run what the script does not show. */
const WRITING = new Set(
  `UPDATE DELETE MERGE TRUNCATE DO CALL EXECUTE PREPARE WITH VALUES TABLE INSERT IMPORT ROLLBACK ABORT SAVEPOINT EXPLAIN
  DECLARE FETCH MOVE LOAD`.split(/\s+/),
);
/** Other first words of SQL commands (PostgreSQL 18). */
const KNOWN = new Set(
  "ANALYZE CHECKPOINT CLOSE CLUSTER DEALLOCATE DISCARD LISTEN LOCK NOTIFY REASSIGN REINDEX RELEASE SHOW UNLISTEN VACUUM".split(
    " ",
  ),
);

/** SETs are script-settings.ts's, and come here no more. */
export function readStatement(words: StatementWords): Meaning {
  words.at = 0;
  const first = words.firstWords(1);
  switch (first) {
    case "CREATE":
      return readCreate(words);
    case "ALTER":
      return readAlter(words);
    case "COMMENT":
    case "SECURITY":
      return readComment(words);
    case "GRANT":
    case "REVOKE":
      return readPrivileges(words);
    case "COPY":
      return { does: "copy" };
    case "SELECT":
      return readSelect(words);
    case "REFRESH":
      return readRefresh(words);
    case "DROP":
      return readDrop(words);
    default:
      if (TRANSACTIONS.has(first)) return { does: "nothing" };
      if (WRITING.has(first)) return { does: "refuse", what: first };
      return KNOWN.has(first) ? unknownEntry(words) : { does: "refuse", what: "" };
  }
}

/** The functions that pg_dump calls, alone and with literals; anything else could do anything. */
function readSelect(words: StatementWords): Meaning {
  words.at = 1;
  const isStatistics = words.takeText("*") && words.take("FROM");
  const called = words.name();
  if (called === null || !words.takeText("(") || (called.schema !== null && called.schema !== "pg_catalog")) {
    return { does: "refuse", what: "SELECT" };
  }
  if (isStatistics || /^pg_(restore|clear)_/.test(called.name)) return readStatistics(words, called.name);
  switch (called.name) {
    case "setval":
      return readSequenceValue(words);
    case "lo_create":
      return readLargeObject(words);
    case "lo_unlink":
      return { does: "nothing" };
    default:
      return { does: "refuse", what: "SELECT" };
  }
}

function readLargeObject(words: StatementWords): Meaning {
  const oid = words.string() ?? words.number() ?? "";
  return /^\d{1,10}$/.test(oid) && words.takeText(")") && words.ended
    ? { does: "large-object", oid }
    : { does: "refuse", what: "SELECT lo_create" };
}

function readSequenceValue(words: StatementWords): Meaning {
  const name = qualifiedName(meaningful(tokens(words.string() ?? "")), 0);
  if (words.takeText("::") && words.name()?.name !== "regclass") return { does: "refuse", what: "SELECT setval" };
  const hasValue = words.takeText(",") && words.number() !== null;
  if (words.takeText(",")) words.skip("TRUE", "FALSE");
  if (name === null || !hasValue || !words.takeText(")") || !words.ended) {
    return { does: "refuse", what: "SELECT setval" };
  }
  const made: Made = { does: "make", desc: "SEQUENCE SET", tag: name.name, schema: schemaOf(name), section: "data" };
  return { ...made, relation: name };
}

/** They hold values of columns: kept as entries of that type, which are never restored. */
function readStatistics(words: StatementWords, called: string): Meaning {
  const argument = (name: string): string => {
    const at = words.list.findIndex((token, index) => index >= words.at && token.text === `'${name}'`);
    if (at < 0) return "";
    words.at = at + 2;
    return words.string() ?? "";
  };
  const from = words.at;
  const schema = argument("schemaname");
  words.at = from;
  const tag = argument("relname");
  const desc = called.includes("extended") ? "EXTENDED STATISTICS DATA" : "STATISTICS DATA";
  return { does: "make", desc, tag, schema, section: "data", joins: true };
}

function readRefresh(words: StatementWords): Meaning {
  words.at = 1;
  if (!words.take("MATERIALIZED", "VIEW")) return unknownEntry(words);
  words.take("CONCURRENTLY");
  const name = words.name();
  if (name === null) return unknownEntry(words);
  const made: Made = {
    does: "make",
    desc: "MATERIALIZED VIEW DATA",
    tag: name.name,
    schema: schemaOf(name),
    section: "post-data",
  };
  return { ...made, self: { kind: "REFRESH", name }, relation: name };
}

function readDrop(words: StatementWords): Meaning {
  words.at = 1;
  const alone = unknownEntry(words);
  if (words.is("ROLE") || words.is("USER") || words.is("DATABASE") || words.is("TABLESPACE") || words.is("GROUP")) {
    return { does: "nothing" };
  }
  const isRelation = ["TABLE", "VIEW", "SEQUENCE", "INDEX"].some((word) => words.take(word));
  if (!isRelation && !words.take("FOREIGN", "TABLE") && !words.take("MATERIALIZED", "VIEW")) {
    return { does: "drop", name: null, alone };
  }
  words.take("CONCURRENTLY");
  words.take("IF", "EXISTS");
  const name = words.name();
  return { does: "drop", name, alone: name === null ? alone : { ...alone, tag: name.name, self: relation(name) } };
}
