/**
 * Files compressed by the commands gzip, zstd and lz4, or by pg_dump's own `-Z`: several members or frames in a row, unlike
 * the one stream of a custom archive's block.
 */

import { decompress } from "./compression.ts";
import { gunzipDecode } from "./zlib-stream.ts";

export type FileCompression = "gzip" | "lz4" | "zstd";

/** Decodes all of a file at the consumer's pace. `where` names it for errors. @throws ArchiveDamaged */
export function unpackFile(
  by: FileCompression,
  input: AsyncGenerator<Buffer, void, undefined>,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  return by === "gzip" ? gunzipDecode(input, where) : decompress(by, input, where);
}
