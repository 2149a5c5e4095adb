/** One database in every form that is measured: written by this project's writers, compressed by the stock commands. */
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  type ArchiveToWrite,
  type EntryToWrite,
  writeCustomArchiveFile,
} from "../../src/archive/custom/custom-writer.ts";
import { writeDirectory } from "../../src/archive/files/directory-writer.ts";
import type { ArchiveCompression } from "../../src/archive/model.ts";
import { benchEntries } from "./bench-database.ts";
import { measure } from "./measure.ts";

/** A backup, and what to compare its reading with. */
export interface StoredForm {
  readonly name: string;
  /** What the program opens: a file, or a directory archive. */
  readonly path: string;
  readonly storedBytes: number;
  /** A decompressor and its arguments, writing the same content to its output; `null` where nothing is compressed. */
  readonly stock: readonly [string, ...string[]] | null;
}

type Packed = Exclude<ArchiveCompression, "none">;

/** Commands that pack a file (its name and the result's follow) and unpack it to the output, at pg_dump's own levels. */
const commands: Readonly<Record<Packed, { readonly suffix: string; readonly pack: string; readonly unpack: string }>> =
  {
    gzip: { suffix: "gz", pack: 'gzip -6 -c "$1" > "$2"', unpack: "gzip" },
    lz4: { suffix: "lz4", pack: 'lz4 -1 -q -B4 -BD --no-frame-crc -c "$1" > "$2"', unpack: "lz4" },
    zstd: { suffix: "zst", pack: 'zstd -3 -q --no-check -c "$1" > "$2"', unpack: "zstd" },
  };
const packings = Object.keys(commands) as readonly Packed[];

/** Each form as it is made; its files are removed when the next is asked for. */
export async function* makeArchives(
  folder: string,
  megabytes: number,
  texts: "regular" | "varied",
): AsyncGenerator<StoredForm> {
  const entries = benchEntries(megabytes, texts);
  const rows = join(folder, "rows.txt");
  await write(rows, allRows(entries));
  for (const packing of packings) await pack(packing, rows);
  for (const compression of ["none", ...packings] as const) {
    const stock = compression === "none" ? null : unpacking(compression, rows);
    const archive = archiveOf(compression, entries);
    const custom = join(folder, "custom.dump");
    await writeCustomArchiveFile(custom, archive);
    yield await stored(`custom, ${compression}`, custom, stock);
    await rm(custom);
    const directory = join(folder, "directory");
    await mkdir(directory);
    await writeDirectory(archive, (name, body) => write(join(directory, name), body));
    yield await stored(`directory, ${compression}`, directory, stock);
    const tar = `${directory}.tar`;
    await measure("tar", ["-cf", tar, "-C", directory, "."]);
    await rm(directory, { recursive: true });
    yield await stored(`directory as tar, ${compression}`, tar, stock);
    await rm(tar);
  }
  const inserts = join(folder, "inserts.dump");
  await writeCustomArchiveFile(inserts, archiveOf("none", entries.map(withInserts)));
  yield await stored("custom, none, INSERT", inserts, null);
  await rm(inserts);
  for (const [name, form] of [
    ["plain", entries],
    ["plain, INSERT", entries.map(withInserts)],
  ] as const) {
    const script = join(folder, "script.sql");
    await write(script, scriptOf(form));
    yield await stored(name, script, null);
    yield* withinPackings(name, script);
    await rm(script);
  }
}

/** The file within each packing. */
async function* withinPackings(name: string, path: string): AsyncGenerator<StoredForm> {
  for (const packing of packings) {
    const packed = await pack(packing, path);
    yield await stored(`${name}, .${commands[packing].suffix}`, packed, unpacking(packing, path));
    await rm(packed);
  }
}

async function stored(name: string, path: string, stock: StoredForm["stock"]): Promise<StoredForm> {
  const files = (await stat(path)).isDirectory() ? (await readdir(path)).map((file) => join(path, file)) : [path];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return { name, path, storedBytes: sizes.reduce((sum, size) => sum + size, 0), stock };
}

async function write(path: string, bytes: AsyncIterable<Buffer>): Promise<void> {
  await pipeline(Readable.from(bytes), createWriteStream(path));
}

function archiveOf(compression: ArchiveCompression, entries: readonly EntryToWrite[]): ArchiveToWrite {
  return { ...head, minor: 16, compression, ...(compression === "gzip" ? { level: 6 } : {}), entries };
}

const head = {
  createdAt: new Date("2026-11-23T00:00:00Z"),
  database: "bench",
  serverVersion: "17.6",
  dumpVersion: "17.6",
};

async function* allRows(entries: readonly EntryToWrite[]): AsyncGenerator<Buffer> {
  for (const { data } of entries) if (data !== undefined) yield* data();
}

/** As `pg_dump` without `-F` has it. */
async function* scriptOf(entries: readonly EntryToWrite[]): AsyncGenerator<Buffer> {
  const { serverVersion, dumpVersion } = head;
  yield Buffer.from(
    `--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version ${serverVersion}\n-- Dumped by pg_dump version ${dumpVersion}\n\n`,
  );
  for (const { tag, desc, namespace, defn, copyStmt, data } of entries) {
    const rows = data === undefined ? "" : "Data for ";
    const heading = `--\n-- ${rows}Name: ${String(tag)}; Type: ${String(desc)}; Schema: ${String(namespace ?? "-")}; Owner: -\n--\n\n`;
    if (namespace !== undefined) yield Buffer.from(heading);
    yield Buffer.from(data === undefined ? `${String(defn)}\n\n` : String(copyStmt ?? ""));
    if (data !== undefined) yield* data();
  }
  yield Buffer.from("--\n-- PostgreSQL database dump complete\n--\n\n");
}

/** As `pg_dump --inserts` has it. */
function withInserts(entry: EntryToWrite): EntryToWrite {
  const { copyStmt: _, data, ...rest } = entry;
  return data === undefined ? entry : { ...rest, data: () => insertsOf(String(entry.tag), data()) };
}

/** The benchmark's values have no tab, no quote and no backslash; numbers stand first. */
async function* insertsOf(table: string, rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const bytes of rows) {
    const lines = bytes.toString().split("\n").slice(0, -1);
    const statements = lines
      .filter((line) => line.includes("\t"))
      .map((line) => `INSERT INTO public.${table} VALUES (${line.split("\t").map(literal).join(", ")});\n`);
    yield Buffer.from(statements.length === 0 ? "\n\n" : statements.join(""));
  }
}

function literal(value: string): string {
  return /^\d+$/.test(value) ? value : `'${value}'`;
}

async function pack(packing: Packed, path: string): Promise<string> {
  const { pack: script, suffix } = commands[packing];
  const packed = `${path}.${suffix}`;
  await measure("sh", ["-c", script, "sh", path, packed]);
  return packed;
}

function unpacking(packing: Packed, path: string): readonly [string, ...string[]] {
  const { suffix, unpack } = commands[packing];
  return [unpack, "-dc", `${path}.${suffix}`];
}
