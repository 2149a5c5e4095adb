/**
 * PostgreSQL's client encodings as decoders. A TOC's texts are bytes in the dump's encoding, which the TOC itself names
 * in its ENCODING entry; they are decoded only when that is known.
 *
 * Invariant: a text is decoded to what PostgreSQL would make of it, or refused; never replaced, never guessed.
 */

import { TextDecoder } from "node:util";
import { unsupported } from "../damage.ts";

const UTF8_HINT = "dump again with pg_dump --encoding=UTF8";

export type TextDecoding = (bytes: Buffer) => string;

/**
 * PostgreSQL's name to the label of the Encoding Standard, where node decodes every text as PostgreSQL 15 does (compared
 * code by code by `encoding.integration.test.ts`). BIG5 and UHC differ in hundreds of codes and are refused.
 */
const STANDARD_LABELS: ReadonlyMap<string, string> = new Map([
  ["UTF8", "utf-8"],
  ["LATIN2", "iso-8859-2"],
  ["LATIN3", "iso-8859-3"],
  ["LATIN4", "iso-8859-4"],
  ["LATIN6", "iso-8859-10"],
  ["LATIN7", "iso-8859-13"],
  ["LATIN8", "iso-8859-14"],
  ["LATIN9", "iso-8859-15"],
  ["ISO_8859_5", "iso-8859-5"],
  ["ISO_8859_6", "iso-8859-6"],
  ["ISO_8859_7", "iso-8859-7"],
  ["ISO_8859_8", "iso-8859-8"],
  ["WIN874", "windows-874"],
  ["WIN1250", "windows-1250"],
  ["WIN1251", "windows-1251"],
  ["WIN1253", "windows-1253"],
  ["WIN1254", "windows-1254"],
  ["WIN1255", "windows-1255"],
  ["WIN1256", "windows-1256"],
  ["WIN1257", "windows-1257"],
  ["WIN1258", "windows-1258"],
  ["KOI8R", "koi8-r"],
  ["KOI8U", "koi8-u"],
  ["EUC_KR", "euc-kr"],
  ["GBK", "gbk"],
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

/** Windows-1252 as PostgreSQL has it, 0x80 to 0x9f. Node 20 decodes the label of that name as ISO-8859-1. */
const WIN1252_LETTERS = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** Encodings of which a few codes need care. */
interface Dispute {
  readonly label: string;
  /** Letters of the Encoding Standard to those of PostgreSQL. */
  readonly letters?: ReadonlyMap<string, string>;
  /** Bytes that node and PostgreSQL read differently: a text that holds one of these runs is refused. */
  readonly bytes?: readonly Buffer[];
  /** The same, where bytes cannot tell: decoded text that may be wrong. */
  readonly text?: RegExp;
}

/** Control characters that ICU takes for one another in two encodings. */
const ICU_SWAPPED = [0x1a, 0x1c, 0x7f].map((code) => Buffer.from([code]));

const DISPUTES: ReadonlyMap<string, Dispute> = new Map<string, Dispute>([
  ["SJIS", { label: "shift_jis", bytes: ICU_SWAPPED }],
  ["WIN866", { label: "ibm866", bytes: ICU_SWAPPED }],
  ["EUC_JP", { label: "euc-jp", letters: new Map([["\u00a6", "\uffe4"]]) }],
  [
    "EUC_CN",
    {
      label: "gbk",
      letters: new Map([
        ["\u00b7", "\u30fb"],
        ["\u2014", "\u2015"],
      ]),
    },
  ],
  // Private-use codes of the 2000 edition that later editions gave to letters.
  [
    "GB18030",
    { label: "gb18030", bytes: [Buffer.from([0xa3, 0xa0])], text: /[\u1e3f\u9fb4-\u9fbb\ue7c7\ufe10-\ufe19]/ },
  ],
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
    case "WIN1252":
      return (bytes) =>
        bytes.toString("latin1").replace(/[\u0080-\u009f]/g, (letter) => WIN1252_LETTERS[letter.charCodeAt(0) - 0x80]!);
    case "SQL_ASCII":
      // No encoding at all; what decodes strictly as UTF-8 is UTF-8 in practice, and nothing else could be sent back.
      return strictDecoder({ label: "utf-8" }, encoding);
    default: {
      const label = STANDARD_LABELS.get(encoding);
      const dispute = DISPUTES.get(encoding) ?? (label === undefined ? undefined : { label });
      if (dispute === undefined) {
        throw cannotDecode(printable(encoding));
      }
      return strictDecoder(dispute, encoding);
    }
  }
}

function cannotDecode(name: string): Error {
  return unsupported("unsupported_encoding", `dump is in an encoding that cannot be decoded: ${name}`, UTF8_HINT);
}

function strictDecoder({ label, letters, bytes: disputed, text: doubtful }: Dispute, encoding: string): TextDecoding {
  const decoder = standardDecoder(label, encoding);
  return (bytes) => {
    if (isAscii(bytes)) {
      return bytes.toString("latin1");
    }
    const decoded = disputed?.some((run) => bytes.includes(run)) === true ? null : decodeOrNull(decoder, bytes);
    if (decoded === null || doubtful?.test(decoded) === true) {
      throw unsupported(
        "undecodable_text",
        `table of contents holds text that cannot be decoded as ${encoding} (${bytes.length} bytes)`,
        UTF8_HINT,
      );
    }
    return letters === undefined
      ? decoded
      : decoded.replace(/[\u0080-\uffff]/g, (letter) => letters.get(letter) ?? letter);
  };
}

/** A node built without full ICU has few of the labels. */
function standardDecoder(label: string, encoding: string): TextDecoder {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch (error) {
    if (error instanceof RangeError) {
      throw cannotDecode(printable(encoding));
    }
    throw error;
  }
}

function decodeOrNull(decoder: TextDecoder, bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) {
      return null;
    }
    throw error;
  }
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
