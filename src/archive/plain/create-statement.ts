/**
 * CREATE statements as entries. Mirrors the ARCHIVE_OPTS of pg_dump.c (PostgreSQL 10 to 18): which type, tag, schema and
 * section each kind of object has.
 */

import type { QualifiedName } from "../sql/tokens.ts";
import { type Made, type Meaning, relation, schemaOf, unknownEntry } from "./meaning.ts";
import { readSignature } from "./routine-signature.ts";
import type { StatementWords } from "./statement-words.ts";

/** Objects in a schema whose name follows their keywords. */
const IN_SCHEMA = [
  ["COLLATION"],
  ["CONVERSION"],
  ["DOMAIN"],
  ["TEXT", "SEARCH", "PARSER"],
  ["TEXT", "SEARCH", "TEMPLATE"],
  ["TEXT", "SEARCH", "DICTIONARY"],
  ["TEXT", "SEARCH", "CONFIGURATION"],
] as const;
/** Objects in no schema, and whether they stand behind the data. */
const IN_NO_SCHEMA = [
  ["pre-data", "SCHEMA"],
  ["pre-data", "EXTENSION"],
  ["pre-data", "SERVER"],
  ["pre-data", "FOREIGN", "DATA", "WRAPPER"],
  ["pre-data", "ACCESS", "METHOD"],
  ["pre-data", "DATABASE"],
  ["post-data", "PUBLICATION"],
  ["post-data", "SUBSCRIPTION"],
  ["post-data", "EVENT", "TRIGGER"],
] as const;
const RELATIONS = [["TABLE"], ["SEQUENCE"], ["FOREIGN", "TABLE"], ["MATERIALIZED", "VIEW"], ["VIEW"]] as const;

/** Reads a statement that begins with CREATE. */
export function readCreate(words: StatementWords): Meaning {
  words.at = 1;
  const replaces = words.take("OR", "REPLACE");
  words.skip("GLOBAL", "LOCAL", "TEMPORARY", "TEMP", "UNLOGGED", "RECURSIVE", "TRUSTED");
  const made =
    readRelation(words, replaces) ??
    readBound(words) ??
    readRoutine(words) ??
    readGlobal(words) ??
    readOperator(words) ??
    readSimple(words) ??
    readOdd(words);
  return made ?? unknownEntry(words);
}

function readRelation(words: StatementWords, replaces: boolean): Meaning | null {
  const kind = RELATIONS.find((keywords) => words.take(...keywords));
  if (kind === undefined) return null;
  words.take("IF", "NOT", "EXISTS");
  const from = words.at;
  const name = words.name();
  if (name === null) return null;
  const desc = kind.join(" ");
  if (desc === "TABLE" && words.has("AS")) return { does: "refuse", what: "CREATE TABLE … AS" };
  const made = { ...plain(desc, name), object: words.between(from, words.at), self: relation(name), relation: name };
  // The second half of a view in a loop: pg_dump's rule `_RETURN`.
  return desc === "VIEW" && replaces ? { ...made, tag: `${name.name} _RETURN` } : made;
}

function plain(desc: string, name: QualifiedName): Made {
  return { does: "make", desc, tag: name.name, schema: schemaOf(name), section: "pre-data" };
}

/** What belongs to a table, and is named after it. */
function readBound(words: StatementWords): Made | null {
  const before = words.at;
  if (words.skip("UNIQUE").take("INDEX")) return readIndex(words);
  words.take("CONSTRAINT");
  const desc = ["TRIGGER", "RULE", "POLICY"].find((word) => words.take(word));
  const name = desc === undefined ? null : words.identifier();
  if (desc === undefined || name === null || !words.seek(desc === "RULE" ? "TO" : "ON")) {
    words.at = before;
    return null;
  }
  const table = words.name();
  if (table === null) return null;
  const self = { kind: desc, name: { schema: null, name, next: 0 }, on: table };
  const tag = `${table.name} ${name}`;
  return { does: "make", desc, tag, schema: schemaOf(table), section: "post-data", self, relation: table };
}

function readIndex(words: StatementWords): Made | null {
  words.skip("CONCURRENTLY").take("IF", "NOT", "EXISTS");
  const name = words.is("ON") ? "" : words.identifier();
  if (name === null || !words.take("ON")) return null;
  words.take("ONLY");
  const table = words.name();
  if (table === null) return null;
  const schema = schemaOf(table);
  const self = relation({ schema: table.schema, name, next: 0 });
  return { does: "make", desc: "INDEX", tag: name, schema, section: "post-data", self, relation: table };
}

function readRoutine(words: StatementWords): Made | null {
  const desc = ["FUNCTION", "PROCEDURE", "AGGREGATE"].find((word) => words.take(word));
  if (desc === undefined) return null;
  const from = words.at;
  const name = words.name();
  if (name === null) return null;
  const text = words.between(from, words.at);
  const { types, parameters } = readSignature(words);
  const made = plain(desc, name);
  return { ...made, tag: `${name.name}(${types})`, object: `${text}(${parameters})`, self: { kind: desc, name } };
}

