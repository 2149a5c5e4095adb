/**
 * Writes directory archives that stock pg_restore reads. Mirrors _CloseArchive, _StartData, _StartLOs and _EndLOs of
 * PostgreSQL 15 to 18 (pg_backup_directory.c).
 *
 * Invariants: toc.dat comes last, so that where there is one, all is there; nothing is written of what cannot be written
 * whole. Memory holds the TOC, the list of an entry's large objects, and what a compressor holds.
 */

import { UsageError } from "../../errors.ts";
import { compress } from "../compression/compression.ts";
import { gzipEncode } from "../compression/zlib-stream.ts";
import { FORMAT_TAR } from "../toc/header.ts";
import { stringBytes } from "../toc/primitives.ts";
import {
  type ArchiveToWrite,
  checkLargeObject,
  type EntryToWrite,
  hasData,
  headToWrite,
  minorToWrite,
} from "../toc/toc-to-write.ts";
import { isObjects } from "./data-files.ts";
import { objectListName, objectName, suffixOf, TOC_FILE } from "./file-names.ts";

/** Stores one file: resolves once it is there in whole. Files are put one after the other. */
export type PutFile = (name: string, body: AsyncIterable<Buffer>) => Promise<void>;

export interface DirectoryToWrite extends ArchiveToWrite {
  /** Dump IDs in the order in which their data is to be asked for; that of the entries where it is left out. */
  readonly dataOrder?: readonly number[] | undefined;
}

/** Writes an archive as files. Whoever gives `put` removes what was put when this fails. @throws UsageError */
export async function writeDirectory(options: DirectoryToWrite, put: PutFile): Promise<void> {
  const { head } = headToWrite(options, {
    formatByte: FORMAT_TAR,
    tail: (entry, minor) => stringBytes(fileName(entry, minor)),
  });
  const written = new Set<number>();
  for (const entry of inDataOrder(options)) {
    if (entry.data !== undefined) {
      await put(dataName(entry) + suffixOf(options.compression), packed(entry.data(), options));
    } else if (entry.largeObjects !== undefined) {
      await putObjects(entry, entry.largeObjects(), { options, put, written });
    }
  }
  await put(TOC_FILE, one(head));
}

function inDataOrder(options: DirectoryToWrite): readonly EntryToWrite[] {
  const { entries, dataOrder } = options;
  const withData = entries.filter(hasData);
  if (minorToWrite(options) < 16 && withData.filter(isObjects).length > 1) {
    throw new UsageError("archives before version 1.16 have one entry of large objects", { code: "bad_entry" });
  }
  if (dataOrder === undefined) {
    return withData;
  }
  const place = new Map(dataOrder.map((dumpId, index) => [dumpId, index]));
  const last = dataOrder.length;
  return withData.toSorted((a, b) => (place.get(a.dumpId) ?? last) - (place.get(b.dumpId) ?? last));
}

interface Putting {
  readonly options: ArchiveToWrite;
  readonly put: PutFile;
  /** OIDs of all entries' large objects that were put. */
  readonly written: Set<number>;
}

/** Each large object, then the list of them. */
async function putObjects(
  entry: EntryToWrite,
  objects: ReturnType<NonNullable<EntryToWrite["largeObjects"]>>,
  { options, put, written }: Putting,
): Promise<void> {
  const lines: string[] = [];
  for await (const object of objects) {
    checkLargeObject(entry, object);
    if (written.has(object.oid)) {
      throw new UsageError(`second large object ${object.oid} of dump ID ${entry.dumpId}`, { code: "bad_entry" });
    }
    written.add(object.oid);
    const name = objectName(object.oid);
    await put(name + suffixOf(options.compression), packedObject(object.data, options));
    lines.push(`${object.oid} ${name}\n`);
  }
  await put(objectListName(entry, minorToWrite(options)), one(Buffer.from(lines.join(""))));
}

/** The name in the table of contents: without suffix, empty for an entry without data. */
function fileName(entry: EntryToWrite, minor: number): string {
  if (!hasData(entry)) {
    return "";
  }
  return isObjects(entry) ? objectListName(entry, minor) : dataName(entry);
}

function dataName({ dumpId }: EntryToWrite): string {
  return `${dumpId}.dat`;
}

async function* packed(
  data: AsyncIterable<Buffer>,
  { compression, level }: ArchiveToWrite,
): AsyncGenerator<Buffer, void, undefined> {
  yield* compression === "gzip" ? gzipEncode(data, level ?? -1) : compress(compression, data, level);
}

/** pg_dump leaves the file of an empty large object empty when lz4 or zstd begin a frame only with the first byte. */
async function* packedObject(
  data: AsyncIterable<Buffer>,
  options: ArchiveToWrite,
): AsyncGenerator<Buffer, void, undefined> {
  if (options.compression !== "lz4" && options.compression !== "zstd") {
    yield* packed(data, options);
    return;
  }
  const bytes = data[Symbol.asyncIterator]();
  try {
    let next = await bytes.next();
    while (next.done !== true && next.value.length === 0) {
      next = await bytes.next();
    }
    if (next.done !== true) {
      yield* packed(resumed(next.value, bytes), options);
    }
  } finally {
    await bytes.return?.();
  }
}

async function* resumed(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    yield next.value;
  }
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}
