/**
 * Blocks of a custom archive's data area: their headers and their chunks. Mirrors _readBlockHeader, _PrintData and
 * _skipData of PostgreSQL 15 to 18 (pg_backup_custom.c).
 *
 * Chunks are arbitrary slices of one stream and mean nothing by themselves. Uncompressed dumps up to PostgreSQL 18 have
 * one chunk a row, so chunk headers are parsed synchronously and small chunks copied together; large ones are passed on
 * as slices. Nothing is allocated by a declared length.
 */

import type { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt } from "../damage.ts";
import { Cursor, magnitudeAt, type NumberSizes } from "../toc/cursor.ts";

export const BLOCK_DATA = 1;
export const BLOCK_LARGE_OBJECTS = 3;

/** Most bytes that are yielded at once. */
const OUTPUT_BYTES = 256 * 1024;
/** Chunks from this size on are passed on as slices of the source's buffer rather than copied. */
const SLICE_BYTES = 64 * 1024;
/** Room in the output below which it is given out. */
const LEAST_ROOM_BYTES = 4096;

export interface BlockHeader {
  readonly type: number;
  readonly dumpId: number;
  /** Absolute offset of the type byte. */
  readonly offset: number;
}

/** Reads a block's type and dump ID; `null` at the end of the file, the one place where it may end. */
export async function readBlockHeader(reader: ByteReader, sizes: NumberSizes): Promise<BlockHeader | null> {
  const offset = reader.offset;
  if (!(await reader.fill(1))) {
    return null;
  }
  const type = reader.window[0]!;
  if (type !== BLOCK_DATA && type !== BLOCK_LARGE_OBJECTS) {
    throw damagedAt("bad_block", `unknown block type ${type}`, offset);
  }
  reader.consume(1);
  return { type, dumpId: await readInt(reader, sizes, "a block's header"), offset };
}

/** Reads one int of the data area. */
export async function readInt(reader: ByteReader, sizes: NumberSizes, what: string): Promise<number> {
  if (!(await reader.fill(1 + sizes.intSize))) {
    throw truncatedAt(what, reader.offset + reader.window.length);
  }
  const cursor = new Cursor(reader.window, reader.offset, sizes);
  const value = cursor.int();
  reader.consume(cursor.position);
  return value;
}

/** The chunks of one table's block or of one large object. */
export class ChunkStream {
  readonly #reader: ByteReader;
  readonly #intSize: number;
  #chunkLeft = 0;
  #ended = false;
  #output: Buffer | null = null;
  #used = 0;

  constructor(reader: ByteReader, sizes: NumberSizes) {
    this.#reader = reader;
    this.#intSize = sizes.intSize;
  }

  /** The payloads, joined or sliced to at most 256 KiB. Each buffer belongs to whoever takes it. */
  async *payload(): AsyncGenerator<Buffer, void, undefined> {
    while (!this.#ended) {
      const ready = this.#collect();
      if (ready !== null) {
        yield ready;
      } else if (!this.#ended) {
        await this.#more();
      }
    }
    const rest = this.#takeOutput();
    if (rest !== null) {
      yield rest;
    }
  }

  /** Reads over what is left, by the chunks' lengths alone. */
  async skipRest(): Promise<void> {
    this.#output = null;
    this.#used = 0;
    while (!this.#ended) {
      const left = this.#chunkLeft;
      this.#chunkLeft = 0;
      if (!(await this.#reader.skip(left))) {
        throw truncatedAt("a block's data", this.#reader.offset);
      }
      this.#collectHeaders();
      if (!this.#ended && this.#chunkLeft === 0) {
        await this.#more();
      }
    }
  }

  async #more(): Promise<void> {
    if (!(await this.#reader.fill(this.#reader.window.length + 1))) {
      throw truncatedAt("a block's data", this.#reader.offset + this.#reader.window.length);
    }
  }

  /** Takes payload out of the window; gives out a buffer that is ready, or `null` when the window is used up. */
  #collect(): Buffer | null {
    const headerSize = 1 + this.#intSize;
    for (;;) {
      const window = this.#reader.window;
      if (this.#chunkLeft === 0) {
        if (window.length < headerSize) {
          return null;
        }
        this.#chunkLeft = this.#lengthAt(window, 0, this.#reader.offset);
        this.#reader.consume(headerSize);
        if (this.#chunkLeft === 0) {
          this.#ended = true;
          return null;
        }
        continue;
      }
      const inside = Math.min(this.#chunkLeft, window.length);
      if (inside === 0) {
        return null;
      }
      const slicing = inside >= SLICE_BYTES;
      if (this.#used > 0 && (slicing || OUTPUT_BYTES - this.#used < LEAST_ROOM_BYTES)) {
        return this.#takeOutput();
      }
      if (slicing) {
        const slice = window.subarray(0, Math.min(inside, OUTPUT_BYTES));
        this.#chunkLeft -= slice.length;
        this.#reader.consume(slice.length);
        return slice;
      }
      this.#compact(window);
      if (this.#ended) {
        return null;
      }
    }
  }

  /**
   * Copies a stretch of chunks at once, then closes the gaps that their headers leave: per row, moving bytes within a
   * buffer costs a third of copying them between two.
   */
  #compact(window: Buffer): void {
    this.#output ??= Buffer.allocUnsafeSlow(OUTPUT_BYTES);
    const output = this.#output;
    const start = this.#used;
    const end = start + window.copy(output, start, 0, Math.min(window.length, OUTPUT_BYTES - start));
    const headerSize = 1 + this.#intSize;
    let from = start;
    let to = start;
    let left = this.#chunkLeft;
    while (left < SLICE_BYTES || to === start) {
      const size = Math.min(left, end - from);
      if (to !== from) {
        output.copyWithin(to, from, from + size);
      }
      to += size;
      from += size;
      left -= size;
      if (left > 0 || end - from < headerSize) {
        break;
      }
      left = this.#lengthAt(output, from, this.#reader.offset + from - start);
      from += headerSize;
      if (left === 0) {
        this.#ended = true;
        break;
      }
    }
    this.#used = to;
    this.#chunkLeft = left;
    this.#reader.consume(from - start);
  }

  /** Steps over chunks that lie wholly in the window, down to a partial one or to the terminator. */
  #collectHeaders(): void {
    const window = this.#reader.window;
    const headerSize = 1 + this.#intSize;
    let at = 0;
    while (this.#chunkLeft === 0 && window.length - at >= headerSize) {
      const length = this.#lengthAt(window, at, this.#reader.offset + at);
      at += headerSize;
      if (length === 0) {
        this.#ended = true;
        break;
      }
      const inside = Math.min(length, window.length - at);
      at += inside;
      this.#chunkLeft = length - inside;
    }
    this.#reader.consume(at);
  }

  /** `offset` is the absolute position of what stands at `at`. */
  #lengthAt(buffer: Buffer, at: number, offset: number): number {
    const length = magnitudeAt(buffer, at + 1, this.#intSize);
    if (length === null || length > 0x7fff_ffff || (buffer[at] !== 0 && length !== 0)) {
      throw damagedAt("bad_chunk", "impossible chunk length", offset);
    }
    return length;
  }

  #takeOutput(): Buffer | null {
    const output = this.#output;
    const used = this.#used;
    if (output === null || used === 0) {
      return null;
    }
    this.#used = 0;
    if (used < OUTPUT_BYTES / 4) {
      // Small content keeps the large buffer for its next owner and does not pin it.
      return Buffer.from(output.subarray(0, used));
    }
    this.#output = null;
    return output.subarray(0, used);
  }
}
