/**
 * Turns the bytes of INSERT statements into COPY text, wherever they are cut: statements and their heads; the values are
 * row-values.ts's. Mirrors dumpTableData_insert of pg_dump.c and, for where statements end, ExecuteSimpleCommands of
 * pg_backup_db.c (PostgreSQL 10 to 18).
 *
 * Invariants: no statement and no row is ever held. Whatever pg_dump does not write is refused with its row and byte.
 */

import { damagedStream } from "../damage.ts";
import { HeadCollector } from "./insert-head.ts";
import { isLetter, isSpace, NEWLINE } from "./literal-bytes.ts";
import { RowValues, SLICE_BYTES } from "./row-values.ts";

export interface InsertRowsOptions {
  /** For messages, one line. */
  readonly table: string;
  /** False: a backslash escapes in `'…'`. */
  readonly standardConformingStrings: boolean;
  /** See {@link import("../toc/lead-bytes.ts").leadBytes}. */
  readonly leads: Uint8Array | null;
  /**
   * Asked for every head that differs from the one before: by position, 1 for values that are fields of the COPY text
   * and 0 for those that must be DEFAULT; `null` for DEFAULT VALUES. `where` is for messages. @throws ArchiveDamaged when
   * the head does not fit the table.
   */
  readonly accept: (head: Buffer, where: string) => Uint8Array | null;
}

const LONGEST_CLAUSE = 64;

/** Where between the bytes we are. */
const STATEMENT = 0;
const COMMENT = 1;
const HEAD = 2;
const BEFORE_ROW = 3;
const ROW = 4;
const AFTER_ROW = 5;
const CLAUSE = 6;

export class InsertRows {
  /** Rows finished so far. */
  rows = 0;
  readonly #options: InsertRowsOptions;
  readonly #values: RowValues;
  readonly #collector = new HeadCollector();
  #state = STATEMENT;
  /** Bytes read before the input at hand. */
  #taken = 0;
  #head: Buffer = Buffer.alloc(0);
  #kept: Uint8Array | null = null;
  #clause = "";

  constructor(options: InsertRowsOptions) {
    this.#options = options;
    this.#values = new RowValues({ ...options, damage: (fact, at) => this.#damage(fact, at) });
  }

  /** COPY text of `data`, rows of any length, without the closing `\.`. @throws ArchiveDamaged `insert_statement`. */
  async *copyText(data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const input of data) {
      for (let at = 0; at < input.length; ) {
        at = this.#take(input, at);
        const ready = this.#values.ready();
        if (ready !== null) yield ready;
      }
      this.#taken += input.length;
    }
    if (this.#state !== STATEMENT && this.#state !== COMMENT) throw this.#damage("statements that end too early", 0);
    const rest = this.#values.ready(true);
    if (rest !== null && rest.length > 0) yield rest;
  }

  #take(input: Buffer, from: number): number {
    const end = Math.min(input.length, from + SLICE_BYTES);
    let at = from;
    while (at < end) at = this.#step(input, at, end);
    return at;
  }

  #step(input: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case ROW:
        return this.#row(input, at, end);
      case AFTER_ROW:
        return this.#afterRow(input, at);
      case STATEMENT:
        return this.#statement(input, at, end);
      case BEFORE_ROW:
        return this.#beforeRow(input, at);
      case HEAD:
        return this.#collectHead(input, at, end);
      case CLAUSE:
        return this.#conflictClause(input, at, end);
      default:
        return this.#comment(input, at, end);
    }
  }

  /** Between statements: mostly the same head again, byte for byte. */
  #statement(input: Buffer, at: number, end: number): number {
    const byte = input[at]!;
    if (isSpace(byte)) return at + 1;
    const head = this.#head;
    if (head.length > 0 && end - at > head.length && matches(input, at, head)) {
      this.#headEnds();
      return at + head.length;
    }
    if (byte !== 0x49 && byte !== 0x69 && byte !== 0x2d) throw this.#damage("something other than an INSERT", at);
    this.#collector.reset();
    this.#state = byte === 0x2d ? COMMENT : HEAD;
    return at;
  }

  #comment(input: Buffer, at: number, end: number): number {
    const newline = input.indexOf(NEWLINE, at);
    if (newline < 0 || newline >= end) return end;
    this.#state = STATEMENT;
    return newline + 1;
  }

  #collectHead(input: Buffer, at: number, end: number): number {
    const next = this.#collector.collect(input, at, end);
    if (next < 0) throw this.#damage("a statement that is no INSERT of pg_dump's", at);
    if (next === end) return end;
    const head = this.#collector.bytes;
    if (!head.equals(this.#head)) {
      this.#kept = this.#options.accept(head, this.#where(at));
      this.#head = Buffer.from(head);
    }
    this.#headEnds();
    return next;
  }

  #headEnds(): void {
    if (this.#kept === null) {
      this.#values.empty();
      this.rows++;
      this.#state = AFTER_ROW;
    } else {
      this.#state = BEFORE_ROW;
    }
  }

  #beforeRow(input: Buffer, at: number): number {
    const byte = input[at]!;
    if (isSpace(byte)) return at + 1;
    if (byte !== 0x28 || this.#kept === null) throw this.#damage("a statement without a row", at);
    this.#values.open(this.#kept);
    this.#state = ROW;
    return at + 1;
  }

  #row(input: Buffer, from: number, end: number): number {
    const at = this.#values.take(input, from, end);
    if (this.#values.closed) {
      this.rows++;
      this.#state = AFTER_ROW;
    }
    return at;
  }

  #afterRow(input: Buffer, at: number): number {
    const byte = input[at]!;
    if (byte === 0x3b) {
      this.#state = STATEMENT;
    } else if (byte === 0x2c && this.#kept !== null) {
      this.#state = BEFORE_ROW;
    } else if (isLetter(byte)) {
      this.#clause = "";
      this.#state = CLAUSE;
      return at;
    } else if (!isSpace(byte)) {
      throw this.#damage("a statement that is no INSERT of pg_dump's", at);
    }
    return at + 1;
  }

  #conflictClause(input: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end && input[at] !== 0x3b && this.#clause.length < LONGEST_CLAUSE) {
      this.#clause += String.fromCharCode(input[at++]!);
    }
    if (at < end) {
      if (!/^ON\s+CONFLICT\s+DO\s+NOTHING\s*$/i.test(this.#clause)) {
        throw this.#damage("a clause behind the values that pg_dump does not write", at);
      }
      this.#state = AFTER_ROW;
    }
    return at;
  }

  #where(at: number): string {
    return `row ${this.rows + 1} of table ${this.#options.table}, byte ${this.#taken + at} of its statements`;
  }

  #damage(fact: string, at: number): Error {
    return damagedStream("insert_statement", fact, this.#where(at));
  }
}

function matches(input: Buffer, at: number, head: Buffer): boolean {
  for (let index = 0; index < head.length; index++) {
    if (input[at + index] !== head[index]) return false;
  }
  return true;
}
