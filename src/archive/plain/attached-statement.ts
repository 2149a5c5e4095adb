/**
 * What is said about objects: comments, security labels, privileges. Mirrors dumpComment, dumpSecLabel, dumpACL and
 * dumpTableACL of pg_dump.c: tags are the kind of object and its name.
 */

import { isWord, type QualifiedName } from "../sql/tokens.ts";
import { type Made, type Meaning, type ObjectName, relation, schemaOf, unknownEntry } from "./meaning.ts";
import { readSignature } from "./routine-signature.ts";
import type { StatementWords } from "./statement-words.ts";

/** Kinds of more than one word come first. */
const KINDS = [
  ["ACCESS", "METHOD"],
  ["EVENT", "TRIGGER"],
  ["FOREIGN", "DATA", "WRAPPER"],
  ["FOREIGN", "SERVER"],
  ["FOREIGN", "TABLE"],
  ["LARGE", "OBJECT"],
  ["MATERIALIZED", "VIEW"],
  ["OPERATOR", "CLASS"],
  ["OPERATOR", "FAMILY"],
  ["PROCEDURAL", "LANGUAGE"],
  ["TEXT", "SEARCH", "CONFIGURATION"],
  ["TEXT", "SEARCH", "DICTIONARY"],
  ["TEXT", "SEARCH", "PARSER"],
  ["TEXT", "SEARCH", "TEMPLATE"],
  ..."AGGREGATE CAST COLLATION COLUMN CONSTRAINT CONVERSION DATABASE DOMAIN EXTENSION FUNCTION INDEX LANGUAGE OPERATOR"
    .split(" ")
    .map((word) => [word]),
  ..."PARAMETER POLICY PROCEDURE PUBLICATION ROLE ROUTINE RULE SCHEMA SEQUENCE SERVER STATISTICS SUBSCRIPTION TABLE"
    .split(" ")
    .map((word) => [word]),
  ..."TABLESPACE TRANSFORM TRIGGER TYPE VIEW".split(" ").map((word) => [word]),
];
const RELATIONS = new Set(["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "SEQUENCE", "INDEX"]);
const ROUTINES = new Set(["FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE"]);
const BOUND = new Set(["TRIGGER", "RULE", "POLICY", "CONSTRAINT"]);
const IN_NO_SCHEMA = new Set(
  `ACCESS METHOD,EVENT TRIGGER,FOREIGN DATA WRAPPER,FOREIGN SERVER,PROCEDURAL LANGUAGE,LANGUAGE,DATABASE,EXTENSION,SCHEMA,
PUBLICATION,SUBSCRIPTION,SERVER`
    .replaceAll("\n", "")
    .split(","),
);
/** Of the whole server. */
const GLOBAL = new Set(["ROLE", "TABLESPACE", "PARAMETER"]);

/** Reads `COMMENT ON …` and `SECURITY LABEL … ON …`. */
export function readComment(words: StatementWords): Meaning {
  words.at = 0;
  const desc = words.is("COMMENT") ? "COMMENT" : "SECURITY LABEL";
  return words.seek("ON") ? readObject(words, desc) : unknownEntry(words);
}

/** Reads GRANT and REVOKE. */
export function readPrivileges(words: StatementWords): Meaning {
  words.at = 1;
  if (!words.seek("ON")) return readMembership(words);
  const open = words.list.findIndex((token) => token.text === "(");
  const listed = open >= 0 && open < words.at ? words.list[open + 1] : undefined;
  const meant = readObject(words, "ACL");
  if (meant.does !== "make" || !meant.tag.startsWith("TABLE ") || listed === undefined) return meant;
  const column = listed.kind === "quoted" ? listed.text.slice(1, -1).replaceAll('""', '"') : listed.text;
  return { ...meant, tag: `COLUMN ${meant.tag.slice("TABLE ".length)}.${column}` };
}

/** `GRANT a TO b`: roles are not a database's business. */
function readMembership(words: StatementWords): Meaning {
  words.at = 1;
  const group = words.identifier();
  const member = words.take("TO") ? words.identifier() : null;
  return group !== null && member !== null && isWord(words.list[0], "GRANT")
    ? { does: "global", memberOf: [group, member] }
    : { does: "global" };
}

function readObject(words: StatementWords, desc: string): Meaning {
  if (words.take("ALL")) return { ...attached(desc, `ALL ${words.firstWords(2)}`, null), barrier: false };
  const kind = KINDS.find((keywords) => words.take(...keywords))?.join(" ") ?? (desc === "ACL" ? "TABLE" : null);
  if (kind === null) return unknownEntry(words);
  if (GLOBAL.has(kind)) return { does: "global" };
  if (kind === "LARGE OBJECT") {
    const oid = words.list[words.at]?.text ?? "";
    return { ...attached(desc, `${kind} ${oid}`, null), self: { kind, name: { schema: null, name: oid, next: 0 } } };
  }
  if (BOUND.has(kind)) return readBoundObject(words, desc, kind);
  if (kind === "COLUMN") return readColumn(words, desc);
  if (kind === "CAST" || kind === "TRANSFORM" || kind === "OPERATOR") {
    const from = words.at;
    const end = words.seek("IS") ? words.at - 1 : words.list.length;
    return attached(desc, `${kind} ${words.between(from, end)}`, null);
  }
  const name = words.name();
  if (name === null) return unknownEntry(words);
  const tag = ROUTINES.has(kind) ? `${kind} ${name.name}(${readSignature(words).types})` : `${kind} ${name.name}`;
  const entry = attached(desc, tag, IN_NO_SCHEMA.has(kind) ? null : schemaOf(name));
  if (RELATIONS.has(kind)) return { ...entry, self: relation(name), relation: name };
  return { ...entry, self: { kind, name } };
}

function readBoundObject(words: StatementWords, desc: string, kind: string): Meaning {
  const name = words.identifier();
  if (name === null || !words.take("ON")) return unknownEntry(words);
  const isDomain = words.take("DOMAIN");
  const on = words.name();
  if (on === null) return unknownEntry(words);
  const entry = attached(desc, `${kind} ${name} ON ${isDomain ? "DOMAIN " : ""}${on.name}`, schemaOf(on));
  const self: ObjectName = { kind, name: { schema: null, name, next: 0 }, on };
  return isDomain ? { ...entry, self } : { ...entry, self, relation: on };
}

/** `schema.table.column`, or `table.column` in dumps from before 2018. */
function readColumn(words: StatementWords, desc: string): Meaning {
  const parts: string[] = [];
  do parts.push(words.identifier() ?? "");
  while (words.takeText("."));
  const column = parts.at(-1) ?? "";
  const table: QualifiedName = { schema: parts.at(-3) ?? null, name: parts.at(-2) ?? "", next: 0 };
  const entry = attached(desc, `COLUMN ${table.name}.${column}`, schemaOf(table));
  return { ...entry, self: relation(table), relation: table };
}

function attached(desc: string, tag: string, schema: string | null): Made {
  return { does: "make", desc, tag, schema, section: "none", joins: desc !== "COMMENT" };
}
