/**
 * Finds where a statement ends, in bytes that come in pieces. Mirrors psqlscan.l of PostgreSQL 18: quotes, E'' and
 * standard_conforming_strings, dollar quotes, nested comments, parentheses, BEGIN ATOMIC bodies.
 *
 * Invariants: knows only bytes; where it cannot decide without the bytes behind, it stops in front of them; two bytes
 * behind its position must stay at hand.
 */

import {
  BACKSLASH,
  byteClasses,
  CLOSE,
  DASH,
  DOLLAR,
  indexOfByte,
  isEscapePrefix,
  isSpace,
  isTagByte,
  isWordByte,
  LEAD,
  lineEnd,
  NAME_QUOTE,
  OPEN,
  QUOTE,
  SEMICOLON,
  SLASH,
  WORD,
  wordEnd,
} from "./byte-classes.ts";
import { RoutineBody } from "./routine-body.ts";

type State = "code" | "string" | "escapes" | "behind escapes" | "name" | "dollar" | "line" | "block";

/** The end of the statement, a psql command inside it, or neither as yet. */
export type ScanResult = "end" | "backslash" | "more";
/** Longer than any dollar quote's tag that pg_dump makes. */
const LONGEST_TAG = 1024;

export class StatementScan {
  /** Index in the window of the next byte to look at. */
  at = 0;
  readonly #leads: Uint8Array | null;
  readonly #backslashes: boolean;
  readonly #withWords: Uint8Array;
  readonly #withoutWords: Uint8Array;
  #classes: Uint8Array;
  #state: State = "code";
  #first = 0;
  #parentheses = 0;
  #nesting = 0;
  #tag = Buffer.alloc(0);
  readonly #body = new RoutineBody();

  /** `leads`: see toc/lead-bytes.ts. `backslashes`: they escape in `'…'` too (standard_conforming_strings is off). */
  constructor(leads: Uint8Array | null, backslashes: boolean) {
    this.#leads = leads;
    this.#backslashes = backslashes;
    this.#withWords = byteClasses(true, leads);
    this.#withoutWords = byteClasses(false, leads);
    this.#classes = this.#withWords;
  }

  /** A statement begins at index `at`. Without `words` a body of BEGIN ATOMIC is not looked for: faster. */
  begin(at: number, words: boolean): void {
    this.at = at;
    this.#first = at;
    this.#classes = words ? this.#withWords : this.#withoutWords;
    this.#state = "code";
    this.#parentheses = 0;
    this.#body.begin();
  }

  /** A comment, outside of any statement, begins at index `at`. */
  beginComment(at: number): void {
    this.begin(at + 2, false);
    this.#state = "block";
    this.#nesting = 1;
  }

  /** `count` bytes were taken from the front of the window. */
  shift(count: number): void {
    this.at -= count;
    this.#first -= count;
    this.#body.shift(count);
  }

  /** At "end" `at` is behind the comment that {@link beginComment} began. */
  comment(window: Buffer, final: boolean): ScanResult {
    return this.#block(window, final) ? "end" : "more";
  }

