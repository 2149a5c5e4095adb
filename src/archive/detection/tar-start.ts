/** Recognises a tar by its first header, and in it a PostgreSQL data directory, which is another kind of backup. */

import type { Refusal } from "./refusal.ts";

const BLOCK_BYTES = 512;
const CHECKSUM_AT = 148;
const SIZE_AT = 124;

/** A tar header carries the sum of its own bytes, with blanks in the place of the sum. */
export function isTar(head: Buffer): boolean {
  return isTarHeader(head) && head.toString("latin1", 257, 262) === "ustar";
}

function isTarHeader(header: Buffer): boolean {
  if (header.length < BLOCK_BYTES) {
    return false;
  }
  const stored = Number.parseInt(header.toString("latin1", CHECKSUM_AT, CHECKSUM_AT + 8).trim(), 8);
  let sum = 0;
  for (let index = 0; index < BLOCK_BYTES; index++) {
    sum += index >= CHECKSUM_AT && index < CHECKSUM_AT + 8 ? 0x20 : header[index]!;
  }
  return sum === stored;
}

/** Files that only a data directory has; pg_basebackup writes backup_label first. */
const DATA_DIRECTORY = /(?:^|\/)(?:PG_VERSION|backup_label|tablespace_map|global\/pg_control|pg_wal\/|base\/\d+\/)/;

/** The refusal of a physical backup, by the members that lie in `head`. */
export function physicalBackupIn(head: Buffer): Refusal | null {
  for (let at = 0; isTarHeader(head.subarray(at)); ) {
    const header = head.subarray(at, at + BLOCK_BYTES);
    const name = header.toString("latin1", 0, 100).replace(/\0.*$/s, "");
    if (name.endsWith("toc.dat")) {
      return null;
    }
    if (DATA_DIRECTORY.test(name)) {
      return {
        fact: "a physical backup (the files of a server, as pg_basebackup copies them)",
        hint: "rows can only be told apart in a logical backup: make one with pg_dump -Fc",
      };
    }
    const size = Number.parseInt(header.toString("latin1", SIZE_AT, SIZE_AT + 12).trim(), 8);
    if (!(size >= 0)) {
      return null;
    }
    at += BLOCK_BYTES + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return null;
}
