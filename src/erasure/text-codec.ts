/**
 * Between a dump's bytes and text, both ways: reading identifiers needs one, writing anonymised values the other.
 * Only rows that a request covers are ever decoded; all others pass as bytes whatever their encoding.
 */
import { decoderFor } from "../archive/toc/encoding.ts";
import { PolicyRefused } from "../errors.ts";

export interface TextCodec {
  readonly decode: (bytes: Buffer) => string;
  /** @throws PolicyRefused (`encoding`) for a character that the encoding has not, or that cannot be written in it here. */
  readonly encode: (text: string) => Buffer;
}

/** @throws ArchiveDamaged (`unsupported_encoding`) for an encoding that is not known. */
export function textCodec(encoding: string): TextCodec {
  switch (encoding) {
    case "UTF8":
      return { decode: (bytes) => bytes.toString("utf8"), encode: (text) => Buffer.from(text) };
    case "SQL_ASCII":
      return { decode: decodeUnknown, encode: encodeUnknown };
    default: {
      const decode = decoderFor(encoding);
      const bytesOf = singleByteTable(decode);
      return { decode, encode: (text) => encodeByTable(text, bytesOf, encoding) };
    }
  }
}

/** Bytes that are no UTF-8 become lone surrogates and come back as they were (PEP 383's way). */
const escapeBase = 0xdc00;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUnknown(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return bytes
      .toString("latin1")
      .replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(escapeBase + byte.charCodeAt(0)));
  }
}

function encodeUnknown(text: string): Buffer {
  const pieces = text
    .split(/([\udc80-\udcff]+)/u)
    .map((piece, n) =>
      n % 2 === 0 ? Buffer.from(piece) : Buffer.from([...piece].map((unit) => unit.charCodeAt(0) - escapeBase)),
    );
  return Buffer.concat(pieces);
}

/** Text to byte for every byte that is a character by itself. */
function singleByteTable(decode: (bytes: Buffer) => string): ReadonlyMap<string, number> {
  const table = new Map<string, number>();
  for (let byte = 0; byte < 256; byte++) {
    try {
      const text = decode(Buffer.from([byte]));
      if (text.length === 1 && text !== "\ufffd") table.set(text, byte);
    } catch (error) {
      // a lead byte of a longer character, or an unused one: nothing to write
      if (!(error instanceof Error)) throw error;
    }
  }
  return table;
}

function encodeByTable(text: string, table: ReadonlyMap<string, number>, encoding: string): Buffer {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = table.get(character);
    if (byte === undefined) {
      throw new PolicyRefused(
        `an anonymised value has a character that cannot be written in the dump's encoding ${encoding}`,
        {
          code: "encoding",
          hint: "dump with pg_dump --encoding=UTF8, or set the column to null instead of redacting it",
        },
      );
    }
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}
