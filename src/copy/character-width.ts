/**
 * Client encodings in which a character's second byte may be 0x5C. Mirrors pg_*_mblen of wchar.c for the client-only
 * encodings; in every other encoding PostgreSQL knows, a backslash byte is a backslash.
 */
import type { CharacterLength } from "./fields.ts";

const twoByte: CharacterLength = (bytes, at) => ((bytes[at] ?? 0) >= 0x80 && at + 1 < bytes.length ? 2 : 1);

const shiftJis: CharacterLength = (bytes, at) => {
  const byte = bytes[at] ?? 0;
  const lead = (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc);
  return lead && at + 1 < bytes.length ? 2 : 1;
};

const gb18030: CharacterLength = (bytes, at) => {
  if ((bytes[at] ?? 0) < 0x80 || at + 1 >= bytes.length) return 1;
  const second = bytes[at + 1]!;
  const width = second >= 0x30 && second <= 0x39 ? 4 : 2;
  return Math.min(width, bytes.length - at);
};

const widths: Readonly<Record<string, CharacterLength>> = {
  SJIS: shiftJis,
  SHIFT_JIS_2004: shiftJis,
  BIG5: twoByte,
  GBK: twoByte,
  UHC: twoByte,
  JOHAB: twoByte,
  GB18030: gb18030,
};

/** How to step over characters of a PostgreSQL encoding, or `undefined` where bytes will do. */
export function characterWidth(encoding: string): CharacterLength | undefined {
  return widths[encoding.toUpperCase()];
}
