/**
 * Lists of large objects: the blobs.toc files of a directory or tar, and the defn of BLOB METADATA entries. Mirrors
 * _LoadLOs of PostgreSQL 15 to 18 (pg_backup_directory.c).
 *
 * Invariants: a name is the one that pg_dump gives the large object of that OID, never a path; an OID stands in a list only
 * once; no more is held of a list than there can be files.
 */

import { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt } from "../damage.ts";
import type { TocEntry } from "../model.ts";
import { objectName } from "./file-names.ts";

const LARGEST_OID = 0xffff_ffff;
/** An OID has ten digits and a name nineteen characters. */
const LONGEST_LINE_BYTES = 100;

/**
 * Reads a list: lines `OID name`, of which there can be `most`: as many as there are files.
 * @returns the OIDs in the list's order.
 * @throws ArchiveDamaged (`bad_object_list`, `truncated`)
 */
export async function readObjectList(content: AsyncIterable<Buffer>, most: number): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  const reader = new ByteReader(content);
  try {
    while (await reader.fill(1)) {
      const at = reader.offset;
      let end = reader.window.indexOf("\n");
      if (end < 0) {
        await reader.fill(LONGEST_LINE_BYTES);
        end = reader.window.indexOf("\n");
      }
      if (end < 0 && reader.window.length < LONGEST_LINE_BYTES) {
        throw truncatedAt("a list of large objects", at + reader.window.length);
      }
      const line = reader.window.toString("latin1", 0, Math.max(0, Math.min(end, LONGEST_LINE_BYTES)));
      const [oidText = "", name = "", ...more] = line.split(" ");
      const oid = oidIn(oidText);
      if (oid === null || name !== objectName(oid) || more.length > 0 || found.has(oid)) {
        throw damagedAt("bad_object_list", "a line that is none in a list of large objects", at);
      }
      if (found.size === most) {
        throw damagedAt("bad_object_list", "a list of more large objects than there are files", at);
      }
      found.add(oid);
      reader.consume(end + 1);
    }
    return found;
  } finally {
    await reader.close();
  }
}

/**
 * The OIDs that a BLOBS entry holds, in the order in which pg_dump writes them: those of the BLOB METADATA entry that it
 * depends on (1.16). `null` where no entry says.
 */
export function announcedObjects(entry: TocEntry, entries: ReadonlyMap<number, TocEntry>): ReadonlySet<number> | null {
  const metadata = entry.dependencies.map((id) => entries.get(id)).find((other) => other?.desc === "BLOB METADATA");
  if (metadata?.defn == null) {
    return null;
  }
  const lines = metadata.defn.split("\n").filter((line) => line !== "");
  const oids = new Set<number>();
  for (const line of lines) {
    const oid = oidIn(line);
    if (oid === null) {
      return null;
    }
    oids.add(oid);
  }
  return oids;
}

/**
 * The OIDs that the list of a BLOBS entry must name, for all that lists have no end mark. Up to 1.15 there is one BLOBS entry,
 * and a BLOB entry for each large object that is created.
 */
export function objectsToList(entry: TocEntry, entries: ReadonlyMap<number, TocEntry>): readonly number[] {
  const announced = announcedObjects(entry, entries);
  return announced === null
    ? [...entries.values()].flatMap(({ desc, tag }) => (desc === "BLOB" ? (oidIn(tag) ?? []) : []))
    : [...announced];
}

/** 1 to 2^32-1, in decimal digits. */
function oidIn(text: string): number | null {
  const oid = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  return oid >= 1 && oid <= LARGEST_OID ? oid : null;
}
