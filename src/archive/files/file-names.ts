/**
 * What the files of a directory archive are called. Mirrors _ArchiveEntry, _StartLOs and setFilePath of PostgreSQL 15 to
 * 18 (pg_backup_directory.c) and cfopen of compress_io.c: names are stored without the suffix that compression adds.
 *
 * Invariant: a name that is none of these is never opened.
 */

import type { ArchiveCompression, ArchiveFile, TocEntry } from "../model.ts";

export const TOC_FILE = "toc.dat";

/** In the order in which they are looked for. */
const SUFFIXES: ReadonlyArray<readonly [ArchiveCompression, string]> = [
  ["none", ""],
  ["gzip", ".gz"],
  ["lz4", ".lz4"],
  ["zstd", ".zst"],
];
const DATA_NAME = /^[0-9]+\.dat$/;
const OBJECT_NAME = /^blob_[0-9]+\.dat$/;
const INDEX_NAME = /^(toc\.dat|blobs(_[0-9]+)?\.toc)(\.gz|\.lz4|\.zst)?$/;

/** A file and how it is compressed. */
export interface FoundFile {
  readonly file: ArchiveFile;
  readonly compression: ArchiveCompression;
}

/** The files by name. */
export type FilesByName = ReadonlyMap<string, ArchiveFile>;

/** Finds a file by its name without suffix: the uncompressed one first, as pg_restore does. */
export function findFile(files: FilesByName, stem: string): FoundFile | null {
  for (const [compression, suffix] of SUFFIXES) {
    const file = files.get(stem + suffix);
    if (file !== undefined) {
      return { file, compression };
    }
  }
  return null;
}

/** What compression adds to a name. */
export function suffixOf(compression: ArchiveCompression): string {
  return SUFFIXES.find(([name]) => name === compression)?.[1] ?? "";
}

export function isTocFile(name: string): boolean {
  return SUFFIXES.some(([, suffix]) => name === TOC_FILE + suffix);
}

/** A file that says what the others are: the table of contents, and lists of large objects. */
export function isIndexFile(name: string): boolean {
  return INDEX_NAME.test(name);
}

/** A name that a table of contents may give the data of an entry. */
export function isDataName(stem: string): boolean {
  return DATA_NAME.test(stem);
}

/** A name that a list of large objects may give one of them. */
export function isObjectName(stem: string): boolean {
  return OBJECT_NAME.test(stem);
}

/** A file that holds data of some entry, or should. */
export function isDataFile(name: string): boolean {
  const stem = name.replace(/\.(gz|lz4|zst)$/, "");
  return isDataName(stem) || isObjectName(stem);
}

export function objectName(oid: number): string {
  return `blob_${oid}.dat`;
}

/**
 * The list of a BLOBS entry's large objects. Up to 1.15 there is one, whatever the table of contents says: pg_dump before
 * 12 stored another name. A tar's table of contents names a file that does not exist, in every version.
 */
export function objectListName(entry: Pick<TocEntry, "dumpId">, minor: number): string {
  return minor >= 16 ? `blobs_${entry.dumpId}.toc` : "blobs.toc";
}
