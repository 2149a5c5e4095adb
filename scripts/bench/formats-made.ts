/** One database in every form that is measured: written by this project's writers, compressed by the stock commands. */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { writeCustomArchiveFile } from "../../src/archive/custom/custom-writer.ts";
import type { ArchiveCompression } from "../../src/archive/model.ts";
import { benchEntries } from "./bench-database.ts";
import { measure } from "./measure.ts";

/** A backup, and what to compare its reading with. */
export interface StoredForm {
  readonly name: string;
  /** What the program opens. */
  readonly opened: string;
  /** Whose size is told. */
  readonly measured: string;
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
  const rows = join(folder, "rows.txt");
  await pipeline(Readable.from(allRows(megabytes, texts)), createWriteStream(rows));
  for (const packing of packings) await pack(packing, rows);
  for (const compression of ["none", ...packings] as const) {
    const path = join(folder, "custom.dump");
    await writeCustomArchiveFile(path, {
      ...head,
      minor: 16,
      compression,
      ...(compression === "gzip" ? { level: 6 } : {}),
      entries: benchEntries(megabytes, texts),
    });
    yield {
      name: `custom, ${compression}`,
      opened: path,
      measured: path,
      stock: compression === "none" ? null : unpacking(compression, rows),
    };
    await rm(path);
  }
}

const head = {
  createdAt: new Date("2026-11-23T00:00:00Z"),
  database: "bench",
  serverVersion: "17.6",
  dumpVersion: "17.6",
};

async function* allRows(megabytes: number, texts: "regular" | "varied"): AsyncGenerator<Buffer> {
  for (const { data } of benchEntries(megabytes, texts)) if (data !== undefined) yield* data();
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
