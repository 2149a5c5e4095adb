/**
 * The data files of a tar by `pg_dump -Ft` that can only be read forwards: they are met on the way. Mirrors _PrintTocData
 * and _LoadLOs of PostgreSQL 15 to 18 (pg_backup_tar.c).
 *
 * Large objects are told apart by what the table of contents announces, for their list follows them. Invariant: when the
 * tar has been read to its end, every file that the table of contents names was there, and every list agreed.
 */

import { throwIfAborted } from "../../errors.ts";
import { damagedStream } from "../damage.ts";
import type { ArchiveFile, StoredSize, TocEntry } from "../model.ts";
import type { Contents } from "../toc/read-contents.ts";
import { type DataFile, type DataFiles, filesMissing, isObjects, rowFileNames } from "./data-files.ts";
import { isDataFile, isObjectName, objectListName, objectName } from "./file-names.ts";
import { announcedObjects, readObjectList } from "./object-lists.ts";
import { contentOf } from "./stored-content.ts";
import type { TarFiles } from "./tar-files.ts";

/** `null` where the table of contents does not say which large objects belong to which entry. */
export function metFiles(tar: TarFiles, contents: Contents): DataFiles | null {
  const entries = new Map(contents.toc.map((entry) => [entry.dumpId, entry]));
  const groups = contents.toc.filter((entry) => entry.hasData && isObjects(entry));
  const announced = new Map<number, ReadonlySet<number> | null>();
  for (const entry of groups) {
    const oids = announcedObjects(entry, entries);
    if (oids === null && groups.length > 1) {
      return null;
    }
    announced.set(entry.dumpId, oids);
  }
  return new MetFiles(tar, contents, announced);
}

class MetFiles implements DataFiles {
  readonly order: readonly TocEntry[];
  readonly #tar: TarFiles;
  readonly #minor: number;
  readonly #rowNames: ReadonlyMap<number, string>;
  /** By dump ID of a BLOBS entry; `null` where there is one such entry, which holds them all. */
  readonly #announced: ReadonlyMap<number, ReadonlySet<number> | null>;
  /** The BLOBS entry that holds all large objects, where nothing says which they are. */
  readonly #holder: TocEntry | null;
  /** What the files of the tar hold, by name; of large objects that only one entry can hold, none. */
  readonly #uses = new Map<string, { readonly entry: TocEntry; readonly oid: number | null }>();
  readonly #lists = new Map<string, TocEntry>();
  readonly #byName = new Map<string, ArchiveFile>();
  #indexed = 0;

  constructor(tar: TarFiles, contents: Contents, announced: ReadonlyMap<number, ReadonlySet<number> | null>) {
    this.#tar = tar;
    this.#minor = contents.header.minor;
    this.#rowNames = rowFileNames(contents);
    this.#announced = announced;
    this.order = contents.toc.filter((entry) => entry.hasData);
    this.#holder = this.order.find((entry) => announced.get(entry.dumpId) === null) ?? null;
    for (const entry of this.order) {
      const name = this.#rowNames.get(entry.dumpId);
      if (name !== undefined) {
        this.#uses.set(name, { entry, oid: null });
        continue;
      }
      this.#lists.set(objectListName(entry, this.#minor), entry);
      for (const oid of announced.get(entry.dumpId) ?? []) {
        this.#uses.set(objectName(oid), { entry, oid });
      }
    }
  }

  get complete(): boolean {
    return this.#tar.complete;
  }

  get remarks(): readonly string[] {
    const left = this.#tar.files.filter((file) => isDataFile(file.name) && this.#use(file) === null).length;
    return left === 0 ? [] : [`${left} data files belong to no entry of the table of contents`];
  }

  storedSize(entry: TocEntry): StoredSize {
    const name = this.#rowNames.get(entry.dumpId);
    if (name !== undefined) {
      return this.#known(name)?.size ?? null;
    }
    return this.complete
      ? this.#tar.files.reduce((sum, file) => sum + (this.#use(file)?.entry.dumpId === entry.dumpId ? file.size : 0), 0)
      : null;
  }

  async rows(entry: TocEntry, signal?: AbortSignal): Promise<DataFile> {
    const file = await this.#locate(this.#rowNames.get(entry.dumpId)!, entry, signal);
    return { entry, oid: null, file, compression: "none" };
  }

