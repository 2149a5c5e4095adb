/**
 * Tells from a file's first bytes what it is, and words the refusal of everything that is not a custom archive.
 * Detection goes by content alone: names and suffixes lie.
 */

import type { ArchiveDamaged } from "../errors.ts";
import { unsupported } from "./damage.ts";
import { FORMAT_CUSTOM, FORMAT_TAR, MAGIC } from "./toc/header.ts";

/** Bytes {@link detect} wants to see, when the file has as many. */
export const DETECTION_BYTES = 4096;

/** What a file is by its first bytes. */
export type Detected =
  | { readonly kind: "custom" }
  | { readonly kind: "tar" }
  | { readonly kind: "script" }
  /** Something that holds another file. */
  | { readonly kind: "wrapped"; readonly by: "gzip" | "lz4" | "zstd" };

const FORMAT_BYTE_AT = 10;
const CUSTOM_HINT = "make the backup with pg_dump -Fc";

/** Magic numbers of what is often wrapped around a dump. */
const WRAPPERS: ReadonlyArray<readonly ["gzip" | "lz4" | "zstd", readonly number[]]> = [
  ["gzip", [0x1f, 0x8b]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** @throws ArchiveDamaged (`unsupported_format`, `empty_file`) for what is no dump, in a sentence that says what it is. */
export function detect(head: Buffer): Detected {
  if (head.length === 0) {
    throw unsupported("empty_file", "the file is empty", "look at how the backup was made: pg_dump wrote nothing");
  }
  if (startsWith(head, MAGIC)) {
    const refusal = archiveRefusal(head);
    if (refusal !== null) {
      throw refusal;
    }
    return { kind: "custom" };
  }
  if (startsWith(head, [0xff, 0xfe]) || startsWith(head, [0xfe, 0xff])) {
    throw refused(
      "UTF-16 text, as PowerShell's > makes of any output",
      "a binary dump is destroyed by this; use pg_dump -Fc -f <file>",
    );
  }
  const wrapper = WRAPPERS.find(([, magic]) => startsWith(head, magic));
  if (wrapper !== undefined) {
    return { kind: "wrapped", by: wrapper[0] };
  }
  if (isTar(head)) {
    return { kind: "tar" };
  }
  const refusal = textRefusal(head);
  if (refusal !== null) {
    throw refusal;
  }
  return { kind: "script" };
}

function refused(what: string, hint: string): ArchiveDamaged {
  return unsupported("unsupported_format", `not a custom-format archive: ${what}`, hint);
}

/** Format byte 3 under this magic is the toc.dat of a directory (or of a tar, taken out of it). */
function archiveRefusal(head: Buffer): ArchiveDamaged | null {
  const code = head[FORMAT_BYTE_AT];
  if (code === undefined || code === FORMAT_CUSTOM || (head[5] ?? 0) !== 1 || (head[6] ?? 0) < 7) {
    return null; // the header's reader says what is wrong
  }
  return code === FORMAT_TAR
    ? refused("the toc.dat of a directory archive", CUSTOM_HINT)
    : refused(`archive format ${code}`, CUSTOM_HINT);
}

function textRefusal(head: Buffer): ArchiveDamaged | null {
  const text = head.toString("latin1");
  const inside = head.indexOf(MAGIC);
  if (inside > 0) {
    return refused(
      `its header comes only at byte ${inside}, after other output`,
      "make the backup with pg_dump -Fc -f <file>, so that nothing else is written to the file",
    );
  }
  if (text.includes("-- PostgreSQL database cluster dump") || text.includes("-- PostgreSQL database dump")) {
    return null;
  }
  return refused("nothing that pg_dump writes", "check that this object is the backup, and that it is not encrypted");
}

function startsWith(head: Buffer, magic: ArrayLike<number>): boolean {
  return head.length >= magic.length && head.subarray(0, magic.length).equals(Uint8Array.from(magic));
}

const TAR_HEADER_BYTES = 512;
const TAR_CHECKSUM_AT = 148;

/** A tar header carries the sum of its own bytes, with blanks in the place of the sum. */
function isTar(head: Buffer): boolean {
  if (head.length < TAR_HEADER_BYTES || head.toString("latin1", 257, 262) !== "ustar") {
    return false;
  }
  const stored = Number.parseInt(head.toString("latin1", TAR_CHECKSUM_AT, TAR_CHECKSUM_AT + 8).trim(), 8);
  let sum = 0;
  for (let index = 0; index < TAR_HEADER_BYTES; index++) {
    sum += index >= TAR_CHECKSUM_AT && index < TAR_CHECKSUM_AT + 8 ? 0x20 : head[index]!;
  }
  return sum === stored;
}
