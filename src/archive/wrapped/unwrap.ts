/**
 * Takes off what lies around an archive, layer by layer: age, gzip, lz4, zstd, in any order. Content decides, not names.
 *
 * Invariants: at most four layers; what is found inside is judged like a file of its own, and said to be inside.
 */

import { throwIfAborted } from "../../errors.ts";
import { ByteReader } from "../byte-reader.ts";
import type { Expansion } from "../compression/expansion.ts";
import { unsupported } from "../damage.ts";
import { DETECTION_BYTES, type Detected, detect, insideOf } from "../detect.ts";
import type { Wrapper } from "../detection/wrapper-start.ts";
import type { ByteSource, OpenOptions } from "../model.ts";
import { openAge } from "./age.ts";
import { compressedFile } from "./compressed-file.ts";
import { releaseSource } from "./sequential-source.ts";

const MOST_LAYERS = 4;

export interface Unwrapped {
  /** What lies inside; to be released with `releaseSource` when it is not wanted after all. */
  readonly source: ByteSource;
  /** Outermost first: `age`, `gzip`, `lz4`, `zstd`. */
  readonly wrapping: readonly string[];
  readonly found: Exclude<Detected, { readonly kind: "wrapped" }>;
}

/**
 * Looks into `stored` until it comes to something that is no wrapping. `expansion` counts what is read and limits what it
 * becomes.
 * @throws ArchiveDamaged for what is no backup, is damaged, or is wrapped more than four times (`nested_too_deep`);
 * UsageError (`encrypted`) where keys are missing or wrong.
 */
export async function unwrap(stored: ByteSource, options: OpenOptions, expansion: Expansion): Promise<Unwrapped> {
  const wrapping: Wrapper[] = [];
  let source = expansion.counted(stored);
  try {
    for (;;) {
      throwIfAborted(options.signal);
      const found = detect(await headOf(source, options.signal), wrapping);
      if (found.kind !== "wrapped") {
        return { source, wrapping, found };
      }
      if (wrapping.length === MOST_LAYERS) {
        throw unsupported(
          "nested_too_deep",
          `more than ${MOST_LAYERS} wrappings around one another${insideOf(wrapping)}`,
          "unpack the file first",
        );
      }
      source = await inside(found.by, source, wrapping, { options, expansion });
      wrapping.push(found.by);
    }
  } catch (error) {
    await releaseSource(source);
    throw error;
  }
}

async function inside(
  by: Wrapper,
  source: ByteSource,
  outer: readonly Wrapper[],
  { options, expansion }: { readonly options: OpenOptions; readonly expansion: Expansion },
): Promise<ByteSource> {
  return by === "age"
    ? openAge(source, options)
    : compressedFile(by, source, `the ${by} file${insideOf(outer)}`, expansion.limit());
}

async function headOf(source: ByteSource, signal: AbortSignal | undefined): Promise<Buffer> {
  const most = Math.min(DETECTION_BYTES, source.size ?? DETECTION_BYTES);
  const reader = new ByteReader(source.read(0, most, signal), 0, signal);
  try {
    await reader.fill(DETECTION_BYTES);
    return reader.window.subarray(0, DETECTION_BYTES);
  } finally {
    await reader.close();
  }
}
