/**
 * Cuts SQL that pg_dump wrote into tokens, so that names are found where they are names and not inside literals.
 * Mirrors the lexer's rules (scan.l of PostgreSQL 18) for text that is already decoded.
 *
 * Invariants: the tokens' texts, joined, are the SQL; every token is at least one character; time is linear, whatever the
 * text. What never ends (a literal, a comment) is one token of kind `other` that reaches to the end.
 */

import { identifierOf, literalValue } from "./token-values.ts";

/** `space` covers comments, `other` punctuation, parameters and what never ends. */
export type TokenKind = "word" | "quoted" | "string" | "number" | "operator" | "space" | "other";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it begins, in UTF-16 code units of the SQL. */
  readonly start: number;
}

export interface TokenOptions {
  /** False: a backslash escapes in `'…'` too, as in a dump whose STDSTRINGS entry says off. True unless told. */
  readonly standardConformingStrings?: boolean;
}

/** A name of one or two parts, as stored: unquoted, folded. */
export interface QualifiedName {
  /** `null` where the name stands alone. */
  readonly schema: string | null;
  readonly name: string;
  /** Index of the token behind it. */
  readonly next: number;
}

const SPACE = 1;
const LETTER = 2;
const DIGIT = 4;
const OPERATOR = 8;
const CLASSES = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(128);
  const mark = (letters: string, bit: number) => {
    for (const letter of letters) table[letter.charCodeAt(0)]! |= bit;
  };
  mark(" \t\n\r\v\f", SPACE);
  mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", LETTER);
  mark("0123456789", DIGIT);
  mark("+-*/<>=~!@#%^&|`?", OPERATOR);
  return table;
}

function isClass(sql: string, at: number, bits: number): boolean {
  const code = sql.charCodeAt(at);
  return code < 128 ? (CLASSES[code]! & bits) !== 0 : (bits & LETTER) !== 0 && code >= 128;
}

/** All tokens in order, spaces and comments included. */
export function tokens(sql: string, options: TokenOptions = {}): Token[] {
  const backslashes = options.standardConformingStrings === false;
  const found: Token[] = [];
  for (let at = 0; at < sql.length; ) {
    const { kind, end } = tokenAt(sql, at, backslashes);
    found.push({ kind, text: sql.slice(at, end), start: at });
    at = end;
  }
  return found;
}

interface Extent {
  readonly kind: TokenKind;
  readonly end: number;
}

function tokenAt(sql: string, at: number, backslashes: boolean): Extent {
  if (isClass(sql, at, SPACE)) return { kind: "space", end: runEnd(sql, at, SPACE) };
  if (isClass(sql, at, LETTER)) return wordOrPrefixed(sql, at);
  if (isClass(sql, at, DIGIT)) return { kind: "number", end: numberEnd(sql, at) };
  switch (sql[at]) {
    case "'":
      return toEnd("string", backslashes ? escapedEnd(sql, at + 1) : quotedEnd(sql, at + 1, "'"), sql);
    case '"':
      return toEnd("quoted", quotedEnd(sql, at + 1, '"'), sql);
    case "$":
      return dollar(sql, at);
    case ".":
      return isClass(sql, at + 1, DIGIT) ? { kind: "number", end: numberEnd(sql, at) } : doubled(sql, at, "..");
    case ":":
      return sql.startsWith(":=", at) ? doubled(sql, at, ":=") : doubled(sql, at, "::");
    default:
      break;
  }
  if (sql.startsWith("--", at)) {
    return { kind: "space", end: lineEnd(sql, at) };
  }
  if (sql.startsWith("/*", at)) return toEnd("space", commentEnd(sql, at), sql);
  return isClass(sql, at, OPERATOR) ? { kind: "operator", end: operatorEnd(sql, at) } : { kind: "other", end: at + 1 };
}

function toEnd(kind: TokenKind, end: number, sql: string): Extent {
  return end < 0 ? { kind: "other", end: sql.length } : { kind, end };
}

function doubled(sql: string, at: number, pair: string): Extent {
  return sql.startsWith(pair, at) ? { kind: "operator", end: at + 2 } : { kind: "other", end: at + 1 };
}

function runEnd(sql: string, at: number, bits: number): number {
  let end = at + 1;
  while (end < sql.length && isClass(sql, end, bits)) end++;
  return end;
}

/** A word, or a literal that a letter introduces: `E''`, `B''`, `X''`, `U&''`, `U&""`. */
function wordOrPrefixed(sql: string, at: number): Extent {
  if (sql[at + 1] === "'" && "eE".includes(sql[at]!)) return toEnd("string", continuedEnd(sql, at + 2), sql);
  if (sql[at + 1] === "'" && "bBxX".includes(sql[at]!)) {
    const end = sql.indexOf("'", at + 2); // in bits a quote is never doubled
    return toEnd("string", end < 0 ? end : end + 1, sql);
  }
  if (sql[at + 1] === "&" && (sql[at] === "u" || sql[at] === "U")) {
    const quote = sql[at + 2];
    if (quote === "'") return toEnd("string", quotedEnd(sql, at + 3, quote), sql);
    if (quote === '"') return toEnd("quoted", quotedEnd(sql, at + 3, quote), sql);
  }
  let end = at + 1;
  while (end < sql.length && (isClass(sql, end, LETTER | DIGIT) || sql[end] === "$")) end++;
  return { kind: "word", end };
}

