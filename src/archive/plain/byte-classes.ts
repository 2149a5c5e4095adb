/**
 * What single bytes mean to a lexer that stands outside of literals and comments. Mirrors the start conditions of
 * psqlscan.l of PostgreSQL 18: everything but these bytes is passed over.
 */

export const PLAIN = 0;
export const WORD = 1;
export const QUOTE = 2;
export const NAME_QUOTE = 3;
export const DOLLAR = 4;
export const DASH = 5;
export const SLASH = 6;
export const SEMICOLON = 7;
export const OPEN = 8;
export const CLOSE = 9;
export const BACKSLASH = 10;
/** The byte behind it belongs to the same character whatever it looks like. */
export const LEAD = 11;

const MARKS: ReadonlyArray<readonly [string, number]> = [
  ["'", QUOTE],
  ['"', NAME_QUOTE],
  ["$", DOLLAR],
  ["-", DASH],
  ["/", SLASH],
  [";", SEMICOLON],
  ["(", OPEN],
  [")", CLOSE],
  ["\\", BACKSLASH],
];

/** Classes by byte. With `words` letters count too: where keywords matter. `leads`: see toc/lead-bytes.ts. */
export function byteClasses(words: boolean, leads: Uint8Array | null): Uint8Array {
  const classes = new Uint8Array(256);
  if (words) for (let byte = 0; byte < 256; byte++) if (startsWord(byte)) classes[byte] = WORD;
  for (const [mark, code] of MARKS) classes[mark.charCodeAt(0)] = code;
  leads?.forEach((lead, byte) => {
    if (lead === 1) classes[byte] = LEAD;
  });
  return classes;
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13);
}

function startsWord(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || byte >= 0x80;
}

/** Letters, digits, `_` and all that is not ASCII. */
export function isTagByte(byte: number): boolean {
  return startsWord(byte) || (byte >= 0x30 && byte <= 0x39);
}

/** The same and `$`: what may stand in a name without quotes. */
export function isWordByte(byte: number): boolean {
  return isTagByte(byte) || byte === 0x24;
}

/** Most literals are short: only behind that is a call into native code worth its price. */
const SHORT = 48;

/** As `window.indexOf`. */
export function indexOfByte(window: Buffer, byte: number, from: number): number {
  const near = Math.min(window.length, from + SHORT);
  for (let at = from; at < near; at++) if (window[at] === byte) return at;
  return near === window.length ? -1 : window.indexOf(byte, near);
}

/** Where the line ends that `from` is in. A lone carriage return ends it, too, for the server as for psql. */
export function lineEnd(window: Buffer, from: number): number {
  let end = from;
  while (end < window.length && window[end] !== 0x0a && window[end] !== 0x0d) end++;
  return end;
}

/** The quote at `at` is that of an `E''`, in a statement that begins at `first`. */
export function isEscapePrefix(window: Buffer, first: number, at: number): boolean {
  if (at <= first || (window[at - 1]! | 0x20) !== 0x65) return false;
  return at - 1 === first || !isWordByte(window[at - 2]!);
}

/** Behind the word that begins at `from`. `leads`: see toc/lead-bytes.ts. */
export function wordEnd(window: Buffer, from: number, leads: Uint8Array | null): number {
  let end = from + 1;
  while (end < window.length && isWordByte(window[end]!)) end += leads?.[window[end]!] === 1 ? 2 : 1;
  return end;
}
