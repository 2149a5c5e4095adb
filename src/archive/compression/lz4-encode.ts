/**
 * Writes LZ4 frames: independent blocks of 256 KiB, each compressed greedily with one hash table, as lz4.c's fast mode does
 * (LZ4_compress_generic), or stored where that gains nothing. Counterpart of `lz4.ts`.
 *
 * Invariants: the last five bytes of a block are literals and no match begins in its last twelve, as the block format asks;
 * memory holds one block, its compressed form and the hash table.
 */

import { xxh32 } from "./xxh32.ts";

const FRAME_MAGIC = 0x184d_2204;
/** Version 1, independent blocks, no checksums and no sizes. */
const FLAGS = 0x60;
/** Code 5: blocks of 256 KiB. */
const BLOCK_SIZE_CODE = 0x50;
const BLOCK_BYTES = 256 * 1024;
const STORED_FLAG = 0x8000_0000;

const HASH_BITS = 14;
const MIN_MATCH = 4;
const FARTHEST = 0xffff;
const LAST_LITERALS = 5;
const LAST_MATCH_START = 12;

/** Compresses bytes into one LZ4 frame. */
export async function* lz4Encode(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield frameHead();
  const table = new Int32Array(1 << HASH_BITS);
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  let filled = 0;
  for await (const bytes of input) {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.copy(block, filled, at);
      filled += taken;
      at += taken;
      if (filled === BLOCK_BYTES) {
        yield blockBytes(block, table);
        filled = 0;
      }
    }
  }
  if (filled > 0) {
    yield blockBytes(block.subarray(0, filled), table);
  }
  yield Buffer.alloc(4);
}

function frameHead(): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt32LE(FRAME_MAGIC, 0);
  head[4] = FLAGS;
  head[5] = BLOCK_SIZE_CODE;
  head[6] = (xxh32(head.subarray(4, 6)) >>> 8) & 0xff;
  return head;
}

/** Size word and content; a buffer of its own, for `block` is filled again. */
function blockBytes(block: Buffer, table: Int32Array): Buffer {
  const target = Buffer.allocUnsafe(4 + block.length);
  const end = encodeLz4Block(block, target, 4, table);
  if (end < 0) {
    target.writeUInt32LE(STORED_FLAG + block.length, 0);
    block.copy(target, 4);
    return target;
  }
  target.writeUInt32LE(end - 4, 0);
  return target.subarray(0, end);
}

/**
 * Compresses all of `source` into `target` at `at` and returns the end of what was written, or -1 when it does not fit.
 * `table` is scratch of 2^14 entries. A loop in one piece: calls per sequence would halve its speed.
 */
export function encodeLz4Block(source: Uint8Array, target: Uint8Array, at: number, table: Int32Array): number {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const lastStart = source.length - LAST_MATCH_START;
  const matchEnd = source.length - LAST_LITERALS;
  table.fill(-1);
  let output = at;
  let anchor = 0;
  let position = 0;
  while (position <= lastStart) {
    const word = view.getUint32(position, true);
    const slot = Math.imul(word, 0x9e37_79b1) >>> (32 - HASH_BITS);
    const candidate = table[slot]!;
    table[slot] = position;
    if (candidate < 0 || position - candidate > FARTHEST || view.getUint32(candidate, true) !== word) {
      // the longer nothing is found, the longer the steps: bytes that do not compress pass quickly
      position += 1 + ((position - anchor) >> 6);
      continue;
    }
    let start = position;
    let match = candidate;
    while (start > anchor && match > 0 && source[start - 1] === source[match - 1]) {
      start--;
      match--;
    }
    let end = position + MIN_MATCH;
    for (let other = candidate + MIN_MATCH; end < matchEnd && source[end] === source[other]; other++) {
      end++;
    }
    output = literals(source, anchor, start, target, output, Math.min(end - start - MIN_MATCH, 15));
    const length = end - start - MIN_MATCH;
    // two bytes of distance, and the bytes of the length
    if (output < 0 || output + 2 + length / 255 + 1 > target.length) return -1;
    const distance = start - match;
    target[output++] = distance & 0xff;
    target[output++] = distance >> 8;
    if (length >= 15) output = lengthBytes(length - 15, target, output);
    anchor = end;
    position = end;
  }
  return literals(source, anchor, source.length, target, output, 0);
}

/** Token and literals of one sequence; -1 when they do not fit. */
function literals(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
  matchCode: number,
): number {
  const count = to - from;
  if (at + 2 + count / 255 + count > target.length) return -1;
  let output = at;
  target[output++] = (Math.min(count, 15) << 4) | matchCode;
  if (count >= 15) output = lengthBytes(count - 15, target, output);
  target.set(source.subarray(from, to), output);
  return output + count;
}

function lengthBytes(rest: number, target: Uint8Array, at: number): number {
  let output = at;
  let left = rest;
  for (; left >= 255; left -= 255) target[output++] = 255;
  target[output++] = left;
  return output;
}
