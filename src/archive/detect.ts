/**
 * Tells from a file's first bytes what it is. What no reader can take is refused in a sentence that says what it is, or
 * what happened to it: `detection/` knows those.
 *
 * Detection goes by content alone: names and suffixes lie. Upstream recognises its own archives in _discoverArchiveFormat
 * (pg_backup_archiver.c) and nothing else.
 */

import type { ArchiveDamaged } from "../errors.ts";
import { unsupported } from "./damage.ts";
import { foreignFile, foreignText } from "./detection/foreign-files.ts";
import { mangledFile } from "./detection/mangled-files.ts";
import { type Refusal, startsWith } from "./detection/refusal.ts";
import { looksLikeScript } from "./detection/script-start.ts";
import { isTar, physicalBackupIn } from "./detection/tar-start.ts";
import { type Wrapper, wrapperOf } from "./detection/wrapper-start.ts";
import { FORMAT_CUSTOM, FORMAT_TAR, MAGIC } from "./toc/header.ts";

/** Bytes {@link detect} wants to see, when the file has as many. */
export const DETECTION_BYTES = 64 * 1024;

/** What a file is by its first bytes. */
export type Detected =
  | { readonly kind: "custom" }
  | { readonly kind: "tar" }
  | { readonly kind: "script" }
  /** Something that holds another file. */
  | { readonly kind: "wrapped"; readonly by: Wrapper };

const FORMAT_BYTE_AT = 10;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * What the file that begins with `head` is. `wrapping` is what it was found in, outermost first.
 * @throws ArchiveDamaged (`unsupported_format`, `empty_file`) for what is no dump, in a sentence that says what it is.
 */
export function detect(head: Buffer, wrapping: readonly Wrapper[] = []): Detected {
  const found = recognise(head);
  if ("kind" in found) {
    return found;
  }
  throw refused(found, wrapping);
}

/** ` inside zstd inside gzip`, or nothing. */
export function insideOf(wrapping: readonly Wrapper[]): string {
  return wrapping
    .toReversed()
    .map((wrapper) => ` inside ${wrapper}`)
    .join("");
}

function recognise(head: Buffer): Detected | Refusal {
  if (head.length === 0) {
    return {
      code: "empty_file",
      fact: "the file is empty",
      hint: "look at how the backup was made: pg_dump wrote nothing",
    };
  }
  const mangled = mangledFile(head);
  if (mangled !== null) {
    return mangled;
  }
  if (startsWith(head, MAGIC)) {
    return archiveRefusal(head) ?? { kind: "custom" };
  }
  const by = wrapperOf(head);
  if (by !== null) {
    return { kind: "wrapped", by };
  }
  if (isTar(head)) {
    return physicalBackupIn(head) ?? { kind: "tar" };
  }
  return foreignFile(head) ?? headerInside(head) ?? textOf(head);
}

function textOf(head: Buffer): Detected | Refusal {
  const marked = startsWith(head, BYTE_ORDER_MARK);
  const text = head.toString("latin1", marked ? BYTE_ORDER_MARK.length : 0);
  return looksLikeScript(text, head.length >= DETECTION_BYTES) ? { kind: "script" } : foreignText(text);
}

function refused(refusal: Refusal, wrapping: readonly Wrapper[]): ArchiveDamaged {
  const code = refusal.code ?? "unsupported_format";
  const fact = code === "unsupported_format" ? `not a PostgreSQL dump: ${refusal.fact}` : refusal.fact;
  return unsupported(code, `${fact}${insideOf(wrapping)}`, refusal.hint);
}

/** Format byte 3 under this magic is the toc.dat of a directory (or of a tar, taken out of it). */
function archiveRefusal(head: Buffer): Refusal | null {
  const code = head[FORMAT_BYTE_AT];
  if (code === undefined || code === FORMAT_CUSTOM || (head[5] ?? 0) !== 1 || (head[6] ?? 0) < 7) {
    return null; // the header's reader says what is wrong
  }
  return code === FORMAT_TAR
    ? {
        fact: "the toc.dat of a directory archive, without its data",
        hint: "name the directory (or the prefix) that holds it, not this file in it",
      }
    : { fact: `archive format ${code}`, hint: "make the backup with pg_dump -Fc" };
}

/** An archive's header somewhere behind other output. */
function headerInside(head: Buffer): Refusal | null {
  const at = head.indexOf(MAGIC);
  const plausible = at > 0 && head[at + 5] === 1 && (head[at + 6] ?? 255) < 32 && (head[at + 8] ?? 255) <= 8;
  return plausible
    ? {
        fact: `its header comes only at byte ${at}, after other output`,
        hint: "make the backup with pg_dump -Fc -f <file>, so that nothing else is written to the file",
      }
    : null;
}
