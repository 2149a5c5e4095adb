/**
 * LZ4 frames (LZ4 frame format 1.6.4): decoding of linked and independent blocks, block, header and content checksums,
 * content size, skippable frames, frames in a row. `lz4-encode.ts` writes them.
 *
 * pg_dump writes 64 KiB linked blocks without checksums, so the missing EndMark is all that tells a cut stream.
 * Invariants: at most one block and 320 KiB of output are held; each buffer that is given out is not touched again.
 */

import { ByteReader } from "../byte-reader.ts";
import { damagedStream } from "../damage.ts";
import { decodeLz4Block, Lz4BlockError } from "./lz4-block.ts";
import { Xxh32, xxh32 } from "./xxh32.ts";

const FRAME_MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a50;
const HISTORY_BYTES = 64 * 1024;
const OUTPUT_BYTES = 256 * 1024;
const STORED_FLAG = 0x8000_0000;

interface Frame {
  readonly linked: boolean;
  readonly blockChecksums: boolean;
  readonly contentChecksum: boolean;
  readonly contentSize: bigint | null;
  readonly maxBlock: number;
}

/** Decodes all frames of `input`. `where` names the block for errors. @throws ArchiveDamaged */
export async function* lz4Decode(input: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer, void, undefined> {
  const reader = new ByteReader(input);
  try {
    let frames = 0;
    while (await reader.fill(1)) {
      const magic = (await take(reader, 4, where)).readUInt32LE(0);
      if (magic >>> 4 === SKIPPABLE_MAGIC >>> 4) {
        const size = (await take(reader, 4, where)).readUInt32LE(0);
        if (!(await reader.skip(size))) {
          throw damagedStream("truncated", "lz4 stream ends inside a skippable frame", where);
        }
        continue;
      }
      if (magic !== FRAME_MAGIC) {
        throw damagedStream("bad_stream", frames === 0 ? "no lz4 frame" : "bytes after the lz4 frame", where);
      }
      frames++;
      yield* decodeFrame(reader, await readDescriptor(reader, where), where);
    }
    if (frames === 0) {
      throw damagedStream("truncated", "lz4 stream is empty", where);
    }
  } finally {
    await reader.close();
  }
}

/** Takes bytes that are needed at once. The result is valid until the reader is used again. */
async function take(reader: ByteReader, count: number, where: string): Promise<Buffer> {
  if (!(await reader.fill(count))) {
    throw damagedStream("truncated", "lz4 stream ends early", where);
  }
  const bytes = reader.window.subarray(0, count);
  reader.consume(count);
  return bytes;
}

async function readDescriptor(reader: ByteReader, where: string): Promise<Frame> {
  const start = await take(reader, 2, where);
  const flags = start[0]!;
  const blockSize = start[1]!;
  const sizeBytes = (flags & 0x08) !== 0 ? 8 : 0;
  if (flags >> 6 !== 1 || (flags & 0x02) !== 0 || (blockSize & 0x8f) !== 0 || blockSize >> 4 < 4) {
    throw damagedStream("bad_stream", "unknown lz4 frame descriptor", where);
  }
  if ((flags & 0x01) !== 0) {
    throw damagedStream("bad_stream", "lz4 frame needs a dictionary", where);
  }
  const descriptor = Buffer.concat([start, await take(reader, sizeBytes, where)]);
  const checksum = (await take(reader, 1, where))[0];
  if (((xxh32(descriptor) >>> 8) & 0xff) !== checksum) {
    throw damagedStream("bad_checksum", "wrong checksum of the lz4 frame's header", where);
  }
  return {
    linked: (flags & 0x20) === 0,
    blockChecksums: (flags & 0x10) !== 0,
    contentChecksum: (flags & 0x04) !== 0,
    contentSize: sizeBytes === 0 ? null : descriptor.readBigUInt64LE(2),
    maxBlock: 1 << (8 + 2 * (blockSize >> 4)),
  };
}

async function* decodeFrame(reader: ByteReader, frame: Frame, where: string): AsyncGenerator<Buffer, void, undefined> {
  const room = Math.max(OUTPUT_BYTES, frame.maxBlock);
  const hash = frame.contentChecksum ? new Xxh32() : null;
  let output = Buffer.allocUnsafeSlow(HISTORY_BYTES + room);
  let first = HISTORY_BYTES;
  let end = first;
  let history = 0;
  let total = 0n;
  for (;;) {
    const word = (await take(reader, 4, where)).readUInt32LE(0);
    if (word === 0) {
      break;
    }
    if (end - HISTORY_BYTES + frame.maxBlock > room) {
      // The history is copied before the buffer is given out: from then on it is its taker's.
      const next = Buffer.allocUnsafeSlow(HISTORY_BYTES + room);
      history = Math.min(HISTORY_BYTES, history + end - first);
      output.copy(next, HISTORY_BYTES - history, end - history, end);
      const ready = output.subarray(first, end);
      output = next;
      first = HISTORY_BYTES;
      end = first;
      yield ready;
    }
    const floor = frame.linked ? first - history : end;
    const written = await decodeBlock(reader, frame, word, { output, end, floor }, where);
    hash?.update(output.subarray(end, written));
    total += BigInt(written - end);
    end = written;
  }
  const rest = output.subarray(first, end);
  if (rest.length > 0) {
    yield rest.length < OUTPUT_BYTES / 4 ? Buffer.from(rest) : rest;
  }
  if (hash !== null && (await take(reader, 4, where)).readUInt32LE(0) !== hash.digest()) {
    throw damagedStream("bad_checksum", "wrong checksum of the lz4 frame's content", where);
  }
  if (frame.contentSize !== null && frame.contentSize !== total) {
    throw damagedStream("bad_stream", "lz4 frame's content is not as long as declared", where);
  }
}

/** Decodes one block to `to.end` of `to.output` and returns the new end. */
async function decodeBlock(
  reader: ByteReader,
  frame: Frame,
  word: number,
  to: { output: Buffer; end: number; floor: number },
  where: string,
): Promise<number> {
  const stored = word >= STORED_FLAG;
  const size = stored ? word - STORED_FLAG : word;
  if (size > frame.maxBlock) {
    throw damagedStream("bad_stream", "lz4 block larger than its frame allows", where);
  }
  const withChecksum = size + (frame.blockChecksums ? 4 : 0);
  const bytes = await take(reader, withChecksum, where);
  const block = bytes.subarray(0, size);
  if (frame.blockChecksums && bytes.readUInt32LE(size) !== xxh32(block)) {
    throw damagedStream("bad_checksum", "wrong checksum of an lz4 block", where);
  }
  if (stored) {
    block.copy(to.output, to.end);
    return to.end + size;
  }
  try {
    return decodeLz4Block(block, to.output, to.end, to.end + frame.maxBlock, to.floor);
  } catch (error) {
    if (error instanceof Lz4BlockError) {
      throw damagedStream("bad_stream", `lz4 ${error.message}`, where, error);
    }
    throw error;
  }
}
