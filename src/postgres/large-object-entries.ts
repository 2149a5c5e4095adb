/**
 * The SQL of a TOC's large-object entries, which in archives from 1.16 on is not in the entries but follows from them.
 * Mirrors `IssueCommandPerBlob` and `IssueACLPerBlob` (REL_18 pg_backup_archiver.c).
 *
 * Invariant: an OID in `skip` appears in no statement.
 */
import type { TocEntry } from "../archive/model.ts";
import { ArchiveDamaged } from "../errors.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { largeObjectOid, ownerStatement } from "./owner-statement.ts";

const LABELS = new Set(["ACL", "COMMENT", "SECURITY LABEL"]);

/** True for entries whose SQL speaks of large objects and is made here. */
export function isLargeObjectEntry(entry: TocEntry): boolean {
  return (
    entry.desc === "BLOB" ||
    entry.desc === "BLOB METADATA" ||
    (LABELS.has(entry.desc) && entry.tag.startsWith("LARGE OBJECT"))
  );
}

/** The statements of one such entry; empty when all its large objects are skipped. @throws ArchiveDamaged */
export function largeObjectStatements(
  entry: TocEntry,
  byId: ReadonlyMap<number, TocEntry>,
  skip: ReadonlySet<number>,
): string[] {
  if (entry.desc === "BLOB") {
    if (skip.has(largeObjectOid(entry))) return [];
    const owner = ownerStatement(entry);
    return [entry.defn ?? "", ...(owner === null ? [] : [owner])];
  }
  if (entry.desc === "BLOB METADATA") return metadataStatements(entry, skip);
  if (entry.desc === "ACL" && entry.tag.startsWith("LARGE OBJECTS")) return groupAcl(entry, byId, skip);
  const oid = Number(/^LARGE OBJECT (\d+)$/.exec(entry.tag)?.[1] ?? Number.NaN);
  if (Number.isNaN(oid)) throw damaged(entry, "names no OID");
  return skip.has(oid) ? [] : [entry.defn ?? ""];
}

function metadataStatements(entry: TocEntry, skip: ReadonlySet<number>): string[] {
  const oids = groupOids(entry).filter((oid) => !skip.has(oid));
  const owner = entry.owner && entry.dropStmt ? quoteIdentifier(entry.owner) : null;
  return [
    ...oids.map((oid) => `SELECT pg_catalog.lo_create('${oid}');`),
    ...(owner === null ? [] : oids.map((oid) => `ALTER LARGE OBJECT ${oid} OWNER TO ${owner};`)),
  ];
}

/** The ACL is written for the group's first OID, to be said for each OID of the group it depends on. */
function groupAcl(entry: TocEntry, byId: ReadonlyMap<number, TocEntry>, skip: ReadonlySet<number>): string[] {
  const group = byId.get(entry.dependencies[0] ?? 0);
  if (group?.desc !== "BLOB METADATA") throw damaged(entry, "does not depend on a group of large objects");
  const oids = groupOids(group).filter((oid) => !skip.has(oid));
  return splitOutsideQuotes(entry.defn ?? "").flatMap((statement) => {
    const parts = /^(.*?LARGE OBJECT )\d+(.*)$/s.exec(statement);
    if (!parts) throw damaged(entry, "has an ACL without a large object");
    return oids.map((oid) => `${parts[1]}${oid}${parts[2]};`);
  });
}

/** The OIDs of a BLOB METADATA entry, in its order. @throws ArchiveDamaged */
export function groupOids(entry: TocEntry): number[] {
  return (entry.defn ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const oid = /^\d{1,10}$/.test(line) ? Number(line) : 0;
      if (oid < 1 || oid > 0xffff_ffff) throw damaged(entry, "has a line that is no OID");
      return oid;
    });
}

/** The statements of an ACL, without their semicolons. */
export function splitOutsideQuotes(sql: string): string[] {
  const statements = sql.match(/(?:"(?:[^"]|"")*"|[^";])+/g) ?? [];
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== "");
}

function damaged(entry: TocEntry, fact: string): ArchiveDamaged {
  return new ArchiveDamaged(`large object entry ${entry.dumpId} (${entry.desc}) ${fact}`, {
    code: "bad_large_object_entry",
  });
}
