/**
 * Where the head of an INSERT ends and its rows begin: behind the word VALUES. Mirrors what dumpTableData_insert of
 * pg_dump.c writes; a statement of another form has its head end at the first thing that is no head.
 */

import { isWordByte } from "./byte-classes.ts";

/** Index behind `VALUES` in a statement that begins at 0; `null` while it has not come. Quotes are never later bytes. */
export function insertHeadEnd(bytes: Buffer, final: boolean): number | null {
  let quoted = false;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x22) quoted = !quoted;
    else if (quoted) continue;
    else if (byte === 0x28) depth++;
    else if (byte === 0x29) depth--;
    else if (byte === 0x27 || byte === 0x3b) return at;
    else if (isWordByte(byte)) {
      const start = at;
      while (at + 1 < bytes.length && isWordByte(bytes[at + 1]!)) at++;
      if (at + 1 === bytes.length && !final) return null;
      if (
        depth === 0 &&
        at - start < 6 &&
        /^(?:VALUES|SELECT|TABLE|WITH)$/i.test(bytes.toString("latin1", start, at + 1))
      )
        return at + 1;
    }
  }
  return final ? bytes.length : null;
}
