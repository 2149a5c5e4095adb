/**
 * The values of one row after another, `1, 'it''s', NULL, true)`, as fields of COPY text, wherever they are cut. Mirrors
 * the values that dumpTableData_insert (pg_dump.c) writes, and CopyAttributeOutText (copyto.c) for how COPY writes them.
 *
 * Invariants: nothing is held back: each byte is written as it is read; bytes of values stay bytes. Whatever is no literal
 * of pg_dump's is refused.
 */

import {
  BACKSLASH,
  ENDING,
  escapedKind,
  isLetter,
  isSpace,
  isWholeNumber,
  kindsOf,
  LEAD,
  LETTER,
  NEWLINE,
  NO_NUMBER,
  NUL,
  nextNumberState,
  TAB,
  WORDS,
} from "./literal-bytes.ts";

/** Most bytes turned at once: what they become fits the room that is kept. */
export const SLICE_BYTES = 64 * 1024;
const OUTPUT_BYTES = 256 * 1024;
const LEAST_ROOM_BYTES = 2 * SLICE_BYTES + 16;

/** Where between the bytes of a row we are. */
const VALUE = 0;
const STRING = 1;
const TRAIL = 2;
const QUOTE = 3;
const ESCAPE = 4;
const WORD = 5;
const NUMBER = 6;
const AFTER_VALUE = 7;
const ROW_END = 8;

export interface RowValuesOptions {
  /** False: a backslash escapes in `'…'`. */
  readonly standardConformingStrings: boolean;
  /** See {@link import("../toc/lead-bytes.ts").leadBytes}. */
  readonly leads: Uint8Array | null;
  /** The error for what stands at an index of the input at hand. */
  readonly damage: (fact: string, at: number) => Error;
}

export class RowValues {
  readonly #damage: RowValuesOptions["damage"];
  readonly #plainEscapes: boolean;
  readonly #kinds: Uint8Array;
  #state = ROW_END;
  #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #used = 0;
  /** By position: 1 for a field of the COPY text, 0 for what must be DEFAULT. */
  #kept: Uint8Array = new Uint8Array(0);
  #position = 0;
  #written = 0;
  #escapes = false;
  /** What has been read of a word or a number. */
  #partial = 0;

  constructor(options: RowValuesOptions) {
    this.#damage = options.damage;
    this.#plainEscapes = !options.standardConformingStrings;
    this.#kinds = kindsOf(options.leads);
  }

  /** Begins a row whose opening parenthesis has been read. */
  open(kept: Uint8Array): void {
    this.#kept = kept;
    this.#position = 0;
    this.#written = 0;
    this.#state = VALUE;
  }

  /** A row without columns. */
  empty(): void {
    this.#output[this.#used++] = NEWLINE;
  }

  /** The closing parenthesis has been read. */
  get closed(): boolean {
    return this.#state === ROW_END;
  }

