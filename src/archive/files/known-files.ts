/**
 * The data files of an archive whose files are all known: a folder, a bucket's prefix, an indexed tar. Mirrors _PrintTocData
 * of PostgreSQL 15 to 18 (pg_backup_directory.c).
 *
 * Invariant: once it is made, every file that the table of contents and the lists of large objects name is there.
 */

import type { ContentLimit } from "../compression/expansion.ts";
import { damagedStream } from "../damage.ts";
import type { ArchiveFiles, StoredSize, TocEntry } from "../model.ts";
import type { Contents } from "../toc/read-contents.ts";
import { type DataFile, type DataFiles, filesMissing, isObjects, rowFileNames } from "./data-files.ts";
import { findFile, isDataFile, objectListName, objectName } from "./file-names.ts";
import { objectsToList, readObjectList } from "./object-lists.ts";
import { contentOf } from "./stored-content.ts";

export interface KnownFilesOptions {
  /** The order of the files is that in which they are to be read; else that of the table of contents is as good. */
  readonly ordered: boolean;
  /** On what all files together may expand to. */
  readonly limit?: ContentLimit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the files of every entry with data.
 * @throws ArchiveDamaged (`truncated`) naming the dump IDs whose files are missing: toc.dat is written before the data.
 */
export async function knownFiles(
  files: ArchiveFiles,
  contents: Contents,
  { ordered, limit, signal }: KnownFilesOptions,
): Promise<DataFiles> {
  const byName = new Map(files.files.map((file) => [file.name, file]));
  const rowNames = rowFileNames(contents);
  const found: DataFile[] = [];
  const missing: number[] = [];
  const add = (entry: TocEntry, oid: number | null, stem: string): boolean => {
    const file = findFile(byName, stem);
    if (file !== null) {
      found.push({ entry, oid, ...file });
    }
    return file !== null;
  };
  const entries = new Map(contents.toc.map((entry) => [entry.dumpId, entry]));
  for (const entry of contents.toc.filter(({ hasData }) => hasData)) {
    let whole = true;
    if (!isObjects(entry)) {
      whole = add(entry, null, rowNames.get(entry.dumpId)!);
    } else {
      const list = findFile(byName, objectListName(entry, contents.header.minor));
      const where = `the list of large objects of dump ID ${entry.dumpId}`;
      const most = files.files.length;
      const objects =
        list === null ? null : await readObjectList(contentOf(files, list, { where, limit, signal }), most);
      whole = objects !== null;
      if (objects !== null && !objectsToList(entry, entries).every((oid) => objects.has(oid))) {
        throw damagedStream("bad_object_list", "fewer large objects than the table of contents announces", where);
      }
      for (const oid of objects ?? []) {
        whole = add(entry, oid, objectName(oid)) && whole;
      }
    }
    if (!whole) {
      missing.push(entry.dumpId);
    }
  }
  if (missing.length > 0) {
    throw filesMissing(missing);
  }
  return new KnownFiles(files, contents, found, ordered);
}

class KnownFiles implements DataFiles {
  readonly complete = true;
  readonly order: readonly TocEntry[];
  readonly remarks: readonly string[];
  readonly #found: readonly DataFile[];
  readonly #byEntry = new Map<number, DataFile[]>();

  constructor(files: ArchiveFiles, { toc }: Contents, found: readonly DataFile[], ordered: boolean) {
    const place = new Map(files.files.map((file, index) => [file, index]));
    this.#found = ordered ? found.toSorted((one, other) => place.get(one.file)! - place.get(other.file)!) : found;
    for (const data of this.#found) {
      const { dumpId } = data.entry;
      const others = this.#byEntry.get(dumpId);
      if (others === undefined) {
        this.#byEntry.set(dumpId, [data]);
      } else {
        others.push(data);
      }
    }
    // A BLOBS entry without large objects has no place.
    const placed = new Set(this.#found.map(({ entry }) => entry));
    this.order = [...placed, ...toc.filter((entry) => entry.hasData && !placed.has(entry))];
    const used = new Set(found.map(({ file }) => file));
    const left = files.files.filter((file) => isDataFile(file.name) && !used.has(file)).length;
    this.remarks = left === 0 ? [] : [`${left} data files belong to no entry of the table of contents`];
  }

  storedSize(entry: TocEntry): StoredSize {
    return (this.#byEntry.get(entry.dumpId) ?? []).reduce((sum, { file }) => sum + file.size, 0);
  }

  rows(entry: TocEntry): Promise<DataFile> {
    return Promise.resolve(this.#byEntry.get(entry.dumpId)![0]!);
  }

  async *objects(entry: TocEntry): AsyncGenerator<DataFile, void, undefined> {
    yield* this.#byEntry.get(entry.dumpId) ?? [];
  }

  async *all(): AsyncGenerator<DataFile, void, undefined> {
    yield* this.#found;
  }

  async wasRead(): Promise<void> {
    // Nothing follows the last file: all of them were found beforehand.
  }
}
