/**
 * Tags of functions, as pg_dump makes them: `name(type, type)`. Mirrors format_function_signature of pg_dump.c over the
 * text that pg_get_function_arguments wrote: `[mode] [name] type [DEFAULT expression]`.
 */

import { isWord, type Token } from "../sql/tokens.ts";
import type { StatementWords } from "./statement-words.ts";

export interface Signature {
  /** For the tag: types of the parameters that are passed in, without names. */
  readonly types: string;
  /** For DROP and ALTER: parameters without their defaults. */
  readonly parameters: string;
}

const MODES = ["IN", "OUT", "INOUT", "VARIADIC"];

/** Reads the parameter list that comes next; an absent one is empty. */
export function readSignature(words: StatementWords): Signature {
  const open = words.at;
  const inside = words.group();
  if (inside === null) return { types: "", parameters: "" };
  if (inside.length === 1 && inside[0]!.text === "*") return { types: "*", parameters: "*" };
  const types: string[] = [];
  const parameters: string[] = [];
  let from = open + 1;
  for (const item of items(inside)) {
    const length = defaultAt(item);
    const type = typeStart(item.slice(0, length));
    parameters.push(words.between(from, from + length));
    if (!isWord(item[0], "OUT")) types.push(words.between(from + type, from + length));
    from += item.length + 1;
  }
  return { types: types.join(", "), parameters: parameters.join(", ") };
}

function items(list: readonly Token[]): Token[][] {
  const found: Token[][] = [];
  let item: Token[] = [];
  let depth = 0;
  for (const token of list) {
    if (token.text === "(" || token.text === "[") depth++;
    else if (token.text === ")" || token.text === "]") depth--;
    if (token.text === "," && depth === 0) {
      found.push(item);
      item = [];
    } else item.push(token);
  }
  if (item.length > 0) found.push(item);
  return found;
}

function defaultAt(item: readonly Token[]): number {
  const at = item.findIndex((token) => isWord(token, "DEFAULT") || token.text === "=");
  return at < 0 ? item.length : at;
}

/** Index at which the type begins, behind mode and name. */
function typeStart(item: readonly Token[]): number {
  const mode = MODES.some((word) => isWord(item[0], word)) ? 1 : 0;
  return typeEnd(item, mode) >= item.length ? mode : mode + 1;
}

/** Names of types that are several words. */
const LONG_NAMES = [
  ["DOUBLE", "PRECISION"],
  ["CHARACTER", "VARYING"],
  ["BIT", "VARYING"],
];
const TIMES = ["TIMESTAMP", "TIME"];

/** Behind the type that would begin at `at`. */
function typeEnd(item: readonly Token[], from: number): number {
  let at = from;
  const is = (index: number, word: string) => isWord(item[index], word);
  if (is(at, "SETOF")) at++;
  const long = LONG_NAMES.find((words) => words.every((word, index) => is(at + index, word)));
  if (long !== undefined) at += long.length;
  else if (TIMES.some((word) => is(at, word)) && (is(at + 1, "WITH") || is(at + 1, "WITHOUT"))) at += 4;
  else {
    at++;
    while (item[at]?.text === ".") at += 2;
  }
  while (at < item.length && /^[[\](),]$/.test(item[at]!.text)) at = closing(item, at) + 1;
  return at;
}

/** The bracket or parenthesis that closes the one at `open`; the token itself when it opens nothing. */
function closing(item: readonly Token[], open: number): number {
  const opener = item[open]!.text;
  if (opener !== "(" && opener !== "[") return open;
  const closer = opener === "(" ? ")" : "]";
  const at = item.findIndex((token, index) => index > open && token.text === closer);
  return at < 0 ? open : at;
}
