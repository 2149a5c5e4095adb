/**
 * zstd streams. With the native package `zstd-napi` (optional) by its low-level contexts, for its stream class ignores
 * back-pressure; without it by `fzstd`, which is slower, cannot check checksums and cannot compress.
 *
 * Invariants: a stream that ends inside a frame, is empty, or goes on after its last frame is an error with both.
 */

import { createRequire } from "node:module";
import type { DCtx } from "zstd-napi/binding.js";
import { UsageError } from "../../errors.ts";
import { damagedStream, unsupported } from "../damage.ts";
import { ZstdFrames } from "./zstd-frames.ts";

type Binding = typeof import("zstd-napi/binding.js");

const OUTPUT_BYTES = 256 * 1024;
/** fzstd hands out all that a piece of input decodes to: 1 KiB of it can be 32 MiB at most. */
const FALLBACK_INPUT_BYTES = 1024;
const NATIVE_HINT = "install the optional package zstd-napi (npm install, with a C++ compiler at hand)";

let binding: Binding | null | undefined;

/** The native package, or `null` where it was not installed or does not load. */
function nativeBinding(): Binding | null {
  if (binding === undefined) {
    const require = createRequire(import.meta.url);
    try {
      binding = require("zstd-napi/binding.js") as Binding;
    } catch {
      binding = null;
    }
  }
  return binding;
}

/** Which decoder is in use on this machine. */
export function zstdImplementation(): "native" | "javascript" {
  return nativeBinding() === null ? "javascript" : "native";
}

/** Decodes all frames of `input`. `where` names the block for errors. @throws ArchiveDamaged */
export function zstdDecode(input: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer, void, undefined> {
  const native = nativeBinding();
  return native === null ? decodeWithJavaScript(input, where) : decodeNatively(native, input, where);
}

async function* decodeNatively(
  native: Binding,
  input: AsyncIterable<Buffer>,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  const context = new native.DCtx();
  let output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let used = 0;
  let inFrame = false;
  let received = false;
  for await (const piece of input) {
    let at = 0;
    let full = false;
    // A full output may mean that more is waiting inside the context, even when all input was taken.
    while (at < piece.length || full) {
      const [hint, produced, consumed] = step(context, output.subarray(used), piece.subarray(at), where);
      received = true;
      at += consumed;
      used += produced;
      inFrame = hint !== 0;
      full = used === OUTPUT_BYTES;
      if (full) {
        yield output;
        output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
        used = 0;
        full = inFrame;
      }
    }
  }
  if (inFrame || !received) {
    throw damagedStream("truncated", "zstd stream ends early", where);
  }
  if (used > 0) {
    yield used < OUTPUT_BYTES / 4 ? Buffer.from(output.subarray(0, used)) : output.subarray(0, used);
  }
}

function step(context: DCtx, output: Buffer, input: Buffer, where: string): [number, number, number] {
  try {
    return context.decompressStream(output, input);
  } catch (cause) {
    if (reasonOf(cause).includes("too much memory")) {
      throw unsupported(
        "unsupported_compression",
        `zstd stream needs a window of more than 128 MiB in ${where}`,
        "compress it again without --long, or with --long=27 at most",
      );
    }
    throw damagedStream("bad_stream", `zstd cannot decode: ${reasonOf(cause)}`, where, cause);
  }
}

/** libzstd's own sentences hold no bytes of the stream. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.toLowerCase() : "unknown reason";
}

/** Decodes with fzstd, refusing what {@link ZstdFrames} refuses. Exported for its tests. */
export async function* decodeWithJavaScript(
  input: AsyncIterable<Buffer>,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  const { Decompress } = await import("fzstd");
  let ready: Buffer[] = [];
  const decoder = new Decompress((bytes) => {
    if (bytes.length > 0) {
      ready.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    }
  });
  const push = (bytes: Buffer, last: boolean): Buffer[] => {
    ready = [];
    try {
      decoder.push(bytes, last);
    } catch (cause) {
      throw damagedStream(last ? "truncated" : "bad_stream", `zstd cannot decode: ${reasonOf(cause)}`, where, cause);
    }
    return ready;
  };
  const frames = new ZstdFrames(where);
  let started = false;
  for await (const piece of input) {
    started ||= piece.length > 0;
    for (let at = 0; at < piece.length; at += FALLBACK_INPUT_BYTES) {
      // Copied, for fzstd keeps and joins what it is given.
      const bytes = Buffer.from(piece.subarray(at, at + FALLBACK_INPUT_BYTES));
      frames.follow(bytes);
      yield* push(bytes, false);
    }
  }
  if (!started) {
    throw damagedStream("truncated", "zstd stream ends early", where);
  }
  yield* push(Buffer.alloc(0), true);
}

/**
 * Compresses into one zstd frame, without a checksum, as pg_dump does. `level` is zstd's, 3 by default.
 * @throws UsageError with code `zstd_unavailable` where the native package is missing.
 */
export async function* zstdEncode(input: AsyncIterable<Buffer>, level = 3): AsyncGenerator<Buffer, void, undefined> {
  const native = nativeBinding();
  if (native === null) {
    throw new UsageError("cannot write zstd here", { code: "zstd_unavailable", hint: `${NATIVE_HINT}, or write gzip` });
  }
  const context = new native.CCtx();
  context.setParameter(native.CParameter.compressionLevel, level);
  let output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let used = 0;
  const run = function* (bytes: Buffer, directive: number): Generator<Buffer> {
    let at = 0;
    for (;;) {
      const [left, produced, consumed] = context.compressStream2(output.subarray(used), bytes.subarray(at), directive);
      at += consumed;
      used += produced;
      if (used === OUTPUT_BYTES) {
        yield output;
        output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
        used = 0;
      } else if (at === bytes.length && (directive !== native.EndDirective.end || left === 0)) {
        return;
      }
    }
  };
  for await (const bytes of input) {
    yield* run(bytes, native.EndDirective.continue);
  }
  yield* run(Buffer.alloc(0), native.EndDirective.end);
  yield output.subarray(0, used);
}
