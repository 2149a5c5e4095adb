/**
 * Fields of one COPY text row: where they are, what they say, how to write one. Mirrors CopyReadAttributesText and
 * CopyAttributeOutText of copyfromparse.c and copyto.c.
 */

const tab = 9;
const newline = 10;
const backslash = 0x5c;

/** Bytes of the character that starts at `at`, for client encodings whose trail bytes may look like a backslash. */
export type CharacterLength = (bytes: Uint8Array, at: number) => number;

/** `\N` as the whole raw field. */
export const nullField: Buffer = Buffer.from("\\N");

export function isNull(raw: Uint8Array): boolean {
  return raw.length === 2 && raw[0] === backslash && raw[1] === 0x4e;
}

/** Offsets of each field's start, and one past the newline at the end: field n is `[offsets[n], offsets[n + 1] - 1)`. */
export function fieldOffsets(bytes: Uint8Array, start: number, end: number): number[] {
  const offsets = [start];
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === tab || byte === newline) offsets.push(at + 1);
  }
  return offsets;
}

const simpleEscapes: Readonly<Record<number, number>> = { 98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 118: 11 };

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Takes the escapes out of a raw field that is not NULL. Without escapes the same bytes come back, uncopied. */
export function unescapeField(raw: Buffer, characterLength?: CharacterLength): Buffer {
  let at = raw.indexOf(backslash);
  if (at < 0) return raw;
  if (characterLength) at = 0;
  const out = Buffer.allocUnsafe(raw.length);
  let length = raw.copy(out, 0, 0, at);
  while (at < raw.length) {
    const byte = raw[at]!;
    if (byte !== backslash) {
      const width = characterLength ? characterLength(raw, at) : 1;
      length += raw.copy(out, length, at, at + width);
      at += width;
      continue;
    }
    const [value, used] = escapeAt(raw, at + 1);
    out[length++] = value;
    at += 1 + used;
  }
  return out.subarray(0, length);
}

/** The byte an escape stands for and how many bytes follow the backslash. */
function escapeAt(raw: Buffer, at: number): readonly [number, number] {
  const byte = raw[at];
  if (byte === undefined) return [backslash, 0];
  const simple = simpleEscapes[byte];
  if (simple !== undefined) return [simple, 1];
  if (byte >= 0x30 && byte <= 0x37) {
    let value = 0;
    let used = 0;
    for (; used < 3; used++) {
      const digit = raw[at + used];
      if (digit === undefined || digit < 0x30 || digit > 0x37) break;
      value = value * 8 + digit - 0x30;
    }
    return [value & 0xff, used];
  }
  const high = byte === 0x78 ? hexDigit(raw[at + 1]) : -1;
  if (high < 0) return [byte, 1];
  const low = hexDigit(raw[at + 2]);
  return low < 0 ? [high, 2] : [high * 16 + low, 3];
}

const escapeLetters: Readonly<Record<number, string>> = {
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  [backslash]: "\\\\",
};

/** Writes a value as a raw COPY field, in the bytes pg_dump would use. `characterLength` as for reading. */
export function escapeField(value: Buffer, characterLength?: CharacterLength): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < value.length; ) {
    const byte = value[at]!;
    const letters = escapeLetters[byte];
    if (letters === undefined) {
      at += characterLength ? characterLength(value, at) : 1;
      continue;
    }
    parts.push(value.subarray(from, at), Buffer.from(letters));
    from = ++at;
  }
  if (parts.length === 0) return value;
  parts.push(value.subarray(from));
  return Buffer.concat(parts);
}
