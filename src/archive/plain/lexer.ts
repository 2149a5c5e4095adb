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
  #inside: "nothing" | "comment" | "statement" | "insert" | "rows" = "nothing";
  #start = 0;
  #head: Buffer = NO_HEAD;

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
      if (!(await this.fill())) return null;
    }
  }

  /** The next item as far as its bytes have come; otherwise `null`, and {@link fill} is called for. @throws ScriptFault */
  nextAtHand(): ScriptItem | null {
    switch (this.#inside) {
      case "nothing":
        return this.#outside();
      case "comment":
        if (this.#scan.comment(this.#reader.window, this.#final) === "more") return this.#passOver();
        return this.#leave(() => this.#outside());
      case "statement":
      case "insert":
        return this.#statement();
      case "rows":
        return this.#rows();
    }
  }

  /** Fetches more bytes; false at the end of the script. @throws ScriptFault when it ends inside something. */
  async fill(): Promise<boolean> {
    if (this.#final) {
      this.#checkEnd();
      return false;
    }
    const had = this.#reader.window.length;
    // Doubling keeps the joining of a long statement's pieces linear.
    this.#final = !(await this.#reader.fill(this.#inside === "statement" ? Math.max(had + 1, 2 * had) : had + 1));
    const zero = this.#reader.window.indexOf(0, had);
    if (zero >= 0) {
      const hint = "a script of pg_dump holds none: the file was altered, or is something else";
      throw new ScriptFault("nul_byte", "the script holds a zero byte", this.#reader.offset + zero, hint);
    }
    return true;
  }

  #checkEnd(): void {
    if (this.#inside === "statement" || this.#inside === "insert") throw endsInside("a statement", this.#start);
    if (this.#inside === "comment") throw endsInside("a comment", this.#start);
    if (this.#inside === "rows") throw endsInside("the rows of a COPY statement", this.#start);
  }

  #outside(): ScriptItem | null {
    const reader = this.#reader;
    const { window } = reader;
    let at = 0;
    while (at < window.length && (isSpace(window[at]!) || window[at] === 0x3b)) {
      if (window[at] === 0x0d && window[at + 1] === NEWLINE) throw carriageReturns(reader.offset + at);
      // A carriage return at the end of the piece waits for what follows it.
      if (window[at] === 0x0d && at + 1 === window.length && !this.#final) break;
      at++;
    }
    reader.consume(at);
    const rest = reader.window;
    if (rest.length === 0 || (rest[0] === 0x0d && !this.#final)) return null;
    if (rest[0] === 0x5c) return this.#line("command");
    if (rest.length === 1 && !this.#final) return null;
    if (rest[0] === 0x2d && rest[1] === 0x2d) return this.#line("comment");
    this.#start = reader.offset;
    if (rest[0] === 0x2f && rest[1] === 0x2a) {
      this.#inside = "comment";
      this.#scan.beginComment(0);
      return this.nextAtHand();
    }
    return this.#begin(rest);
  }

  #begin(rest: Buffer): ScriptItem | null {
    const isInsert = startsWithInsert(rest, this.#final);
    if (isInsert === "more") return null;
    if (isInsert) {
      const head = this.#head;
      const alike =
        head.length > 0 && rest.length > head.length && rest.compare(head, 0, head.length, 0, head.length) === 0;
      if (!alike) {
        const end = insertHeadEnd(rest, this.#final);
        if (end === null && rest.length < LONGEST_LINE) return null;
        this.#head = Buffer.from(rest.subarray(0, end ?? LONGEST_LINE));
      }
    }
    this.#inside = isInsert ? "insert" : "statement";
    this.#scan.begin(0, !isInsert);
    return this.#statement();
  }

  #statement(): ScriptItem | null {
    const { window } = this.#reader;
    const result = this.#scan.run(window, this.#final);
    if (result === "backslash") {
      throw new ScriptFault(
        "psql_command",
        `a psql command ${commandName(window.subarray(this.#scan.at))} inside a statement`,
        this.#reader.offset + this.#scan.at,
        "pg_dump writes none there; take it out of a copy of the script, or make the backup with pg_dump -Fc",
      );
    }
    if (result === "more") {
      if (this.#inside === "insert") return this.#passOver();
      if (window.length <= LONGEST_STATEMENT) return null;
      throw new ScriptFault(
        "statement_too_long",
        "a statement of more than 64 MiB begins",
        this.#start,
        "make the backup with pg_dump -Fc",
      );
    }
    const start = this.#start;
    const end = this.#reader.offset + this.#scan.at;
    if (this.#inside === "insert") {
      return this.#leave(() => ({ kind: "insert", start, end, head: this.#head }));
    }
    const bytes = window.subarray(0, this.#scan.at);
    return this.#leave(() => {
      if (isCopyFromStdin(bytes)) {
        this.#inside = "rows";
        this.#start = -1;
      }
      return { kind: "statement", start, end, bytes };
    });
  }

  /** Rows begin on the line behind the statement. */
  #rows(): ScriptItem | null {
    const reader = this.#reader;
    if (this.#start < 0) {
      const line = reader.window.indexOf(NEWLINE);
      if (line < 0) {
        if (reader.window.length > LONGEST_LINE || this.#final) throw behindCopy(reader.offset);
        return null;
      }
      if (reader.window[line - 1] === 0x0d) throw carriageReturns(reader.offset + line - 1);
      if (!reader.window.subarray(0, line).every(isSpace)) throw behindCopy(reader.offset);
      reader.consume(line);
      this.#start = reader.offset + 1;
    }
    // The newline in front belongs to the search: an end at once is a line of its own like any other.
    const found = reader.window.indexOf(ROWS_END);
    const last = reader.window.length - (ROWS_END.length - 1);
    if (found < 0) {
      const cut = this.#final && last >= 0 && reader.window.indexOf("\n\\.", last) === last;
      if (!cut) {
        reader.consume(Math.max(0, last));
        return null;
      }
    }
    reader.consume(found < 0 ? reader.window.length : found + ROWS_END.length);
    const start = this.#start;
    return this.#leave(() => ({ kind: "rows", start, end: reader.offset }), false);
  }

  /** Lets go of what was looked at, but for the bytes that decide about the next one. */
  #passOver(): null {
    const count = Math.max(0, this.#scan.at - LOOK_BACK);
    this.#reader.consume(count);
    this.#scan.shift(count);
    return null;
  }

  #leave(item: () => ScriptItem | null, consume = true): ScriptItem | null {
    if (consume) this.#reader.consume(this.#scan.at);
    this.#inside = "nothing";
    return item();
  }

  #line(kind: "command" | "comment"): ScriptItem | null {
    const reader = this.#reader;
    const newline = reader.window.indexOf(NEWLINE);
    if (newline < 0 && !this.#final) {
      if (reader.window.length < LONGEST_LINE) return null;
      throw new ScriptFault("line_too_long", "a comment of more than 1 MiB begins", reader.offset, "is this a script?");
    }
    const length = newline < 0 ? reader.window.length : newline;
    const bytes = reader.window.subarray(0, length);
    const start = reader.offset;
    if (bytes[length - 1] === 0x0d && (kind === "command" || length === 3)) throw carriageReturns(start + length - 1);
    reader.consume(length);
    return { kind, start, end: start + length, bytes };
  }
}

function startsWithInsert(rest: Buffer, final: boolean): boolean | "more" {
  if ((rest[0]! | 0x20) !== 0x69) return false;
  if (rest.length < 7 && !final) return "more";
  return rest.toString("latin1", 0, 6).toUpperCase() === "INSERT" && isSpace(rest[6] ?? 0);
}

/** The server would answer with "send the rows". */
function isCopyFromStdin(bytes: Buffer): boolean {
  if (bytes.toString("latin1", 0, 4).toUpperCase() !== "COPY") return false;
  const words = meaningful(tokens(bytes.toString("latin1")));
  const isWord = (token: Token | undefined, word: string) =>
    token?.kind === "word" && token.text.toUpperCase() === word;
  return words.some((token, at) => isWord(token, "FROM") && isWord(words[at + 1], "STDIN"));
}

/** A psql command's name, which is all that is ever said of it. */
export function commandName(line: Buffer): string {
  return /^\\[a-zA-Z_]{1,20}|^\\[!?;.]/.exec(line.toString("latin1", 0, 24))?.[0] ?? "of an unknown name";
}

function carriageReturns(offset: number): ScriptFault {
  return new ScriptFault(
    "crlf",
    "the script's line ends are CR LF: git's autocrlf, a Windows editor or a transfer in text mode rewrote them, in the data too,",
    offset,
    "fetch the file again as binary, or make the backup with pg_dump -Fc",
  );
}

function behindCopy(offset: number): ScriptFault {
  return new ScriptFault(
    "copy_statement",
    "something stands behind a COPY statement on its line",
    offset,
    "make the backup with pg_dump itself",
  );
}
