/**
 * Cuts a script into statements, psql's commands, comments and the rows behind COPY. Mirrors MainLoop (mainloop.c) and
 * handleCopyIn (copy.c) of psql 18: rows are never looked into, and end at a line that is `\.`.
 *
 * Invariants: positions are absolute bytes; rows, INSERT statements and comments are passed over without being held; any
 * other statement is held, up to 64 MiB.
 */

import type { ByteReader } from "../byte-reader.ts";
import { meaningful, type Token, tokens } from "../sql/tokens.ts";
import { isSpace } from "./byte-classes.ts";
import { insertHeadEnd } from "./insert-statement.ts";
import { behindCopy, carriageInside, carriageReturns, commandInside, commandName } from "./lexer-faults.ts";
import { endsInside, ScriptFault } from "./script-fault.ts";
import { StatementScan } from "./statement-scan.ts";

/** What a script is made of. `start` is the first byte's offset, `end` that of the byte behind the last. */
export type ScriptItem =
  | { readonly kind: "statement"; readonly start: number; readonly end: number; readonly bytes: Buffer }
  /** `head`: up to VALUES; the same object as long as INSERTs begin alike. */
  | { readonly kind: "insert"; readonly start: number; readonly end: number; readonly head: Buffer }
  /** Rows of the COPY statement just given; `end` is behind the line `\.`. */
  | { readonly kind: "rows"; readonly start: number; readonly end: number }
  /** `bytes` without the newline. */
  | { readonly kind: "command" | "comment"; readonly start: number; readonly end: number; readonly bytes: Buffer };

const LONGEST_STATEMENT = 64 * 1024 * 1024;
const LONGEST_LINE = 1024 * 1024;
/** What must stay at hand to tell whether a quote is that of an `E''`. */
const LOOK_BACK = 2;
const ROWS_END = Buffer.from("\n\\.\n");
const NEWLINE = 0x0a;
const NO_HEAD = Buffer.alloc(0);

export class ScriptLexer {
  readonly #reader: ByteReader;
  #scan = new StatementScan(null, false);
  #final = false;
  #inside: "nothing" | "comment" | "statement" | "insert" | "line behind COPY" | "rows" = "nothing";
  /** Index in the window of the first byte that is still needed. */
  #at = 0;
  /** Offset of the first byte of what the lexer is inside of. */
  #start = 0;
  #head: Buffer = NO_HEAD;
  /** The last bytes of rows that were let go of: the end may be cut. */
  #tail: Buffer = NO_HEAD;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** How the statements that follow are written: see {@link StatementScan}. */
  configure(leads: Uint8Array | null, backslashes: boolean): void {
    this.#scan = new StatementScan(leads, backslashes);
  }

