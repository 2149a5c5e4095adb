/**
 * A directory archive over its files, wherever they lie: a folder, a bucket's prefix, a tar. Mirrors _PrintTocData and
 * _LoadLOs of PostgreSQL 15 to 18 (pg_backup_directory.c, pg_backup_tar.c).
 *
 * Invariants: a walk that returns has met every file of every entry that has data; one file is open at a time for each
 * table that is being read. Whether a table's file is whole only its closing `\.` can tell: who splits rows checks it.
 */

import { throwIfAborted } from "../../errors.ts";
import type { ContentLimit } from "../compression/expansion.ts";
import type {
  Archive,
  ArchiveFiles,
  ArchiveHeader,
  LargeObject,
  StoredSize,
  TocEntry,
  WalkHandlers,
} from "../model.ts";
import type { Contents } from "../toc/read-contents.ts";
import { type DataFile, type DataFiles, isObjects } from "./data-files.ts";
import { contentOf } from "./stored-content.ts";

export interface DirectoryArchiveOptions {
  readonly files: ArchiveFiles;
  readonly contents: Contents;
  readonly data: DataFiles;
  /** What lies around the files, outermost first. */
  readonly wrapping: readonly string[];
  /** What the operator should know of the files. */
  readonly remarks: () => readonly string[];
  /** On what all files together may expand to. */
  readonly limit?: ContentLimit | undefined;
}

export class DirectoryArchive implements Archive {
  readonly header: ArchiveHeader;
  readonly toc: readonly TocEntry[];
  readonly entry: ReadonlyMap<number, TocEntry>;
  readonly encoding: string;
  readonly standardConformingStrings: boolean;
  readonly sequential: boolean;
  readonly wrapping: readonly string[];
  readonly #files: ArchiveFiles;
  readonly #data: DataFiles;
  readonly #remarks: () => readonly string[];
  readonly #limit: ContentLimit | undefined;

  constructor({ files, contents, data, wrapping, remarks, limit }: DirectoryArchiveOptions) {
    this.header = contents.header;
    this.toc = contents.toc;
    this.entry = new Map(contents.toc.map((entry) => [entry.dumpId, entry]));
    this.encoding = contents.encoding;
    this.standardConformingStrings = contents.standardConformingStrings;
    this.sequential = files.sequential;
    this.wrapping = wrapping;
    this.#files = files;
    this.#data = data;
    this.#remarks = remarks;
    this.#limit = limit;
  }

  get dataOrder(): readonly TocEntry[] {
    return this.#data.order;
  }

  get randomAccess(): boolean {
    return this.#data.complete;
  }

  get remarks(): readonly string[] {
    return [...this.#remarks(), ...this.#data.remarks];
  }

  storedSize(entry: TocEntry): StoredSize {
    return this.#data.storedSize(entry);
  }

  async *tableData(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    this.#check(entry, false);
    yield* this.#content(await this.#data.rows(entry, signal), signal);
    await this.#data.wasRead(entry, signal);
  }

  async *largeObjects(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<LargeObject, void, undefined> {
    this.#check(entry, true);
    for await (const file of this.#data.objects(entry, signal)) {
      yield* this.#object(file, signal);
    }
    await this.#data.wasRead(entry, signal);
  }

  async walk(handlers: WalkHandlers, signal?: AbortSignal): Promise<void> {
    const files = new Lookahead(this.#data.all(signal));
    const visited = new Set<TocEntry>();
    try {
      for (let file = await files.first(); file !== null; file = files.current) {
        throwIfAborted(signal);
        visited.add(file.entry);
        await (file.oid === null
          ? this.#visitRows(files, file, handlers, signal)
          : this.#visitRun(files, file, handlers, signal));
      }
    } finally {
      await files.close();
    }
    for (const entry of this.#data.order) {
      if (!visited.has(entry)) {
        // A BLOBS entry whose large objects are all gone has no file of its own.
        await handlers.largeObjects?.(entry, noObjects());
      }
    }
  }

  async #visitRows(
    files: Lookahead,
    file: DataFile,
    handlers: WalkHandlers,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (handlers.tableData !== undefined) {
      const content = this.#content(file, signal);
      try {
        await handlers.tableData(file.entry, content);
      } finally {
        await content.return();
      }
    }
    await files.next();
  }

  /** Large objects of one entry that lie side by side. */
  async #visitRun(
    files: Lookahead,
    { entry }: DataFile,
    handlers: WalkHandlers,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (handlers.largeObjects !== undefined) {
      const objects = this.#run(files, entry, signal);
      try {
        await handlers.largeObjects(entry, objects);
      } finally {
        await objects.return();
      }
    }
    while (files.current?.entry === entry) {
      await files.next();
    }
  }

  async *#run(
    files: Lookahead,
    entry: TocEntry,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LargeObject, void, undefined> {
    while (files.current?.entry === entry) {
      yield* this.#object(files.current, signal);
      await files.next();
    }
  }

  /** Gives one large object, and lets its file go when the next thing is asked for. */
  async *#object(file: DataFile, signal: AbortSignal | undefined): AsyncGenerator<LargeObject, void, undefined> {
    const data = this.#content(file, signal);
    try {
      yield { oid: file.oid!, data };
    } finally {
      await data.return();
    }
  }

  async *#content(file: DataFile, signal: AbortSignal | undefined): AsyncGenerator<Buffer, void, undefined> {
    const { entry, oid } = file;
    // pg_dump writes no frame at all for an empty large object.
    if (oid !== null && file.file.size === 0 && (file.compression === "lz4" || file.compression === "zstd")) {
      return;
    }
    const where = `${oid === null ? "the file" : `large object ${oid}`} of dump ID ${entry.dumpId}`;
    yield* contentOf(this.#files, file, { where, limit: this.#limit, signal });
  }

  #check(entry: TocEntry, largeObjects: boolean): void {
    if (!entry.hasData) {
      throw new RangeError(`dump ID ${entry.dumpId} has no data`);
    }
    if (isObjects(entry) !== largeObjects) {
      throw new RangeError(`dump ID ${entry.dumpId} holds ${largeObjects ? "no" : ""} large objects`);
    }
  }
}

async function* noObjects(): AsyncGenerator<LargeObject, void, undefined> {
  // none
}

/** The files of a walk, one of them looked at before it is taken: where a run of large objects ends only the next tells. */
class Lookahead {
  readonly #files: AsyncGenerator<DataFile, void, undefined>;
  #current: DataFile | null = null;

  constructor(files: AsyncGenerator<DataFile, void, undefined>) {
    this.#files = files;
  }

  get current(): DataFile | null {
    return this.#current;
  }

  async first(): Promise<DataFile | null> {
    await this.next();
    return this.#current;
  }

  async next(): Promise<void> {
    const next = await this.#files.next();
    this.#current = next.done === true ? null : next.value;
  }

  async close(): Promise<void> {
    await this.#files.return();
  }
}