function readGlobal(words: StatementWords): Meaning | null {
  if (
    words.take("ROLE") ||
    words.take("GROUP") ||
    (words.is("USER") && !words.is("USER", "MAPPING") && words.take("USER"))
  ) {
    return { does: "global", role: words.identifier() ?? "" };
  }
  return words.take("TABLESPACE") ? { does: "global", tablespace: words.identifier() ?? "" } : null;
}

function readOperator(words: StatementWords): Made | null {
  if (!words.take("OPERATOR")) return null;
  const kind = ["CLASS", "FAMILY"].find((word) => words.take(word));
  const from = words.at;
  if (kind !== undefined) {
    const name = words.name();
    if (name === null) return null;
    const text = words.between(from, words.at);
    const method = words.seek("USING") ? (words.list[words.at]?.text ?? "") : "";
    const desc = `OPERATOR ${kind}`;
    return { ...plain(desc, name), object: `${text} USING ${method}`, self: { kind: desc, name } };
  }
  const schema = words.list[words.at + 1]?.text === "." ? words.identifier() : null;
  if (schema !== null) words.at++;
  const name = { schema, name: words.list[words.at]?.text ?? "", next: 0 };
  words.at++;
  const text = words.between(from, words.at);
  return { ...plain("OPERATOR", name), object: `${text} (${operands(words)})`, self: { kind: "OPERATOR", name } };
}

function operands(words: StatementWords): string {
  const open = words.at;
  const inside = words.group() ?? [];
  const operand = (side: string) => {
    const at = inside.findIndex((token) => token.text.toUpperCase() === side);
    const end = inside.findIndex((token, index) => index > at && token.text === ",");
    return at < 0 ? "NONE" : words.between(open + at + 3, open + 1 + (end < 0 ? inside.length : end));
  };
  return `${operand("LEFTARG")}, ${operand("RIGHTARG")}`;
}

function readSimple(words: StatementWords): Made | null {
  words.skip("DEFAULT");
  const inSchema = IN_SCHEMA.find((keywords) => words.take(...keywords));
  if (inSchema !== undefined) {
    words.take("IF", "NOT", "EXISTS");
    const from = words.at;
    const name = words.name();
    if (name === null) return null;
    const desc = inSchema.join(" ");
    return { ...plain(desc, name), object: words.between(from, words.at), self: { kind: desc, name } };
  }
  const other = IN_NO_SCHEMA.find(([, ...keywords]) => words.take(...keywords));
  if (other === undefined) return null;
  const [section, ...keywords] = other;
  return named(words, keywords.join(" "), section);
}

/** An object in no schema whose name comes next. */
function named(words: StatementWords, desc: string, section: "pre-data" | "post-data"): Made | null {
  words.take("IF", "NOT", "EXISTS");
  const from = words.at;
  const name = words.is("AUTHORIZATION") ? null : words.identifier();
  if (name === null) return null;
  const self = { kind: desc, name: { schema: null, name, next: 0 } };
  return { does: "make", desc, tag: name, schema: null, section, self, object: words.between(from, words.at) };
}

function readOdd(words: StatementWords): Made | null {
  const from = words.at;
  if (words.take("TYPE")) {
    const start = words.at;
    const name = words.name();
    if (name === null) return null;
    const desc = words.ended ? "SHELL TYPE" : "TYPE";
    return { ...plain(desc, name), object: words.between(start, words.at), self: { kind: "TYPE", name } };
  }
  if (words.take("PROCEDURAL", "LANGUAGE") || words.take("LANGUAGE")) {
    return named(words, "PROCEDURAL LANGUAGE", "pre-data");
  }
  if (words.take("STATISTICS")) {
    words.take("IF", "NOT", "EXISTS");
    const start = words.at;
    const name = words.name();
    if (name === null) return null;
    const object = words.between(start, words.at);
    const of = words.seek("FROM") ? words.name() : null;
    const made = {
      ...plain("STATISTICS", name),
      section: "post-data" as const,
      object,
      self: { kind: "STATISTICS", name },
    };
    return of === null ? made : { ...made, relation: of };
  }
  // Their tags are the statement's own words.
  const desc = [["CAST"], ["TRANSFORM"], ["USER", "MAPPING"]].find((keywords) => words.take(...keywords))?.join(" ");
  if (desc === undefined) return null;
  if (desc === "CAST") words.group();
  else if (desc === "TRANSFORM" && words.seek("LANGUAGE")) words.at++;
  else if (words.seek("SERVER")) words.at++;
  const tag = words.between(from, words.at);
  return {
    does: "make",
    desc,
    tag,
    schema: null,
    section: "pre-data",
    self: { kind: desc, name: { schema: null, name: tag, next: 0 } },
  };
}
