/**
 * One SQL statement as its tokens, read from left to right. Nothing here knows what a statement does.
 *
 * Invariant: keywords are compared as words, never as text: a name in quotes is no keyword.
 */

import {
  isWord,
  meaningful,
  nameOf,
  type QualifiedName,
  qualifiedName,
  stringOf,
  type Token,
  tokens,
} from "../sql/tokens.ts";

export class StatementWords {
  /** As written, its semicolon included. */
  readonly text: string;
  /** Without spaces and comments. */
  readonly list: readonly Token[];
  /** Index of the next token. */
  at = 0;
  readonly #standardStrings: boolean;

  constructor(text: string, standardConformingStrings: boolean) {
    this.text = text;
    this.#standardStrings = standardConformingStrings;
    this.list = meaningful(tokens(text, { standardConformingStrings }));
  }

  /** The next tokens are these keywords. */
  is(...words: readonly string[]): boolean {
    return words.every((word, index) => isWord(this.list[this.at + index], word));
  }

  /** Steps over these keywords when they come next, all of them or none. */
  take(...words: readonly string[]): boolean {
    if (!this.is(...words)) return false;
    this.at += words.length;
    return true;
  }

  /** Steps over any of these keywords as long as they come. */
  skip(...words: readonly string[]): this {
    while (words.some((word) => this.is(word))) this.at++;
    return this;
  }

  takeText(text: string): boolean {
    if (this.list[this.at]?.text !== text) return false;
    this.at++;
    return true;
  }

  /** A name of one or two parts; `null`, and nothing stepped over, where none stands. */
  name(): QualifiedName | null {
    const found = qualifiedName(this.list, this.at);
    if (found !== null) this.at = found.next;
    return found;
  }

  /** A single name. */
  identifier(): string | null {
    const name = nameOf(this.list[this.at]);
    if (name !== null) this.at++;
    return name;
  }

  /** The value of a string literal. */
  string(): string | null {
    const value = stringOf(this.list[this.at], { standardConformingStrings: this.#standardStrings });
    if (value !== null) this.at++;
    return value;
  }

  /** A number, its sign included. */
  number(): string | null {
    const sign = this.list[this.at]?.text === "-" ? 1 : 0;
    const token = this.list[this.at + sign];
    if (token?.kind !== "number") return null;
    this.at += sign + 1;
    return sign === 1 ? `-${token.text}` : token.text;
  }

  /** Steps behind the next occurrence of the keyword outside of parentheses; false, and nothing stepped over, without one. */
  seek(word: string): boolean {
    let depth = 0;
    for (let at = this.at; at < this.list.length; at++) {
      const token = this.list[at]!;
      if (token.text === "(") depth++;
      else if (token.text === ")") depth--;
      else if (depth === 0 && isWord(token, word)) {
        this.at = at + 1;
        return true;
      }
    }
    return false;
  }

  /** The keyword stands somewhere outside of parentheses, from here on. */
  has(word: string): boolean {
    const before = this.at;
    const found = this.seek(word);
    this.at = before;
    return found;
  }

  /** Steps over a parenthesised list; its tokens without the parentheses. `null` where none stands. */
  group(): readonly Token[] | null {
    if (this.list[this.at]?.text !== "(") return null;
    let depth = 0;
    for (let at = this.at; at < this.list.length; at++) {
      const text = this.list[at]!.text;
      if (text === "(") depth++;
      else if (text === ")") depth--;
      if (depth > 0) continue;
      const inside = this.list.slice(this.at + 1, at);
      this.at = at + 1;
      return inside;
    }
    return null;
  }

  /** The text from token `from` up to, and without, token `to`. */
  between(from: number, to: number): string {
    const last = this.list[to - 1];
    return last === undefined || to <= from
      ? ""
      : this.text.slice(this.list[from]!.start, last.start + last.text.length);
  }

  /** Nothing but the semicolon is left. */
  get ended(): boolean {
    return this.at >= this.list.length || this.list[this.at]?.text === ";";
  }

  /** The keywords at the front, at most `count`, for messages: never names or values. */
  firstWords(count: number): string {
    const words: string[] = [];
    for (const token of this.list.slice(0, count)) {
      if (token.kind !== "word" || !/^[A-Za-z_]{1,20}$/.test(token.text)) break;
      words.push(token.text.toUpperCase());
    }
    return words.join(" ");
  }
}
