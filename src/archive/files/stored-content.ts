/**
 * The content of one file of a directory archive. Mirrors cfopen and its readers of PostgreSQL 15 to 18 (compress_io.c):
 * gzip files, lz4 and zstd frames, or bytes as they are.
 *
 * Invariants: the file is opened when its content is asked for, and let go when the asking ends.
 */

import { decompress } from "../compression/compression.ts";
import { type ContentLimit, limited } from "../compression/expansion.ts";
import { gunzipDecode } from "../compression/zlib-stream.ts";
import type { ArchiveFiles } from "../model.ts";
import type { FoundFile } from "./file-names.ts";

export interface ContentOptions {
  /** Names the file for errors. */
  readonly where: string;
  /** On what all files together may expand to. */
  readonly limit: ContentLimit | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Streams what the file holds, decompressed. @throws ArchiveDamaged */
export async function* contentOf(
  files: ArchiveFiles,
  { file, compression }: FoundFile,
  { where, limit, signal }: ContentOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const source = await files.open(file.name);
  const stored = piecesOf(source.read(0, source.size ?? undefined, signal));
  const content = compression === "gzip" ? gunzipDecode(stored, where) : decompress(compression, stored, where);
  yield* limited(content, limit, where);
}

async function* piecesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield* bytes;
}
