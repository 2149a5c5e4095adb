/**
 * What is left of a TOC's large-object entries when some of the objects go: the entry as it is, nothing, or new texts, in the
 * form that dumpLO, collectComments and dumpACL of PostgreSQL 17 and 18 give them (pg_dump.c).
 *
 * Invariant: an OID that goes appears in no text; what does not name one is left as it is, to the byte.
 */
import type { TocEntry } from "../archive/model.ts";
import { groupOids, isLargeObjectEntry, splitOutsideQuotes } from "./large-object-entries.ts";
import { largeObjectOid } from "./owner-statement.ts";

/** The texts that an entry gets in place of its own. */
export interface NewTexts {
  readonly tag: string;
  readonly defn: string | null;
}

/** @throws ArchiveDamaged `bad_large_object_entry` for an entry that names no OID. */
export function largeObjectRemains(
  entry: TocEntry,
  byId: ReadonlyMap<number, TocEntry>,
  gone: ReadonlySet<number>,
): "all" | "nothing" | NewTexts {
  if (gone.size === 0 || !(entry.desc === "BLOBS" || isLargeObjectEntry(entry))) return "all";
  if (entry.desc === "BLOB") return gone.has(largeObjectOid(entry)) ? "nothing" : "all";
  const group = groupOf(entry, byId);
  if (group === null) {
    const oid = Number(/^LARGE OBJECT (\d+)$/.exec(entry.tag)?.[1] ?? Number.NaN);
    return gone.has(oid) ? "nothing" : "all";
  }
  const oids = groupOids(group);
  const left = oids.filter((oid) => !gone.has(oid));
  if (left.length === 0) return "nothing";
  return left.length === oids.length ? "all" : newTexts(entry, left);
}

/** The group an entry speaks of as a whole; a comment is always one object's. */
function groupOf(entry: TocEntry, byId: ReadonlyMap<number, TocEntry>): TocEntry | null {
  if (entry.desc === "BLOB METADATA") return entry;
  if (entry.desc !== "BLOBS" && !(entry.desc === "ACL" && entry.tag.startsWith("LARGE OBJECTS "))) return null;
  return entry.dependencies.map((id) => byId.get(id)).find((other) => other?.desc === "BLOB METADATA") ?? null;
}

function newTexts(entry: TocEntry, left: readonly number[]): NewTexts {
  const tag = left.length === 1 ? String(left[0]) : `${left[0]}..${left.at(-1)}`;
  switch (entry.desc) {
    case "BLOB METADATA":
      return { tag, defn: left.map((oid) => `${oid}\n`).join("") };
    case "ACL":
      return { tag: `LARGE OBJECT${left.length === 1 ? "" : "S"} ${tag}`, defn: aclOf(entry.defn ?? "", left[0]!) };
    default:
      return { tag, defn: entry.defn };
  }
}

/** Privileges are written for the group's first object. */
function aclOf(defn: string, first: number): string {
  return splitOutsideQuotes(defn)
    .map((statement) => `${statement.replace(/^(.*?LARGE OBJECT )\d+/s, `$1${first}`)};\n`)
    .join("");
}
