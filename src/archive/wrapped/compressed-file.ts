/**
 * A file that gzip, lz4 or zstd was run over, as the byte source of what it holds.
 *
 * Invariant: damage is told with the position in the compressed file up to which it was read.
 */

import { ArchiveDamaged } from "../../errors.ts";
import { type ContentLimit, limited } from "../compression/expansion.ts";
import { type FileCompression, unpackFile } from "../compression/unpack-file.ts";
import type { ByteSource } from "../model.ts";
import { SequentialSource } from "./sequential-source.ts";

/** `where` names the file for errors: `the gzip file`. */
export function compressedFile(
  by: FileCompression,
  stored: ByteSource,
  where: string,
  limit: ContentLimit,
): SequentialSource {
  return new SequentialSource(stored, (bytes) => unpacked(by, bytes, where, limit));
}

async function* unpacked(
  by: FileCompression,
  stored: AsyncIterable<Buffer>,
  where: string,
  limit: ContentLimit,
): AsyncGenerator<Buffer, void, undefined> {
  let taken = 0;
  let failure: unknown = null;
  async function* counted(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const bytes of stored) {
        taken += bytes.length;
        yield bytes;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  try {
    yield* limited(unpackFile(by, counted(), where), limit, where);
  } catch (error) {
    throw error === failure ? error : located(error, taken);
  }
}

const WITHOUT_PLACE = new Set(["truncated", "bad_stream", "bad_checksum"]);

function located(error: unknown, offset: number): unknown {
  if (!(error instanceof ArchiveDamaged) || !WITHOUT_PLACE.has(error.code)) {
    return error;
  }
  const place = error.code === "truncated" ? `at byte ${offset}` : `up to byte ${offset}`;
  return new ArchiveDamaged(`${error.message} ${place}`, {
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error.cause,
  });
}