  /** Goes on in `window`; `final`: nothing comes behind it. At "end" `at` is behind the semicolon. */
  run(window: Buffer, final: boolean): ScanResult {
    for (;;) {
      switch (this.#state) {
        case "code": {
          const result = this.#code(window, final);
          if (result !== null) return result;
          break;
        }
        case "string":
          if (!this.#quoted(window, 0x27, final)) return "more";
          break;
        case "escapes":
          if (!this.#escaped(window, final)) return "more";
          break;
        case "behind escapes":
          if (!this.#continued(window, final)) return "more";
          break;
        case "name":
          if (!this.#quoted(window, 0x22, final)) return "more";
          break;
        case "dollar":
          if (!this.#dollarQuoted(window)) return "more";
          break;
        case "line": {
          this.at = lineEnd(window, this.at);
          if (this.at >= window.length) return "more";
          this.#state = "code";
          break;
        }
        case "block":
          if (!this.#block(window, final)) return "more";
          break;
      }
    }
  }

  /** `null`: the state changed. */
  #code(window: Buffer, final: boolean): ScanResult | null {
    const classes = this.#classes;
    const length = window.length;
    let at = this.at;
    for (;;) {
      while (at < length && classes[window[at]!] === 0) at++;
      this.at = at;
      if (at >= length) return "more";
      switch (classes[window[at]!]) {
        case SEMICOLON:
          at++;
          if (this.#parentheses > 0 || this.#body.isOpen) break;
          this.at = at;
          return "end";
        case OPEN:
          this.#parentheses++;
          at++;
          break;
        case CLOSE:
          if (this.#parentheses > 0) this.#parentheses--;
          at++;
          break;
        case QUOTE:
          this.#state = this.#backslashes || isEscapePrefix(window, this.#first, at) ? "escapes" : "string";
          this.at = at + 1;
          return null;
        case NAME_QUOTE:
          this.#state = "name";
          this.at = at + 1;
          return null;
        case BACKSLASH:
          return "backslash";
        case LEAD:
          if (at + 1 >= length && !final) return "more";
          at += 2;
          break;
        case WORD: {
          const end = wordEnd(window, at, this.#leads);
          if (end >= length && !final) return "more";
          this.#body.word(window, at, end, this.#parentheses > 0);
          at = end;
          break;
        }
        default: {
          if (at + 1 >= length && !final) return "more";
          const opened = this.#opens(window, at, final);
          if (opened === "more") return "more";
          if (opened) return null;
          at++;
        }
      }
    }
  }

  /** A comment or a dollar quote that begins here; false for the bare character. */
  #opens(window: Buffer, at: number, final: boolean): boolean | "more" {
    switch (this.#classes[window[at]!]) {
      case DASH:
        if (window[at + 1] !== 0x2d) return false;
        this.#state = "line";
        this.at = at + 2;
        return true;
      case SLASH:
        if (window[at + 1] !== 0x2a) return false;
        this.#state = "block";
        this.#nesting = 1;
        this.at = at + 2;
        return true;
      case DOLLAR:
        return this.#opensDollar(window, at, final);
      default:
        return false;
    }
  }

  #opensDollar(window: Buffer, at: number, final: boolean): boolean | "more" {
    if (at > this.#first && isWordByte(window[at - 1]!)) return false;
    let end = at + 1;
    if (end < window.length && window[end]! >= 0x30 && window[end]! <= 0x39) return false;
    while (end < window.length && isTagByte(window[end]!)) end++;
    if (end >= window.length && !final && end - at < LONGEST_TAG) return "more";
    if (window[end] !== 0x24) return false;
    this.#tag = Buffer.from(window.subarray(at, end + 1));
    this.#state = "dollar";
    this.at = end + 1;
    return true;
  }

  /** Up to behind the closing quote; a doubled one is content. */
  #quoted(window: Buffer, quote: number, final: boolean): boolean {
    for (let from = this.at; ; from = this.at + 2) {
      const end = indexOfByte(window, quote, from);
      this.at = end < 0 ? Math.max(from, window.length) : end;
      if (end < 0 || (end + 1 >= window.length && !final)) return false;
      if (window[end + 1] !== quote) break;
    }
    this.at++;
    this.#state = "code";
    return true;
  }

  #escaped(window: Buffer, final: boolean): boolean {
    const leads = this.#leads;
    const length = window.length;
    let at = this.at;
    while (at < length) {
      const byte = window[at]!;
      if (byte !== 0x27 && byte !== 0x5c && (leads === null || leads[byte] === 0)) {
        at++;
        continue;
      }
      if (at + 1 >= length && !final) break;
      if (byte === 0x27 && window[at + 1] !== 0x27) {
        this.at = at + 1;
        this.#state = "behind escapes";
        return true;
      }
      at += byte === 0x5c && leads !== null && leads[window[at + 1] ?? 0] === 1 ? 1 : 2;
    }
    this.at = at;
    return false;
  }

  /** A literal goes on behind spaces and comments with another quote, and backslashes still escape in it (quotecontinue). */
  #continued(window: Buffer, final: boolean): boolean {
    const { length } = window;
    for (;;) {
      while (this.at < length && isSpace(window[this.at]!)) this.at++;
      if (this.at + 1 >= length && !final) return false;
      const isComment = window[this.at] === 0x2d && window[this.at + 1] === 0x2d;
      if (!isComment) break;
      const end = lineEnd(window, this.at);
      if (end >= length && !final) return false;
      this.at = end;
    }
    const isQuote = window[this.at] === 0x27;
    if (isQuote) this.at++;
    this.#state = isQuote ? "escapes" : "code";
    return true;
  }

  #dollarQuoted(window: Buffer): boolean {
    const end = window.indexOf(this.#tag, this.at);
    if (end < 0) {
      this.at = Math.max(this.at, window.length - this.#tag.length + 1);
      return false;
    }
    this.at = end + this.#tag.length;
    this.#state = "code";
    return true;
  }

  #block(window: Buffer, final: boolean): boolean {
    for (; this.at < window.length; this.at++) {
      const byte = window[this.at];
      if (byte !== 0x2f && byte !== 0x2a) continue;
      if (this.at + 1 >= window.length && !final) return false;
      const next = window[this.at + 1];
      if (byte === 0x2f && next === 0x2a) this.#nesting++;
      else if (byte === 0x2a && next === 0x2f) this.#nesting--;
      else continue;
      this.at++;
      if (this.#nesting > 0) continue;
      this.at++;
      this.#state = "code";
      return true;
    }
    return false;
  }
}
