/** Byte sources and sample archives for the tests of this room. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ArchiveToWrite, EntryToWrite } from "../custom/custom-writer.ts";
import type { Archive, ByteSource, LargeObject, TocEntry } from "../model.ts";

const SAMPLES = fileURLToPath(new URL("../../../fixtures/archives/", import.meta.url));

/** The archives of one small database; the folder holds others besides. */
export const sampleNames: readonly string[] = [
  "pg15-gzip.dump",
  "pg15-pipe.dump",
  "pg15-Z0.dump",
  "extra-pg15-append-redirect.dump",
  "extra-pg16-zstd.dump",
  "extra-pg16-lz4-pipe.dump",
  "extra-pg17-Z0.dump",
  "extra-pg18-lz4.dump",
  "extra-pg18-zstd.dump",
  "extra-pg19rc1-stats.dump",
];

export function samplePath(name: string): string {
  return join(SAMPLES, name);
}

export function sampleBytes(name: string): Buffer {
  return readFileSync(samplePath(name));
}

export interface MemorySource extends ByteSource {
  /** Ranges asked for, in order. */
  readonly ranges: Array<readonly [number, number]>;
  /** Bytes given out so far. */
  readonly given: () => number;
}

/** Gives `bytes` in pieces of `step` bytes, as copies, so that nobody can rely on them being one buffer. */
export function memorySource(bytes: Buffer, step = 65_536): MemorySource {
  const ranges: Array<readonly [number, number]> = [];
  let given = 0;
  return {
    size: bytes.length,
    ranges,
    given: () => given,
    async *read(start, end = bytes.length) {
      ranges.push([start, end]);
      for (let at = start; at < end; at += step) {
        const piece = Buffer.from(bytes.subarray(at, Math.min(at + step, end)));
        given += piece.length;
        yield piece;
      }
    },
  };
}

export async function* pieces(bytes: Buffer, step: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += step) {
    yield bytes.subarray(at, at + step);
  }
}

export async function joined(data: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of data) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** All data of an archive: `schema.table` or `lo OID` to bytes. */
export type Contents = Map<string, Buffer>;

export function labelOf(entry: TocEntry): string {
  return `${entry.namespace}.${entry.tag}`;
}

async function addObjects(contents: Contents, objects: AsyncIterable<LargeObject>): Promise<void> {
  for await (const object of objects) {
    contents.set(`lo ${object.oid}`, await joined(object.data));
  }
}

/** Reads every block by its own request. */
export async function readAll(archive: Archive, order = archive.toc): Promise<Contents> {
  const contents: Contents = new Map();
  for (const entry of order.filter((item) => item.hasData)) {
    if (entry.desc === "BLOBS") {
      await addObjects(contents, archive.largeObjects(entry));
    } else {
      contents.set(labelOf(entry), await joined(archive.tableData(entry)));
    }
  }
  return contents;
}

/** Reads everything in one pass. */
export async function walkAll(archive: Archive): Promise<Contents> {
  const contents: Contents = new Map();
  await archive.walk({
    tableData: async (entry, data) => {
      contents.set(labelOf(entry), await joined(data));
    },
    largeObjects: (_entry, objects) => addObjects(contents, objects),
  });
  return contents;
}

/** Short and comparable. */
export function digests(contents: Contents): Record<string, string> {
  const sorted = [...contents].sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(
    sorted.map(([name, bytes]) => [name, `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`]),
  );
}

/** The least entries an archive needs to be opened. */
export const sessionEntries: readonly EntryToWrite[] = [
  { dumpId: 1, desc: "ENCODING", tag: "ENCODING", section: "pre-data", defn: "SET client_encoding = 'UTF8';\n" },
  {
    dumpId: 2,
    desc: "STDSTRINGS",
    tag: "STDSTRINGS",
    section: "pre-data",
    defn: "SET standard_conforming_strings = 'on';\n",
  },
];

/** An entry of table data with these bytes, given in pieces of `step`. */
export function tableEntry(dumpId: number, tag: string, bytes: Buffer, step = bytes.length + 1): EntryToWrite {
  return {
    dumpId,
    desc: "TABLE DATA",
    tag,
    section: "data",
    namespace: "public",
    owner: "someone",
    copyStmt: `COPY public.${tag} (v) FROM stdin;\n`,
    oid: 16_000 + dumpId,
    // A table that is not there: normal where only data was dumped.
    dependencies: [dumpId - 7],
    data: () => pieces(bytes, step),
  };
}

/** A small archive's description: these tables, and one block of large objects when any are given. */
export function smallArchive(
  tables: Readonly<Record<string, Buffer>>,
  options: Partial<ArchiveToWrite> & { readonly objects?: Readonly<Record<number, Buffer>> } = {},
): ArchiveToWrite {
  const { objects, ...rest } = options;
  const entries = Object.entries(tables).map(([tag, bytes], index) => tableEntry(10 + index, tag, bytes));
  const blobs: EntryToWrite = {
    dumpId: 90,
    desc: "BLOBS",
    tag: "BLOBS",
    section: "data",
    async *largeObjects() {
      for (const [oid, bytes] of Object.entries(objects ?? {})) {
        yield { oid: Number(oid), data: pieces(bytes, bytes.length + 1) };
      }
    },
  };
  return {
    minor: 14,
    compression: "none",
    createdAt: new Date("2026-11-23T06:23:48Z"),
    database: "small",
    serverVersion: "15.18",
    dumpVersion: "15.18",
    entries: [...sessionEntries, ...entries, ...(objects === undefined ? [] : [blobs])],
    ...rest,
  };
}

/** Everything an archive holds, as a description to write it again. `fields` writes texts anew, else stored bytes. */
export function copyOf(archive: Archive, how: "raw" | "fields"): ArchiveToWrite {
  return {
    minor: archive.header.minor,
    compression: archive.header.compression,
    level: archive.header.compressionLevel ?? undefined,
    createdAt: archive.header.createdAt ?? new Date(0),
    database: archive.header.database,
    serverVersion: archive.header.serverVersion,
    dumpVersion: archive.header.dumpVersion,
    entries: archive.toc.map((entry) => ({
      ...entry,
      raw: how === "raw" ? entry.raw : undefined,
      data: entry.hasData && entry.desc !== "BLOBS" ? () => archive.tableData(entry) : undefined,
      largeObjects: entry.desc === "BLOBS" ? () => archive.largeObjects(entry) : undefined,
    })),
  };
}

/** The text that `fixtures/archives/streams/` holds compressed. */
export function rowsText(): Buffer {
  let text = "";
  for (let row = 0; row < 9000; row++) {
    text += `${row}\trow ${(row * 7919) % 1009}\t${"x".repeat(row % 37)}\n`;
  }
  return Buffer.from(text);
}

/** One of the compressed streams. */
export function streamBytes(name: string): Buffer {
  return readFileSync(join(SAMPLES, "streams", name));
}

/** Rows that compress to about a half, the same each time: long enough streams for what depends on length. */
export function variedText(bytes: number): Buffer {
  const rows: string[] = [];
  let state = 1;
  for (let length = 0, row = 0; length < bytes; row++) {
    let line = `${row}\t`;
    for (let n = 0; n < 8; n++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      line += state.toString(16);
    }
    rows.push(line);
    length += line.length + 1;
  }
  return Buffer.from(`${rows.join("\n")}\n`);
}
