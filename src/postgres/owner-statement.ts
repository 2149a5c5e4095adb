/**
 * `ALTER … OWNER TO …` for a TOC entry. Mirrors `_getObjectDescription` and the ownership part of `_printTocEntry`
 * (REL_18 pg_backup_archiver.c).
 *
 * Invariant: a non-empty dropStmt doubles as the flag "this object has an owner of its own".
 */
import type { TocEntry } from "../archive/model.ts";
import { ArchiveDamaged } from "../errors.ts";
import { quoteIdentifier, quoteQualified } from "./identifiers.ts";

const BY_NAME = new Set([
  "COLLATION",
  "CONVERSION",
  "DATABASE",
  "DOMAIN",
  "EVENT TRIGGER",
  "FOREIGN DATA WRAPPER",
  "FOREIGN TABLE",
  "MATERIALIZED VIEW",
  "PROCEDURAL LANGUAGE",
  "PUBLICATION",
  "SCHEMA",
  "SEQUENCE",
  "SERVER",
  "STATISTICS",
  "SUBSCRIPTION",
  "TABLE",
  "TEXT SEARCH CONFIGURATION",
  "TEXT SEARCH DICTIONARY",
  "TYPE",
  "VIEW",
]);
const BY_DROP_STATEMENT = new Set([
  "AGGREGATE",
  "FUNCTION",
  "OPERATOR",
  "OPERATOR CLASS",
  "OPERATOR FAMILY",
  "PROCEDURE",
]);
const WITHOUT_OWNER = new Set([
  "CAST",
  "CHECK CONSTRAINT",
  "CONSTRAINT",
  "DATABASE PROPERTIES",
  "DEFAULT",
  "FK CONSTRAINT",
  "INDEX",
  "POLICY",
  "PUBLICATION TABLE",
  "PUBLICATION TABLES IN SCHEMA",
  "ROW SECURITY",
  "RULE",
  "SUBSCRIPTION TABLE",
  "TRIGGER",
  "USER MAPPING",
]);

/** The statement that gives the object its owner, or `null` when there is none to give. */
export function ownerStatement(entry: TocEntry): string | null {
  if (!entry.owner || !entry.dropStmt) return null;
  const object = describe(entry, entry.dropStmt);
  return object === null ? null : `ALTER ${object} OWNER TO ${quoteIdentifier(entry.owner)};`;
}

function describe(entry: TocEntry, dropStmt: string): string | null {
  if (WITHOUT_OWNER.has(entry.desc)) return null;
  if (BY_NAME.has(entry.desc)) return `${entry.desc} ${quoteQualified(entry.namespace, entry.tag)}`;
  if (entry.desc === "BLOB") return `LARGE OBJECT ${largeObjectOid(entry)}`;
  // The argument types stand nowhere else: `DROP FUNCTION s.f(integer);`
  if (BY_DROP_STATEMENT.has(entry.desc)) return dropStmt.replace(/^DROP /, "").replace(/[;\n]+$/, "");
  throw new ArchiveDamaged(`entry ${entry.dumpId} of type ${entry.desc} has an owner, and no rule says how to set it`, {
    code: "unknown_entry_type",
    hint: "the dump was made by a newer pg_dump than this tool knows; report the entry type",
  });
}

/** The OID that a BLOB entry's tag spells. @throws ArchiveDamaged */
export function largeObjectOid(entry: TocEntry): number {
  const oid = /^\d{1,10}$/.test(entry.tag) ? Number(entry.tag) : 0;
  if (oid < 1 || oid > 0xffff_ffff) {
    throw new ArchiveDamaged(`large object entry ${entry.dumpId} names no OID`, { code: "bad_large_object_entry" });
  }
  return oid;
}
