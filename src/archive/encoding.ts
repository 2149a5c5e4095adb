/**
 * PostgreSQL's client encodings as decoders. A TOC's texts are bytes in the dump's encoding, which the TOC itself names
 * in its ENCODING entry; they are decoded only when that is known.
 *
 * Invariant: a text is decoded to what PostgreSQL would make of it, or refused; never replaced, never guessed.
 */

import { unsupported } from "./damage.ts";

export type TextDecoding = (bytes: Buffer) => string;

/** PostgreSQL's name to the label of the Encoding Standard, where the two agree. */
const STANDARD_LABELS: ReadonlyMap<string, string> = new Map([
  ["UTF8", "utf-8"],
  ["LATIN2", "iso-8859-2"],
  ["LATIN3", "iso-8859-3"],
  ["LATIN4", "iso-8859-4"],
  ["LATIN6", "iso-8859-10"],
  ["LATIN7", "iso-8859-13"],
  ["LATIN8", "iso-8859-14"],
  ["LATIN9", "iso-8859-15"],
  ["LATIN10", "iso-8859-16"],
  ["ISO_8859_5", "iso-8859-5"],
  ["ISO_8859_6", "iso-8859-6"],
  ["ISO_8859_7", "iso-8859-7"],
  ["ISO_8859_8", "iso-8859-8"],
  ["WIN866", "ibm866"],
  ["WIN874", "windows-874"],
  ["WIN1250", "windows-1250"],
  ["WIN1251", "windows-1251"],
  ["WIN1252", "windows-1252"],
  ["WIN1253", "windows-1253"],
  ["WIN1254", "windows-1254"],
  ["WIN1255", "windows-1255"],
  ["WIN1256", "windows-1256"],
  ["WIN1257", "windows-1257"],
  ["WIN1258", "windows-1258"],
  ["KOI8R", "koi8-r"],
  ["KOI8U", "koi8-u"],
  ["SJIS", "shift_jis"],
  ["EUC_JP", "euc-jp"],
  ["EUC_CN", "gbk"],
  ["EUC_KR", "euc-kr"],
  ["GBK", "gbk"],
  ["GB18030", "gb18030"],
  ["BIG5", "big5"],
  ["UHC", "euc-kr"],
]);

/** ISO-8859-9 is ISO-8859-1 but for these. The Encoding Standard's label of that name is windows-1254. */
const LATIN5_LETTERS: ReadonlyMap<string, string> = new Map([
  ["\u00d0", "\u011e"],
  ["\u00dd", "\u0130"],
  ["\u00de", "\u015e"],
  ["\u00f0", "\u011f"],
  ["\u00fd", "\u0131"],
  ["\u00fe", "\u015f"],
]);

/**
 * The decoder for one of PostgreSQL's encodings.
 * @throws ArchiveDamaged with code `unsupported_encoding` for those without one, and for a name that is none.
 */
export function decoderFor(encoding: string): TextDecoding {
  switch (encoding) {
    case "LATIN1":
      // Not the label "latin1", which is windows-1252 to the Encoding Standard.
      return (bytes) => bytes.toString("latin1");
    case "LATIN5":
      return (bytes) =>
        bytes
          .toString("latin1")
          .replace(/[\u00d0\u00dd\u00de\u00f0\u00fd\u00fe]/g, (letter) => LATIN5_LETTERS.get(letter)!);
    case "SQL_ASCII":
      // No encoding at all; UTF-8 that decodes strictly is UTF-8 in practice, and anything else cannot be named in SQL.
      return strictDecoder("utf-8", encoding);
    default: {
      const label = STANDARD_LABELS.get(encoding);
      if (label === undefined) {
        throw unsupported(
          "unsupported_encoding",
          `dump is in an encoding that cannot be decoded: ${printable(encoding)}`,
          "dump again with pg_dump --encoding=UTF8",
        );
      }
      return strictDecoder(label, encoding);
    }
  }
}

function strictDecoder(label: string, encoding: string): TextDecoding {
  const decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  return (bytes) => {
    if (isAscii(bytes)) {
      return bytes.toString("latin1");
    }
    try {
      return decoder.decode(bytes);
    } catch {
      throw unsupported(
        "undecodable_text",
        `table of contents holds text that is not ${encoding} (${bytes.length} bytes)`,
        "dump again with pg_dump --encoding=UTF8",
      );
    }
  };
}

/** Every encoding here agrees with ASCII on texts whose bytes are all below 0x80. */
function isAscii(bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index]! >= 0x80) {
      return false;
    }
  }
  return true;
}

/** A name read from a damaged file must not carry its bytes into a message. */
function printable(name: string): string {
  return /^[A-Z0-9_]{1,20}$/.test(name) ? name : "an unknown name";
}

/** What stands between the first pair of single quotes: the value in `SET name = 'value';`. */
export function quotedValue(statement: Buffer | null): string | null {
  const match = /'([^']*)'/.exec(statement?.toString("latin1") ?? "");
  return match?.[1] ?? null;
}
