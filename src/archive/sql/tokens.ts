/**
 * Cuts one of pg_dump's statements into tokens, so that names are found where they are names and not inside literals.
 *
 * Enough of the lexer (scan.l) for GRANT, REVOKE, ALTER DATABASE, COMMENT and CREATE DATABASE. Invariant: the tokens'
 * texts, joined, are the statement.
 */

export type TokenKind = "word" | "quoted" | "string" | "other";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const TOKEN =
  /(?<space>\s+|--[^\n]*)|(?<string>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')|(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)|(?<quoted>"(?:[^"]|"")*")|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d+)|(?<other>.)/gs;

/**
 * All tokens in order, spaces and comments included as `other`. A literal that never ends becomes `other` pieces.
 * pg_dump never escapes a quote by a backslash, so the setting `standard_conforming_strings` makes no difference.
 */
export function tokens(sql: string): Token[] {
  const found: Token[] = [];
  const pattern = new RegExp(TOKEN);
  for (let match = pattern.exec(sql); match !== null; match = pattern.exec(sql)) {
    const groups = match.groups ?? {};
    let text = match[0];
    if (groups.dollar !== undefined) {
      const end = sql.indexOf(text, pattern.lastIndex);
      if (end >= 0) {
        text = sql.slice(match.index, end + text.length);
        pattern.lastIndex = match.index + text.length;
      }
    }
    found.push({ kind: kindOf(groups), text });
  }
  return found;
}

/** Without spaces and comments. */
export function meaningful(list: readonly Token[]): Token[] {
  return list.filter((token) => token.kind !== "other" || !/^(?:\s|--)/.test(token.text));
}

/** The name an identifier token stands for: unquoted ones fold to lower case. `null` for other tokens. */
export function nameOf(token: Token | undefined): string | null {
  if (token?.kind === "quoted") return token.text.slice(1, -1).replaceAll('""', '"');
  return token?.kind === "word" ? token.text.toLowerCase() : null;
}

/** True for the unquoted word, in any case. */
export function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === "word" && token.text.toUpperCase() === word;
}

/** The value of a string literal in standard spelling. `null` for other tokens. */
export function stringOf(token: Token | undefined): string | null {
  if (token?.kind !== "string" || !token.text.startsWith("'")) return null;
  return token.text.slice(1, -1).replaceAll("''", "'");
}

function kindOf(groups: Readonly<Record<string, string | undefined>>): TokenKind {
  if (groups.string !== undefined || groups.dollar !== undefined) return "string";
  if (groups.quoted !== undefined) return "quoted";
  return groups.word === undefined ? "other" : "word";
}