  async *objects(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<DataFile, void, undefined> {
    const given = new Set<number>();
    for await (const data of this.#objectsOf(entry, signal)) {
      given.add(data.oid);
      yield data;
    }
    await this.#checkList(entry, given, signal);
  }

  async *all(signal?: AbortSignal): AsyncGenerator<DataFile, void, undefined> {
    const given = new Map([...this.#lists.values()].map(({ dumpId }) => [dumpId, new Set<number>()]));
    for await (const file of this.#filesInOrder(signal)) {
      const listed = this.#lists.get(file.name);
      const use = this.#use(file);
      if (listed !== undefined) {
        await this.#checkList(listed, given.get(listed.dumpId)!, signal);
      } else if (use !== null) {
        if (use.oid !== null) {
          given.get(use.entry.dumpId)!.add(use.oid);
        }
        yield { ...use, file, compression: "none" };
      }
    }
    this.#checkComplete();
  }

  async wasRead(entry: TocEntry, signal?: AbortSignal): Promise<void> {
    if (entry.dumpId !== this.order.at(-1)?.dumpId || this.complete) {
      return;
    }
    for await (const _file of this.#filesInOrder(signal)) {
      throwIfAborted(signal);
    }
    this.#checkComplete();
  }

  /** Those that are announced; where none are, all that come before the list. */
  async *#objectsOf(
    entry: TocEntry,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DataFile & { readonly oid: number }, void, undefined> {
    const oids = this.#announced.get(entry.dumpId) ?? null;
    if (oids !== null) {
      for (const oid of oids) {
        const file = await this.#locate(objectName(oid), entry, signal);
        yield { entry, oid, file, compression: "none" };
      }
      return;
    }
    for await (const file of this.#filesInOrder(signal)) {
      if (this.#lists.has(file.name)) {
        return;
      }
      const oid = this.#use(file)?.oid ?? null;
      if (oid !== null) {
        yield { entry, oid, file, compression: "none" };
      }
    }
  }

  /** @throws ArchiveDamaged when the list that follows an entry's large objects names others than were `given`. */
  async #checkList(entry: TocEntry, given: ReadonlySet<number>, signal: AbortSignal | undefined): Promise<void> {
    const file = await this.#locate(objectListName(entry, this.#minor), entry, signal);
    const where = `the list of large objects of dump ID ${entry.dumpId}`;
    const content = contentOf(this.#tar, { file, compression: "none" }, { where, limit: undefined, signal });
    const list = await readObjectList(content, given.size);
    if (list.size !== given.size || [...list].some((oid) => !given.has(oid))) {
      throw damagedStream("bad_object_list", "other large objects than are there", where);
    }
  }

  /** The tar is known to its end. */
  #checkComplete(): void {
    const missing = this.order.filter(
      (entry) => this.#known(this.#rowNames.get(entry.dumpId) ?? objectListName(entry, this.#minor)) === undefined,
    );
    if (missing.length > 0) {
      throw filesMissing(missing.map(({ dumpId }) => dumpId));
    }
  }

  /** Finds a file of `entry`, reading on if it must. */
  async #locate(name: string, entry: TocEntry, signal: AbortSignal | undefined): Promise<ArchiveFile> {
    for (;;) {
      const file = this.#known(name);
      if (file !== undefined) {
        return file;
      }
      if ((await this.#tar.advance(signal)) === null && this.#known(name) === undefined) {
        throw filesMissing([entry.dumpId]);
      }
    }
  }

  async *#filesInOrder(signal: AbortSignal | undefined): AsyncGenerator<ArchiveFile, void, undefined> {
    for (let index = 0; ; index++) {
      while (index >= this.#tar.files.length) {
        if ((await this.#tar.advance(signal)) === null && index >= this.#tar.files.length) {
          return;
        }
      }
      yield this.#tar.files[index]!;
    }
  }

  #known(name: string): ArchiveFile | undefined {
    const { files } = this.#tar;
    for (; this.#indexed < files.length; this.#indexed++) {
      const file = files[this.#indexed]!;
      this.#byName.set(file.name, file);
    }
    return this.#byName.get(name);
  }

  #use(file: ArchiveFile): { readonly entry: TocEntry; readonly oid: number | null } | null {
    const use = this.#uses.get(file.name);
    if (use !== undefined || this.#holder === null || !isObjectName(file.name)) {
      return use ?? null;
    }
    return { entry: this.#holder, oid: Number(file.name.slice("blob_".length, -".dat".length)) };
  }
}