/** Behind the closing quote, a doubled one being content; -1 when there is none. */
function quotedEnd(sql: string, from: number, quote: string): number {
  for (let at = sql.indexOf(quote, from); at >= 0; at = sql.indexOf(quote, at + 2)) {
    if (sql[at + 1] !== quote) return at + 1;
  }
  return -1;
}

/** The same where a backslash takes the next character with it. */
function escapedEnd(sql: string, from: number): number {
  for (let at = from; at < sql.length; at++) {
    if (sql[at] === "\\") at++;
    else if (sql[at] === "'") {
      if (sql[at + 1] !== "'") return at + 1;
      at++;
    }
  }
  return -1;
}

/** The same with all that continues the literal: behind a line end another quote, in which backslashes still escape. */
function continuedEnd(sql: string, from: number): number {
  let end = escapedEnd(sql, from);
  while (end >= 0) {
    const next = quoteBehind(sql, end);
    if (next < 0) break;
    end = escapedEnd(sql, next + 1);
  }
  return end;
}

/** The quote that comes behind spaces, comments and at least one line end; -1 when another thing does. */
function quoteBehind(sql: string, from: number): number {
  let at = from;
  for (;;) {
    if (isClass(sql, at, SPACE)) at++;
    else if (sql.startsWith("--", at)) at = lineEnd(sql, at);
    else break;
  }
  return sql[at] === "'" && /[\n\r]/.test(sql.slice(from, at)) ? at : -1;
}

/** A lone carriage return ends a comment, too. */
function lineEnd(sql: string, from: number): number {
  let end = from;
  while (end < sql.length && sql[end] !== "\n" && sql[end] !== "\r") end++;
  return end;
}

function dollar(sql: string, at: number): Extent {
  let open = at + 1;
  if (isClass(sql, open, LETTER)) open = runEnd(sql, open, LETTER | DIGIT);
  if (sql[open] !== "$") {
    return { kind: "other", end: isClass(sql, at + 1, DIGIT) ? runEnd(sql, at + 1, DIGIT) : at + 1 };
  }
  const tag = sql.slice(at, open + 1);
  const close = sql.indexOf(tag, open + 1);
  return toEnd("string", close < 0 ? -1 : close + tag.length, sql);
}

function numberEnd(sql: string, at: number): number {
  if (sql[at] === "0" && "xXoObB".includes(sql[at + 1] ?? " ")) return runEnd(sql, at, LETTER | DIGIT);
  let end = at;
  const digits = () => {
    while (isClass(sql, end, DIGIT) || (sql[end] === "_" && isClass(sql, end + 1, DIGIT))) end++;
  };
  digits();
  if (sql[end] === "." && sql[end + 1] !== ".") {
    end++;
    digits();
  }
  if (sql[end] === "e" || sql[end] === "E") {
    const sign = sql[end + 1] === "+" || sql[end + 1] === "-" ? 2 : 1;
    if (isClass(sql, end + sign, DIGIT)) {
      end += sign;
      digits();
    }
  }
  return end;
}

function commentEnd(sql: string, at: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = at;
  let depth = 0;
  for (let match = edge.exec(sql); match !== null; match = edge.exec(sql)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return -1;
}

/** An operator ends before a comment; and one of `+ - * / < > =` alone never ends in a sign, so that `=-1` is two. */
function operatorEnd(sql: string, at: number): number {
  let end = runEnd(sql, at, OPERATOR);
  for (let next = at + 1; next < end; next++) {
    if (sql.startsWith("--", next) || sql.startsWith("/*", next)) end = next;
  }
  if (!/[~!@#%^&|`?]/.test(sql.slice(at, end))) {
    while (end > at + 1 && (sql[end - 1] === "+" || sql[end - 1] === "-")) end--;
  }
  return end;
}

/** Without spaces and comments. */
export function meaningful(list: readonly Token[]): Token[] {
  return list.filter((token) => token.kind !== "space");
}

/** The name an identifier token stands for: unquoted ones fold to lower case. `null` for other tokens. */
export function nameOf(token: Token | undefined): string | null {
  return token?.kind === "quoted" || token?.kind === "word" ? identifierOf(token.text) : null;
}

/** True for the unquoted word, in any case. */
export function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === "word" && token.text.toUpperCase() === word;
}

/** The value of a string literal; `null` for other tokens and for bits (`B''`, `X''`). */
export function stringOf(token: Token | undefined, options: TokenOptions = {}): string | null {
  return token?.kind === "string" ? literalValue(token.text, options.standardConformingStrings === false) : null;
}

/**
 * The name that begins at `list[at]`; `list` without spaces ({@link meaningful}). Of three parts (a database in front) the
 * last two count. `null` when no name stands there.
 */
export function qualifiedName(list: readonly Token[], at: number): QualifiedName | null {
  let name = nameOf(list[at]);
  if (name === null) return null;
  let schema: string | null = null;
  let next = at + 1;
  while (list[next]?.text === ".") {
    const part = nameOf(list[next + 1]);
    if (part === null) return null;
    schema = name;
    name = part;
    next += 2;
  }
  return { schema, name, next };
}
