/**
 * What single bytes mean in the literals of INSERT statements, as tables. Mirrors the cases of dumpTableData_insert
 * (pg_dump.c) for reading and of CopyAttributeOutText (copyto.c) for writing.
 */

export const TAB = 9;
export const NEWLINE = 10;

/** What a byte inside a string is: 0 stands for itself; from LETTER on, the letter COPY writes behind a backslash. */
export const ENDING = 1;
export const LEAD = 2;
export const BACKSLASH = 3;
export const NUL = 4;
export const LETTER = 64;

const COPY_LETTERS = [
  [8, "b"],
  [9, "t"],
  [10, "n"],
  [11, "v"],
  [12, "f"],
  [13, "r"],
] as const;

/** Kinds by byte. `leads`: see {@link import("../toc/lead-bytes.ts").leadBytes}. */
export function kindsOf(leads: Uint8Array | null): Uint8Array {
  const kinds = new Uint8Array(256);
  for (const [byte, letter] of COPY_LETTERS) kinds[byte] = letter.charCodeAt(0);
  kinds[0] = NUL;
  kinds[0x27] = ENDING;
  kinds[0x5c] = BACKSLASH;
  leads?.forEach((lead, byte) => {
    if (lead === 1) kinds[byte] = LEAD;
  });
  return kinds;
}

/** What a byte behind a backslash is: {@link LETTER}: written the same way in COPY text; 0: itself; {@link NUL}: a number. */
export function escapedKind(byte: number): number {
  // Numbers of bytes and of characters, which pg_dump does not write.
  if ((byte >= 0x30 && byte <= 0x39) || byte === 0x78 || byte === 0x75 || byte === 0x55 || byte >= 0x80) return NUL;
  return byte === 0x5c || COPY_LETTERS.some(([, letter]) => letter.charCodeAt(0) === byte) ? LETTER : 0;
}

/** Words by their letters, five bits each, so that case does not matter. */
function packed(word: string): number {
  return [...word].reduce((sum, letter) => sum * 32 + (letter.charCodeAt(0) & 31), 0);
}

/** Those pg_dump writes, and two prefixes of strings. */
export const WORDS = {
  null: packed("NULL"),
  default: packed("DEFAULT"),
  true: packed("TRUE"),
  false: packed("FALSE"),
  b: packed("B"),
  e: packed("E"),
} as const;

/** No state of {@link nextNumberState}. */
export const NO_NUMBER = 15;

/** By state: what a digit, a point, an e and a sign lead to. */
const NUMBER_STATES: readonly (readonly number[])[] = [
  [2, 3, 15, 1], // nothing yet
  [2, 3, 15, 15], // a sign
  [2, 4, 5, 15], // digits
  [4, 15, 15, 15], // a point alone
  [4, 15, 5, 15], // digits and a point
  [7, 15, 15, 6], // an e
  [7, 15, 15, 15], // its sign
  [7, 15, 15, 15], // its digits
];

/** -1 where `byte` ends the number. */
export function nextNumberState(state: number, byte: number): number {
  const kind = numberKind(byte);
  return kind < 0 ? -1 : NUMBER_STATES[state]![kind]!;
}

/** A number may end in this state. */
export function isWholeNumber(state: number): boolean {
  return state === 2 || state === 4 || state === 7;
}

/** Digit, point, e, sign: 0 to 3. */
function numberKind(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return 0;
  if (byte === 0x2e) return 1;
  if (byte === 0x65 || byte === 0x45) return 2;
  return byte === 0x2d || byte === 0x2b ? 3 : -1;
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13);
}

export function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}
