/**
 * Files as the commands gzip, lz4 and zstd write them: gzip's is not the zlib stream of a custom archive's block. Counterpart
 * of `unpack-file.ts`.
 */

import type { ArchiveCompression } from "../model.ts";
import { compress } from "./compression.ts";
import { gzipEncode } from "./zlib-stream.ts";

/** Compresses a file as a whole, at the consumer's pace. `level` is the algorithm's own; `undefined` its default. */
export function packFile(
  by: ArchiveCompression,
  input: AsyncIterable<Buffer>,
  level: number | undefined,
): AsyncIterable<Buffer> {
  return by === "gzip" ? gzipEncode(input, level ?? -1) : compress(by, input, level);
}
