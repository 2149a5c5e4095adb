/**
 * ALTER statements as entries, or as more of the entry in front of them. Mirrors the parts of pg_dump.c (PostgreSQL 10 to
 * 18) that write ALTER: dumpConstraint, dumpTableAttach, dumpAttrDef, dumpSequence, dumpIndexAttach, dumpDefaultACL, ….
 */

import type { QualifiedName } from "../sql/tokens.ts";
import { type Made, type Meaning, relation, schemaOf, unknownEntry } from "./meaning.ts";
import type { StatementWords } from "./statement-words.ts";

const RELATIONS = [
  ["TABLE"],
  ["FOREIGN", "TABLE"],
  ["MATERIALIZED", "VIEW"],
  ["VIEW"],
  ["SEQUENCE"],
  ["INDEX"],
] as const;
/** Kinds of more than one word, and those whose names need care. */
const OTHERS = [
  ["TEXT", "SEARCH", "CONFIGURATION"],
  ["TEXT", "SEARCH", "DICTIONARY"],
  ["TEXT", "SEARCH", "PARSER"],
  ["TEXT", "SEARCH", "TEMPLATE"],
  ["FOREIGN", "DATA", "WRAPPER"],
  ["OPERATOR", "CLASS"],
  ["OPERATOR", "FAMILY"],
  ["EVENT", "TRIGGER"],
  ["PROCEDURAL", "LANGUAGE"],
] as const;

/** Reads a statement that begins with ALTER. */
export function readAlter(words: StatementWords): Meaning {
  words.at = 1;
  if (words.take("DEFAULT", "PRIVILEGES")) return readDefaultPrivileges(words);
  if (words.take("LARGE", "OBJECT")) return readLargeObject(words);
  if (words.is("ROLE") || words.is("USER") || words.is("GROUP")) return readRole(words);
  if (words.take("SYSTEM") || words.take("TABLESPACE")) return { does: "global" };
  if (words.take("DATABASE")) return readDatabase(words);
  const table = RELATIONS.find((keywords) => words.take(...keywords));
  if (table !== undefined) return readRelation(words, table.join(" "));
  if (words.take("PUBLICATION")) return readPublication(words);
  if (words.take("DOMAIN")) return readDomain(words);
  const kind =
    OTHERS.find((keywords) => words.take(...keywords))?.join(" ") ?? words.firstWords(2).slice("ALTER ".length);
  if (!kind.includes(" ")) words.at = 2;
  return readOther(words, kind);
}

function made(desc: string, tag: string, name: QualifiedName | null, section: Made["section"]): Made {
  return { does: "make", desc, tag, schema: name === null ? null : schemaOf(name), section };
}

/** `… OWNER TO role;`, from behind the object's name; `object` begins at token `from`. */
function readOwner(words: StatementWords, kind: string, name: QualifiedName, from: number): Meaning | null {
  const before = words.at;
  if (words.seek("OWNER") && words.take("TO")) {
    const object = words.between(from, words.at - 2);
    const role = words.identifier();
    if (role !== null && words.ended) return { does: "own", kind, name, object, role };
  }
  words.at = before;
  return null;
}

function readRelation(words: StatementWords, kind: string): Meaning {
  words.take("IF", "EXISTS");
  words.take("ONLY");
  const from = words.at;
  const name = words.name();
  if (name === null) return unknownEntry(words);
  const owner = readOwner(words, kind, name, from);
  if (owner !== null) return owner;
  const alone = { ...unknownEntry(words), tag: name.name, schema: schemaOf(name), relation: name };
  const specific =
    kind === "INDEX"
      ? readIndexAttach(words, name)
      : kind === "SEQUENCE"
        ? readOwnedBy(words, name)
        : readAction(words, name);
  if (specific !== null) return specific;
  if (words.has("DROP") || words.has("DETACH")) return { does: "drop", name, alone };
  return { does: "follow", name, alone };
}

function readIndexAttach(words: StatementWords, parent: QualifiedName): Made | null {
  const child = words.take("ATTACH", "PARTITION") ? words.name() : null;
  return child === null
    ? null
    : { ...made("INDEX ATTACH", child.name, child, "post-data"), self: relation(parent), relation: child };
}

function readOwnedBy(words: StatementWords, name: QualifiedName): Made | null {
  return words.is("OWNED", "BY") ? { ...made("SEQUENCE OWNED BY", name.name, name, "pre-data"), relation: name } : null;
}

function readAction(words: StatementWords, table: QualifiedName): Meaning | null {
  if (words.take("ATTACH", "PARTITION")) {
    const child = words.name();
    return child === null
      ? null
      : { ...made("TABLE ATTACH", child.name, child, "pre-data"), self: relation(table), relation: child };
  }
  if (words.is("ENABLE", "ROW", "LEVEL", "SECURITY")) {
    return { ...made("ROW SECURITY", table.name, table, "post-data"), relation: table };
  }
  if (words.take("ADD")) return readConstraint(words, table);
  if (!words.take("ALTER")) return null;
  words.take("COLUMN");
  const column = words.identifier();
  if (words.take("SET", "DEFAULT")) {
    return { ...made("DEFAULT", `${table.name} ${column}`, table, "pre-data"), relation: table };
  }
  if (!words.take("ADD", "GENERATED") || !words.seek("IDENTITY")) return null;
  const options = words.group() ?? [];
  words.at -= options.length + 1;
  if (!words.take("SEQUENCE", "NAME")) return null;
  const sequence = words.name();
  if (sequence === null) return null;
  return { ...made("SEQUENCE", sequence.name, sequence, "pre-data"), self: relation(sequence), relation: table };
}

