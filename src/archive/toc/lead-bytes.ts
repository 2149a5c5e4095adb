/**
 * Client encodings in which a character's later bytes may look like ASCII, a backslash above all. Mirrors pg_*_mblen of
 * wchar.c for the client-only encodings; in every other encoding PostgreSQL knows, an ASCII byte is that character.
 */

/** SHIFT JIS keeps 0xa0 to 0xdf for letters of one byte. */
const SHIFT_JIS = leads((byte) => (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc));
/** A character of four bytes (GB18030) is two such pairs, whose second bytes are digits. */
const PAIRS = leads((byte) => byte >= 0x80);

const BY_NAME: ReadonlyMap<string, Uint8Array> = new Map([
  ["SJIS", SHIFT_JIS],
  ["SHIFT_JIS_2004", SHIFT_JIS],
  ["BIG5", PAIRS],
  ["GBK", PAIRS],
  ["UHC", PAIRS],
  ["JOHAB", PAIRS],
  ["GB18030", PAIRS],
]);

function leads(test: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (test(byte) ? 1 : 0));
}

/**
 * By byte: 1 where the byte behind it belongs to the same character whatever it looks like. `null` where bytes will do.
 * Quotes, `;`, `$`, tab and newline are never such a later byte.
 */
export function leadBytes(encoding: string): Uint8Array | null {
  return BY_NAME.get(encoding.toUpperCase()) ?? null;
}
