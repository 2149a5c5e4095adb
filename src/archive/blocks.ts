/**
 * Blocks of a custom archive's data area: their headers and their chunks. Mirrors _readBlockHeader, _PrintData and
 * _skipData of PostgreSQL 15 to 18 (pg_backup_custom.c).
 *
 * Chunks are arbitrary slices of one stream and mean nothing by themselves. Uncompressed dumps up to PostgreSQL 18 have
 * one chunk a row, so chunk headers are parsed synchronously and small chunks copied together; large ones are passed on
 * as slices. Nothing is allocated by a declared length.
 */

import type { ByteReader } from "./byte-reader.ts";
import { Cursor, magnitudeAt, type NumberSizes } from "./cursor.ts";
import { damagedAt, truncatedAt } from "./damage.ts";

export const BLOCK_DATA = 1;
export const BLOCK_LARGE_OBJECTS = 3;

/** Most bytes that are yielded at once. */
const OUTPUT_BYTES = 256 * 1024;
/** Chunks from this size on are passed on as slices of the source's buffer rather than copied. */
const SLICE_BYTES = 64 * 1024;

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

  /** Moves payload from the window into the output; gives it out when it is full, `null` when the window is used up. */
  #collect(): Buffer | null {
    const window = this.#reader.window;
    const headerSize = 1 + this.#intSize;
    let at = 0;
    let left = this.#chunkLeft;
    let ready: Buffer | null = null;
    while (ready === null) {
      if (left === 0) {
        if (window.length - at < headerSize) {
          break;
        }
        left = this.#lengthAt(window, at);
        at += headerSize;
        if (left === 0) {
          this.#ended = true;
          break;
        }
      }
      const size = Math.min(left, window.length - at, OUTPUT_BYTES);
      if (size === 0) {
        break;
      }
      if (size >= SLICE_BYTES && this.#used === 0) {
        ready = window.subarray(at, at + size);
        at += size;
        left -= size;
      } else {
        const copied = this.#append(window, at, size);
        at += copied;
        left -= copied;
        ready = this.#used === OUTPUT_BYTES || (size >= SLICE_BYTES && copied < size) ? this.#takeOutput() : null;
      }
    }
    this.#chunkLeft = left;
    this.#reader.consume(at);
    return ready;
  }

  /** Steps over chunks that lie wholly in the window, down to a partial one or to the terminator. */
  #collectHeaders(): void {
    const window = this.#reader.window;
    const headerSize = 1 + this.#intSize;
    let at = 0;
    while (this.#chunkLeft === 0 && window.length - at >= headerSize) {
      const length = this.#lengthAt(window, at);
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

  #lengthAt(window: Buffer, at: number): number {
    const length = magnitudeAt(window, at + 1, this.#intSize);
    if (length === null || length > 0x7fff_ffff || (window[at] !== 0 && length !== 0)) {
      throw damagedAt("bad_chunk", "impossible chunk length", this.#reader.offset + at);
    }
    return length;
  }

  #append(window: Buffer, at: number, size: number): number {
    this.#output ??= Buffer.allocUnsafeSlow(OUTPUT_BYTES);
    const count = Math.min(size, OUTPUT_BYTES - this.#used);
    window.copy(this.#output, this.#used, at, at + count);
    this.#used += count;
    return count;
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