function readConstraint(words: StatementWords, table: QualifiedName): Made | null {
  const name = words.take("CONSTRAINT") ? words.identifier() : null;
  const isUnique = words.is("PRIMARY", "KEY") || words.is("UNIQUE") || words.is("EXCLUDE");
  const desc =
    isUnique || words.is("NOT", "NULL")
      ? "CONSTRAINT"
      : words.is("FOREIGN", "KEY")
        ? "FK CONSTRAINT"
        : words.is("CHECK")
          ? "CHECK CONSTRAINT"
          : null;
  if (desc === null) return null;
  const tag = name === null ? table.name : `${table.name} ${name}`;
  const entry = { ...made(desc, tag, table, "post-data"), relation: table };
  return name === null
    ? entry
    : { ...entry, self: { kind: "CONSTRAINT", name: { schema: null, name, next: 0 }, on: table } };
}

/** NOT VALID checks of a domain stand behind the data. */
function readDomain(words: StatementWords): Meaning {
  const from = words.at;
  const name = words.name();
  if (name === null) return unknownEntry(words);
  const owner = readOwner(words, "DOMAIN", name, from);
  if (owner !== null) return owner;
  const alone = { ...unknownEntry(words), tag: name.name, schema: schemaOf(name) };
  if (words.take("ADD", "CONSTRAINT")) {
    const check = words.identifier() ?? "";
    const self = { kind: "CONSTRAINT", name: { schema: null, name: check, next: 0 }, on: name };
    return { ...made("CHECK CONSTRAINT", `${name.name} ${check}`, name, "post-data"), self };
  }
  return words.is("DROP") ? { does: "drop", name, alone } : { does: "follow", name, alone };
}

function readPublication(words: StatementWords): Meaning {
  const from = words.at;
  const publication = words.identifier();
  if (publication === null) return unknownEntry(words);
  const name = { schema: null, name: publication, next: 0 };
  const owner = readOwner(words, "PUBLICATION", name, from);
  if (owner !== null) return owner;
  const self = { kind: "PUBLICATION MEMBER", name };
  if (words.take("ADD", "TABLES", "IN", "SCHEMA")) {
    const schema = words.identifier() ?? "";
    const tag = `${publication} ${schema}`;
    return { ...made("PUBLICATION TABLES IN SCHEMA", tag, { schema, name: "", next: 0 }, "post-data"), self };
  }
  if (words.take("ADD", "TABLE")) {
    words.take("ONLY");
    const table = words.name();
    if (table !== null) {
      return {
        ...made("PUBLICATION TABLE", `${publication} ${table.name}`, table, "post-data"),
        self,
        relation: table,
      };
    }
  }
  const alone = { ...unknownEntry(words), tag: publication };
  return words.is("DROP") ? { does: "drop", name, alone } : { does: "follow", name, alone };
}

function readDatabase(words: StatementWords): Meaning {
  const from = words.at;
  const name = words.identifier();
  if (name === null) return unknownEntry(words);
  const qualified = { schema: null, name, next: 0 };
  return readOwner(words, "DATABASE", qualified, from) ?? properties(name);
}

function properties(database: string): Made {
  return { ...made("DATABASE PROPERTIES", database, null, "pre-data"), joins: true };
}

/** Settings of a role inside one database are the database's; all else is the server's. */
function readRole(words: StatementWords): Meaning {
  if (words.is("USER", "MAPPING")) {
    return unknownEntry(words);
  }
  words.at++;
  const role = words.identifier() ?? "";
  if (words.take("IN", "DATABASE")) return properties(words.identifier() ?? "");
  return { does: "global", role };
}

function readLargeObject(words: StatementWords): Meaning {
  const oid = words.list[words.at]?.text ?? "";
  words.at++;
  const role = words.take("OWNER", "TO") ? words.identifier() : null;
  return role === null ? unknownEntry(words) : { does: "large-object-owner", oid, role };
}

function readDefaultPrivileges(words: StatementWords): Made {
  const schema = words.has("SCHEMA") && words.seek("SCHEMA") ? words.identifier() : null;
  const kind = words.seek("ON") ? words.list[words.at]?.text.toUpperCase() : "";
  const entry = made("DEFAULT ACL", `DEFAULT PRIVILEGES FOR ${kind}`, null, "post-data");
  return { ...entry, schema, joins: true };
}

/** Objects of every other kind: whose owner it is, or more about it. */
function readOther(words: StatementWords, kind: string): Meaning {
  const from = words.at;
  let name = words.name();
  if (kind === "OPERATOR" && name !== null && words.list[words.at - 1]?.text !== ".") name = null;
  if (name === null && kind === "OPERATOR") name = operatorName(words, from);
  if (name === null) return unknownEntry(words);
  const owner = readOwner(words, kind === "LANGUAGE" ? "PROCEDURAL LANGUAGE" : kind, name, from);
  if (owner !== null) return owner;
  const alone = { ...unknownEntry(words), tag: name.name, schema: name.schema };
  return words.is("DROP") ? { does: "drop", name, alone } : { does: "follow", name, alone };
}

function operatorName(words: StatementWords, from: number): QualifiedName {
  words.at = from;
  const schema = words.list[from + 1]?.text === "." ? words.identifier() : null;
  if (schema !== null) words.at++;
  const name = words.list[words.at]?.text ?? "";
  words.at++;
  return { schema, name, next: words.at };
}
