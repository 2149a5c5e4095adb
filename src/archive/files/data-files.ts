/** Which files hold the data of which entries: what a directory archive must know of its files, however they are found. */

import type { ArchiveDamaged } from "../../errors.ts";
import { damagedStream, missingData } from "../damage.ts";
import type { StoredSize, TocEntry } from "../model.ts";
import type { Contents } from "../toc/read-contents.ts";
import { type FoundFile, isDataName } from "./file-names.ts";

/** A file with the rows of an entry, or with one of its large objects. */
export interface DataFile extends FoundFile {
  readonly entry: TocEntry;
  /** Of the large object; `null` for rows. */
  readonly oid: number | null;
}

export interface DataFiles {
  /** Every entry's files are known. */
  readonly complete: boolean;
  /** Entries with data as their files lie. */
  readonly order: readonly TocEntry[];
  readonly remarks: readonly string[];
  storedSize(entry: TocEntry): StoredSize;
  /** The file of an entry's rows. @throws ArchiveDamaged (`truncated`) when there is none. */
  rows(entry: TocEntry, signal?: AbortSignal): Promise<DataFile>;
  /** The files of an entry's large objects. @throws ArchiveDamaged (`truncated`) when one is missing. */
  objects(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<DataFile, void, undefined>;
  /** All of them, as they lie. @throws ArchiveDamaged (`truncated`) at the end, when files are missing. */
  all(signal?: AbortSignal): AsyncGenerator<DataFile, void, undefined>;
  /** The data of `entry` was read to its end. @throws ArchiveDamaged for what follows the last one's. */
  wasRead(entry: TocEntry, signal?: AbortSignal): Promise<void>;
}

export function isObjects(entry: Pick<TocEntry, "desc">): boolean {
  return entry.desc === "BLOBS";
}

/**
 * The names of the files that hold rows, without suffix, by dump ID.
 * @throws ArchiveDamaged (`bad_toc`) for a name that pg_dump gives no file, and for one of two entries.
 */
export function rowFileNames({ toc, fileNames }: Contents): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  const seen = new Set<string>();
  for (const { dumpId } of toc.filter((entry) => entry.hasData && !isObjects(entry))) {
    const name = fileNames.get(dumpId) ?? "";
    if (!isDataName(name) || seen.has(name)) {
      throw damagedStream("bad_toc", `impossible file name of dump ID ${dumpId}`, "toc.dat");
    }
    seen.add(name);
    names.set(dumpId, name);
  }
  return names;
}

/** The files of these entries are not there. */
export function filesMissing(dumpIds: readonly number[]): ArchiveDamaged {
  return missingData("files are missing: the data", dumpIds);
}