  /** COPY text to pass on, when the room for another slice is used up, or at the end. It belongs to whoever takes it. */
  ready(atEnd = false): Buffer | null {
    const text = this.#output.subarray(0, this.#used);
    if (atEnd) return Buffer.from(text);
    if (OUTPUT_BYTES - this.#used >= LEAST_ROOM_BYTES) return null;
    this.#output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
    this.#used = 0;
    return text;
  }

  /** Reads on to the end of the row or of the input; returns the index behind what was read. */
  take(input: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end && this.#state !== ROW_END) at = this.#step(input, at, end);
    return at;
  }

  #step(input: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case VALUE:
        return this.#value(input, at);
      case STRING:
        return this.#string(input, at, end);
      case AFTER_VALUE:
        return this.#afterValue(input, at);
      case NUMBER:
        return this.#number(input, at, end);
      case WORD:
        return this.#letters(input, at, end);
      case QUOTE:
        return this.#behindQuote(input, at);
      case ESCAPE:
        return this.#escape(input, at);
      default:
        return this.#trail(input, at);
    }
  }

  #value(input: Buffer, at: number): number {
    const byte = input[at]!;
    if (isSpace(byte)) return at + 1;
    if (byte === 0x27) {
      this.#begin(at);
      this.#escapes = this.#plainEscapes;
      this.#state = STRING;
      return at + 1;
    }
    this.#partial = 0;
    this.#state = isLetter(byte) ? WORD : NUMBER;
    if (byte === 0x2b) throw this.#noLiteral(at);
    if (this.#state === NUMBER) this.#begin(at);
    return at;
  }

  /** A value that is a column of the COPY text begins. */
  #begin(at: number): void {
    if (this.#position >= this.#kept.length) throw this.#damage("more values than columns", at);
    if (this.#kept[this.#position] === 0) throw this.#damage("a value for a generated column", at);
    if (this.#written++ > 0) this.#output[this.#used++] = TAB;
  }

  #string(input: Buffer, from: number, end: number): number {
    const output = this.#output;
    const kinds = this.#kinds;
    let used = this.#used;
    let at = from;
    while (at < end) {
      const byte = input[at++]!;
      const kind = kinds[byte]!;
      if (kind === 0) {
        output[used++] = byte;
      } else if (kind === ENDING) {
        if (at < end && input[at] === 0x27) {
          output[used++] = 0x27;
          at++;
        } else {
          this.#state = at < end ? AFTER_VALUE : QUOTE;
          break;
        }
      } else if (kind >= LETTER) {
        output[used++] = 0x5c;
        output[used++] = kind;
      } else if (kind === BACKSLASH) {
        if (this.#escapes) {
          this.#state = ESCAPE;
          break;
        }
        output[used++] = 0x5c;
        output[used++] = 0x5c;
      } else if (kind === LEAD) {
        output[used++] = byte;
        this.#state = TRAIL;
        break;
      } else {
        throw this.#damage("a zero byte", at - 1);
      }
    }
    this.#used = used;
    return at;
  }

  /** The later byte of a character, whatever it looks like. */
  #trail(input: Buffer, at: number): number {
    const byte = input[at]!;
    if (byte < 0x30) throw this.#damage("half a character", at);
    this.#output[this.#used++] = byte;
    this.#state = STRING;
    return at + 1;
  }

  /** The quote before was the last byte at hand: doubled, or the end of the string? */
  #behindQuote(input: Buffer, at: number): number {
    if (input[at] !== 0x27) {
      this.#state = AFTER_VALUE;
      return at;
    }
    this.#output[this.#used++] = 0x27;
    this.#state = STRING;
    return at + 1;
  }

  /** pg_dump only doubles the backslash. */
  #escape(input: Buffer, at: number): number {
    const byte = input[at]!;
    const kind = escapedKind(byte);
    if (kind === NUL) throw this.#damage("an escape that pg_dump does not write", at);
    this.#state = STRING;
    if (kind === 0 && byte !== 0x27) return at;
    if (kind === LETTER) this.#output[this.#used++] = 0x5c;
    this.#output[this.#used++] = byte;
    return at + 1;
  }

  #letters(input: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end && isLetter(input[at]!)) {
      this.#partial = this.#partial * 32 + (input[at++]! & 31);
      if (this.#partial > WORDS.default * 32) throw this.#noLiteral(at);
    }
    if (at === end) return at;
    if (input[at] === 0x27 && (this.#partial === WORDS.b || this.#partial === WORDS.e)) {
      this.#begin(at);
      this.#escapes = this.#partial === WORDS.e;
      this.#state = STRING;
      return at + 1;
    }
    this.#wordEnds(at);
    return at;
  }

  #wordEnds(at: number): void {
    this.#state = AFTER_VALUE;
    switch (this.#partial) {
      case WORDS.default:
        if (this.#position >= this.#kept.length) throw this.#damage("more values than columns", at);
        if (this.#kept[this.#position] !== 0) throw this.#damage("DEFAULT for a column that is not generated", at);
        return;
      case WORDS.null:
        this.#begin(at);
        this.#used += this.#output.write("\\N", this.#used, "latin1");
        return;
      case WORDS.true:
      case WORDS.false:
        this.#begin(at);
        this.#output[this.#used++] = this.#partial === WORDS.true ? 0x74 : 0x66;
        return;
      default:
        throw this.#noLiteral(at);
    }
  }

  #number(input: Buffer, from: number, end: number): number {
    let state = this.#partial;
    let at = from;
    for (; at < end; at++) {
      const next = nextNumberState(state, input[at]!);
      if (next < 0) break;
      if (next === NO_NUMBER) throw this.#noLiteral(at);
      state = next;
      this.#output[this.#used++] = input[at]!;
    }
    this.#partial = state;
    if (at < end) {
      if (!isWholeNumber(state)) throw this.#noLiteral(at);
      this.#state = AFTER_VALUE;
    }
    return at;
  }

  #afterValue(input: Buffer, at: number): number {
    const byte = input[at]!;
    if (byte === 0x2c) {
      this.#position++;
      this.#state = VALUE;
    } else if (byte === 0x29) {
      if (this.#position + 1 !== this.#kept.length) throw this.#damage("fewer values than columns", at);
      this.#output[this.#used++] = NEWLINE;
      this.#state = ROW_END;
    } else if (!isSpace(byte)) {
      throw this.#noLiteral(at);
    }
    return at + 1;
  }

  #noLiteral(at: number): Error {
    return this.#damage("a value that is no literal", at);
  }
}
