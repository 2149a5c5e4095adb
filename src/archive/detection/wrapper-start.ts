/** Recognises what holds another file: compression and encryption that are taken off. */

import type { FileCompression } from "../compression/unpack-file.ts";
import { beginsAge } from "../wrapped/age-magic.ts";
import { startsWith } from "./refusal.ts";

export type Wrapper = FileCompression | "age";

/** Magic numbers of what is often wrapped around a dump. */
const COMPRESSED: ReadonlyArray<readonly [FileCompression, readonly number[]]> = [
  ["gzip", [0x1f, 0x8b]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** The layer around the file that begins so, or `null`. */
export function wrapperOf(head: Buffer): Wrapper | null {
  if (beginsAge(head)) {
    return "age";
  }
  const behind = head.subarray(endOfSkippableFrames(head));
  return COMPRESSED.find(([, magic]) => startsWith(behind, magic))?.[0] ?? null;
}

/** zstd and lz4 share frames that hold nothing (pzstd writes them first): which of the two it is, is told behind them. */
function endOfSkippableFrames(head: Buffer): number {
  let at = 0;
  while (at + 8 <= head.length && head.readUInt32LE(at) >>> 4 === 0x184d2a5) {
    at += 8 + head.readUInt32LE(at + 4);
  }
  return at;
}