  /** The next item; `null` at the end. @throws ScriptFault */
  async next(): Promise<ScriptItem | null> {
    for (;;) {
      const item = this.nextAtHand();
      if (item !== null) return item;
      if (!(await this.#fill())) return null;
    }
  }

  /** The next item as far as its bytes have come; `null` when more must be fetched. @throws ScriptFault */
  nextAtHand(): ScriptItem | null {
    switch (this.#inside) {
      case "nothing":
        return this.#outside(this.#reader.window);
      case "comment":
        return this.#comment(this.#reader.window);
      case "statement":
      case "insert":
        return this.#statement(this.#reader.window);
      case "line behind COPY":
        return this.#lineBehindCopy(this.#reader.window);
      case "rows":
        return this.#rows(this.#reader.window);
    }
  }

  /** Fetches more bytes; false at the end of the script. @throws ScriptFault when it ends inside something. */
  async #fill(): Promise<boolean> {
    if (this.#final) {
      this.#checkEnd();
      return false;
    }
    const reader = this.#reader;
    const passed = this.#inside === "insert" || this.#inside === "comment";
    const count = passed ? Math.max(0, this.#scan.at - LOOK_BACK) : this.#at;
    reader.consume(count);
    this.#scan.shift(count);
    this.#at = 0;
    const had = reader.window.length;
    // Doubling keeps the joining of a long statement's pieces linear.
    this.#final = !(await reader.fill(this.#inside === "statement" ? Math.max(had + 1, 2 * had) : had + 1));
    const zero = reader.window.indexOf(0, had);
    if (zero >= 0) {
      const hint = "a script of pg_dump holds none: the file was altered, or is something else";
      throw new ScriptFault("nul_byte", "the script holds a zero byte", reader.offset + zero, hint);
    }
    return true;
  }

  #checkEnd(): void {
    if (this.#inside === "statement" || this.#inside === "insert") throw endsInside("a statement", this.#start);
    if (this.#inside === "comment") throw endsInside("a comment", this.#start);
    if (this.#inside !== "nothing") throw endsInside("the rows of a COPY statement", this.#start);
  }

  #outside(window: Buffer): ScriptItem | null {
    const { length } = window;
    let at = this.#at;
    while (at < length && (isSpace(window[at]!) || window[at] === 0x3b)) {
      if (window[at] === 0x0d) {
        // At the end of the piece it waits for what follows it.
        if (at + 1 === length && !this.#final) break;
        if (window[at + 1] === NEWLINE) throw carriageReturns(this.#reader.offset + at);
      }
      at++;
    }
    this.#at = at;
    if (at >= length || (window[at] === 0x0d && !this.#final)) return null;
    if (window[at] === 0x5c) return this.#line(window, "command");
    if (at + 1 === length && !this.#final) return null;
    if (window[at] === 0x2d && window[at + 1] === 0x2d) return this.#line(window, "comment");
    this.#start = this.#reader.offset + at;
    if (window[at] === 0x2f && window[at + 1] === 0x2a) {
      this.#inside = "comment";
      this.#scan.beginComment(at);
      return this.#comment(window);
    }
    return this.#begin(window);
  }

  #comment(window: Buffer): ScriptItem | null {
    if (this.#scan.comment(window, this.#final) === "more") return null;
    this.#at = this.#scan.at;
    this.#inside = "nothing";
    return this.#outside(window);
  }

  #begin(window: Buffer): ScriptItem | null {
    const at = this.#at;
    const isAlike = startsWith(window, at, this.#head);
    const isInsert = isAlike || startsWithInsert(window, at, this.#final);
    if (isInsert === "more") return null;
    if (isInsert && !isAlike) {
      const rest = window.subarray(at, at + LONGEST_LINE);
      const end = insertHeadEnd(rest, this.#final);
      if (end === null && rest.length < LONGEST_LINE) return null;
      this.#head = Buffer.from(rest.subarray(0, end ?? LONGEST_LINE));
    }
    this.#inside = isInsert ? "insert" : "statement";
    this.#scan.begin(at, !isInsert);
    return this.#statement(window);
  }

  #statement(window: Buffer): ScriptItem | null {
    const result = this.#scan.run(window, this.#final);
    if (result === "backslash") {
      throw commandInside(window.subarray(this.#scan.at), this.#reader.offset + this.#scan.at);
    }
    if (result === "more") {
      if (this.#inside === "insert" || window.length - this.#at <= LONGEST_STATEMENT) return null;
      throw new ScriptFault(
        "statement_too_long",
        "a statement of more than 64 MiB begins",
        this.#start,
        "make the backup with pg_dump -Fc",
      );
    }
    const start = this.#start;
    const from = this.#at;
    this.#at = this.#scan.at;
    const end = this.#reader.offset + this.#at;
    if (this.#inside === "insert") {
      this.#inside = "nothing";
      return { kind: "insert", start, end, head: this.#head };
    }
    const bytes = window.subarray(from, this.#at);
    this.#inside = isCopyFromStdin(bytes) ? "line behind COPY" : "nothing";
    return { kind: "statement", start, end, bytes };
  }

  /** Rows begin behind the line that the statement ends on. */
  #lineBehindCopy(window: Buffer): ScriptItem | null {
    const line = window.indexOf(NEWLINE, this.#at);
    if (line < 0) {
      if (window.length - this.#at < LONGEST_LINE && !this.#final) return null;
      if (!window.subarray(this.#at).every(isSpace)) throw behindCopy(this.#reader.offset + this.#at);
      return null;
    }
    if (window[line - 1] === 0x0d) throw carriageReturns(this.#reader.offset + line - 1);
    if (!window.subarray(this.#at, line).every(isSpace)) throw behindCopy(this.#reader.offset + this.#at);
    this.#start = this.#reader.offset + line + 1;
    // The newline in front belongs to the search: an end at once is a line of its own like any other.
    this.#at = line;
    this.#tail = NO_HEAD;
    this.#inside = "rows";
    return this.#rows(window);
  }

  /** Pieces are let go of whole, but for the few bytes in which the end may have begun: rows are never copied. */
  #rows(window: Buffer): ScriptItem | null {
    const seam = Buffer.concat([this.#tail, window.subarray(this.#at, this.#at + ROWS_END.length - 1)]);
    const cut = this.#tail.length === 0 ? -1 : seam.indexOf(ROWS_END);
    const found = cut >= 0 ? -1 : window.indexOf(ROWS_END, this.#at);
    if (cut >= 0) this.#at += cut + ROWS_END.length - this.#tail.length;
    else if (found >= 0) this.#at = found + ROWS_END.length;
    else {
      const rest = window.subarray(Math.max(this.#at, window.length - ROWS_END.length + 1));
      this.#tail = Buffer.concat([this.#tail, rest]).subarray(-(ROWS_END.length - 1));
      this.#at = window.length;
      // The last line's own newline may be missing.
      if (!this.#final || !this.#tail.equals(ROWS_END.subarray(0, -1))) return null;
    }
    this.#inside = "nothing";
    return { kind: "rows", start: this.#start, end: this.#reader.offset + this.#at };
  }

  #line(window: Buffer, kind: "command" | "comment"): ScriptItem | null {
    const at = this.#at;
    const start = this.#reader.offset + at;
    const newline = window.indexOf(NEWLINE, at);
    if (newline < 0 && !this.#final) {
      if (window.length - at < LONGEST_LINE) return null;
      throw new ScriptFault("line_too_long", "a comment of more than 1 MiB begins", start, "is this a script?");
    }
    const bytes = window.subarray(at, newline < 0 ? window.length : newline);
    const { length } = bytes;
    if (newline < 0 && kind === "command" && commandName(bytes) !== "\\unrestrict") {
      throw endsInside("a psql command", start);
    }
    const carriage = bytes.indexOf(0x0d);
    if (carriage >= 0 && carriage < length - 1) throw carriageInside(start + carriage);
    if (bytes[length - 1] === 0x0d && (kind === "command" || length === 3)) throw carriageReturns(start + length - 1);
    this.#at = at + length;
    return { kind, start, end: start + length, bytes };
  }
}

function startsWithInsert(window: Buffer, at: number, final: boolean): boolean | "more" {
  if ((window[at]! | 0x20) !== 0x69) return false;
  if (window.length - at < 7 && !final) return "more";
  return window.toString("latin1", at, at + 6).toUpperCase() === "INSERT" && isSpace(window[at + 6] ?? 0);
}

/** With at least a byte behind it: names may begin alike. */
function startsWith(window: Buffer, at: number, head: Buffer): boolean {
  if (head.length === 0 || window.length - at <= head.length) return false;
  for (let index = 0; index < head.length; index++) if (window[at + index] !== head[index]) return false;
  return true;
}

/** The server would answer with "send the rows". */
function isCopyFromStdin(bytes: Buffer): boolean {
  if (bytes.toString("latin1", 0, 4).toUpperCase() !== "COPY") return false;
  const words = meaningful(tokens(bytes.toString("latin1")));
  const isWord = (token: Token | undefined, word: string) =>
    token?.kind === "word" && token.text.toUpperCase() === word;
  return words.some((token, at) => isWord(token, "FROM") && isWord(words[at + 1], "STDIN"));
}
