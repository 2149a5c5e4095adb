/**
 * What stands in front of an INSERT's rows: `INSERT INTO s.t (a, b) OVERRIDING SYSTEM VALUE VALUES`. Mirrors the insertStmt
 * of dumpTableData_insert (pg_dump.c, PostgreSQL 10 to 18).
 *
 * Invariant: a head may be cut anywhere between chunks; at most 1 MiB of it is held.
 */

import { isWord, meaningful, nameOf, type QualifiedName, qualifiedName, type Token, tokens } from "../sql/tokens.ts";
import { isSpace } from "./literal-bytes.ts";

/** 1,664 names of 63 bytes, every byte a doubled quote, are a fifth of it. */
const LONGEST_HEAD = 1024 * 1024;

export interface InsertHead {
  readonly target: QualifiedName;
  /** The columns named; `null` where the values stand in the table's own order. */
  readonly columns: readonly string[] | null;
  /** `DEFAULT VALUES`: a row without columns, and no list of values. */
  readonly defaultValues: boolean;
}

/** Reads a decoded head, from INSERT to VALUES; `null` when pg_dump does not write such a statement. */
export function parseInsertHead(text: string): InsertHead | null {
  const list = meaningful(tokens(text));
  if (!isWord(list[0], "INSERT") || !isWord(list[1], "INTO")) return null;
  const target = qualifiedName(list, 2);
  if (target === null) return null;
  const named = list[target.next]?.text === "(" ? nameList(list, target.next) : { columns: null, next: target.next };
  if (named === null) return null;
  const rest = list.slice(named.next).map((token) => token.text.toUpperCase());
  switch (rest.join(" ")) {
    case "VALUES":
    case "OVERRIDING SYSTEM VALUE VALUES":
    case "OVERRIDING USER VALUE VALUES":
      return { target, columns: named.columns, defaultValues: false };
    case "DEFAULT VALUES":
      return named.columns === null ? { target, columns: null, defaultValues: true } : null;
    default:
      return null;
  }
}

function nameList(list: readonly Token[], open: number): { columns: readonly string[]; next: number } | null {
  const columns: string[] = [];
  for (let at = open + 1; ; at += 2) {
    const name = nameOf(list[at]);
    const behind = list[at + 1]?.text;
    if (name === null || (behind !== "," && behind !== ")")) return null;
    columns.push(name);
    if (behind === ")") return { columns, next: at + 2 };
  }
}

const QUOTE = 0x22;

/** Collects the bytes of one head out of chunks. */
export class HeadCollector {
  #bytes = Buffer.alloc(256);
  #length = 0;
  #quoted = false;

  /** The head, once {@link collect} has returned before the end of what it was given. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
    this.#quoted = false;
  }

  /**
   * Takes bytes from `at`: up to the one behind the word VALUES, which is not taken, or to `end`. -1 for what cannot be
   * the head of one of pg_dump's INSERTs. Quotes are never the later byte of a character.
   */
  collect(input: Buffer, at: number, end: number): number {
    for (let next = at; next < end; next++) {
      const byte = input[next]!;
      if (!this.#quoted) {
        if (endsWord(byte) && this.#endsWithValues()) return next;
        if (byte === 0x3b || byte === 0x27 || byte === 0) return -1;
      }
      if (byte === QUOTE) this.#quoted = !this.#quoted;
      if (!this.#append(byte)) return -1;
    }
    return end;
  }

  #append(byte: number): boolean {
    if (this.#length === LONGEST_HEAD) return false;
    if (this.#length === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], 2 * this.#length);
    }
    this.#bytes[this.#length++] = byte;
    return true;
  }

  /** The unquoted word, which as a name pg_dump quotes. */
  #endsWithValues(): boolean {
    const start = this.#length - 6;
    if (start < 1 || !endsWord(this.#bytes[start - 1]!)) return false;
    return this.bytes.toString("latin1", start).toUpperCase() === "VALUES";
  }
}

function endsWord(byte: number): boolean {
  return isSpace(byte) || byte === 0x28 || byte === 0x29 || byte === 0x3b;
}

/** The head of the first statement, comments before it stepped over; `null` when there is none. Ends the reading. */
export async function firstHead(data: AsyncIterable<Buffer>): Promise<Buffer | null> {
  const collector = new HeadCollector();
  let state: "before" | "comment" | "head" = "before";
  for await (const input of data) {
    for (let at = 0; at < input.length; ) {
      if (state === "head") {
        const next = collector.collect(input, at, input.length);
        if (next !== input.length) return collector.bytes;
        at = next;
      } else {
        const byte = input[at]!;
        if (state === "comment" && byte === 0x0a) state = "before";
        else if (state === "before" && !isSpace(byte)) state = byte === 0x2d ? "comment" : "head";
        if (state !== "head") at++;
      }
    }
  }
  return null;
}
