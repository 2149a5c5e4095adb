/**
 * Bounds-checked synchronous reading of pg_dump's primitive encodings out of one buffer. Mirrors ReadInt, ReadStr and
 * ReadOffset of PostgreSQL 15 to 18 (pg_backup_archiver.c).
 *
 * Invariants: a read that would pass the end throws {@link Shortage} and is repeated by the caller from its start once
 * more bytes are there; nothing is ever allocated by a declared length; errors carry the absolute byte offset.
 */

import { constants } from "node:buffer";
import { damagedAt } from "../damage.ts";

/** The buffer ends too early: at least `needed` bytes, counted from the buffer's start, must be there. */
export class Shortage extends Error {
  readonly needed: number;

  constructor(needed: number) {
    super("more bytes are needed");
    this.needed = needed;
  }
}

/** Sizes from the archive's header that govern how numbers are stored. */
export interface NumberSizes {
  /** Bytes of an int's magnitude, 1 to 8. */
  readonly intSize: number;
  /** Bytes of a file position, 1 to 8. */
  readonly offsetSize: number;
}

/** Where an entry's data is, as stored: state 1 unknown, 2 known, 3 no data. */
export interface StoredOffset {
  readonly state: 1 | 2 | 3;
  readonly position: number;
}

/** Reads the magnitude of an int: unsigned, least significant byte first. `null` when it does not fit 32 bits. */
export function magnitudeAt(buffer: Buffer, at: number, size: number): number | null {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) {
    value = value * 256 + buffer[at + index]!;
  }
  return value <= 0xffff_ffff ? value : null;
}

export class Cursor {
  readonly #buffer: Buffer;
  readonly #base: number;
  #position = 0;
  #sizes: NumberSizes;

  /** `base` is the absolute offset of the buffer's first byte. */
  constructor(buffer: Buffer, base: number, sizes: NumberSizes = { intSize: 4, offsetSize: 8 }) {
    this.#buffer = buffer;
    this.#base = base;
    this.#sizes = sizes;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /** Absolute offset of the next byte. */
  get offset(): number {
    return this.#base + this.#position;
  }

  set sizes(sizes: NumberSizes) {
    this.#sizes = sizes;
  }

  bytes(count: number): Buffer {
    const start = this.#position;
    if (start + count > this.#buffer.length) {
      throw new Shortage(start + count);
    }
    this.#position = start + count;
    return this.#buffer.subarray(start, this.#position);
  }

  byte(): number {
    return this.bytes(1)[0]!;
  }

  /** A C int: one sign byte, then the magnitude. `-1` is `01 01 00 00 00`. */
  int(): number {
    const start = this.offset;
    const bytes = this.bytes(1 + this.#sizes.intSize);
    const magnitude = magnitudeAt(bytes, 1, this.#sizes.intSize);
    if (magnitude === null) {
      throw damagedAt("bad_number", "number beyond 32 bits", start);
    }
    return bytes[0] === 0 || magnitude === 0 ? magnitude : -magnitude;
  }

  /** Length and bytes; NULL (any negative length) is `null`, which is not the same as empty. */
  string(): Buffer | null {
    const start = this.offset;
    const length = this.int();
    if (length < 0) {
      return null;
    }
    if (length > constants.MAX_STRING_LENGTH) {
      throw damagedAt("bad_string", `string of ${length} bytes`, start);
    }
    return this.bytes(length);
  }

  /** One state byte, then an unsigned position without sign byte. */
  storedOffset(): StoredOffset {
    const start = this.offset;
    const state = this.byte();
    const bytes = this.bytes(this.#sizes.offsetSize);
    if (state !== 1 && state !== 2 && state !== 3) {
      throw damagedAt("bad_offset_state", `unknown offset state ${state}`, start);
    }
    let position = 0;
    for (let index = bytes.length - 1; index >= 0; index--) {
      position = position * 256 + bytes[index]!;
    }
    return { state, position };
  }
}
