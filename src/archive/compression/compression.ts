/**
 * Picks the stream codec of a block. Each codec turns an AsyncIterable of compressed bytes into one of plain bytes, or
 * the reverse, at the consumer's pace.
 */

import type { ArchiveCompression } from "../model.ts";
import { decode } from "./decode-place.ts";
import { lz4Encode } from "./lz4-encode.ts";
import { zlibDecode, zlibEncode } from "./zlib-stream.ts";
import { zstdEncode } from "./zstd.ts";

/** `where` names the block for errors. */
export function decompress(
  compression: ArchiveCompression,
  input: AsyncGenerator<Buffer, void, undefined>,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  switch (compression) {
    case "none":
      return input;
    case "gzip":
      return zlibDecode(input, where);
    case "lz4":
    case "zstd":
      return decode({ codec: compression, where }, input);
  }
}

/** `level` is the algorithm's own; `undefined` its default. lz4 has none here. */
export function compress(
  compression: ArchiveCompression,
  input: AsyncIterable<Buffer>,
  level: number | undefined,
): AsyncIterable<Buffer> {
  switch (compression) {
    case "none":
      return input;
    case "gzip":
      return zlibEncode(input, level ?? -1);
    case "lz4":
      return lz4Encode(input);
    case "zstd":
      return zstdEncode(input, level);
  }
}
