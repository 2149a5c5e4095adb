/**
 * Writing of pg_dump's primitive encodings, with an intSize of 4 and an offSize of 8. Mirrors WriteInt, WriteStr and
 * WriteOffset of PostgreSQL 15 to 18 (pg_backup_archiver.c). Their counterpart is `cursor.ts`.
 */

/** Text goes out as UTF-8; bytes go out as they are, for archives in another encoding. */
export type TextToWrite = string | Buffer;

export const INT_BYTES = 5;
export const OFFSET_BYTES = 9;

/** A C int: sign byte and magnitude. OIDs from 2^31 on wrap to negative numbers, as in pg_dump. */
export function intBytes(value: number): Buffer {
  const int = value | 0;
  const bytes = Buffer.allocUnsafe(INT_BYTES);
  bytes[0] = int < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(int), 1);
  return bytes;
}

/** Length and bytes; `null` and `undefined` are NULL, which is not the empty string. */
export function stringBytes(text: TextToWrite | null | undefined): Buffer {
  if (text === null || text === undefined) {
    return intBytes(-1);
  }
  const bytes = typeof text === "string" ? Buffer.from(text, "utf8") : text;
  return Buffer.concat([intBytes(bytes.length), bytes]);
}

/** State byte and position. */
export function offsetBytes(state: 1 | 2 | 3, position: number): Buffer {
  const bytes = Buffer.alloc(OFFSET_BYTES);
  bytes[0] = state;
  bytes.writeBigUInt64LE(BigInt(position), 1);
  return bytes;
}
