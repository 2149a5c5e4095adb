/**
 * Words for a damaged archive: every error of this folder is made here, so that each one says where it was found.
 * Invariant: no message quotes bytes of the archive beyond numbers, format names and encodings.
 */

import { ArchiveDamaged } from "../errors.ts";

const OTHER_BACKUP = "the file is incomplete or was altered; restore another backup, or copy this one again";

/** Damage found at an absolute byte offset of the file. */
export function damagedAt(code: string, fact: string, offset: number, cause?: unknown): ArchiveDamaged {
  return new ArchiveDamaged(`${fact} at byte ${offset}`, { code, hint: OTHER_BACKUP, cause });
}

/** The file ends where more must follow. `offset` is its end. */
export function truncatedAt(what: string, offset: number): ArchiveDamaged {
  return damagedAt("truncated", `archive ends inside ${what}`, offset);
}

/** The data of these entries is not there. */
export function missingData(fact: string, dumpIds: readonly number[]): ArchiveDamaged {
  return new ArchiveDamaged(`${fact} of ${dumpIdsNamed(dumpIds)}`, { code: "truncated", hint: OTHER_BACKUP });
}

/** Dump IDs a message names at most. */
const NAMED_IDS = 20;

/** For example `dump ID 12, 14 and 3 more`. */
export function dumpIdsNamed(dumpIds: readonly number[]): string {
  const more = dumpIds.length > NAMED_IDS ? ` and ${dumpIds.length - NAMED_IDS} more` : "";
  return `dump ID ${dumpIds.slice(0, NAMED_IDS).join(", ")}${more}`;
}

/** Damage of a compressed stream: its decoder knows the block, not the byte. */
export function damagedStream(code: string, fact: string, where: string, cause?: unknown): ArchiveDamaged {
  return new ArchiveDamaged(`${fact} in ${where}`, { code, hint: OTHER_BACKUP, cause });
}

/** Something this version cannot read, though it may be sound. */
export function unsupported(code: string, fact: string, hint: string): ArchiveDamaged {
  return new ArchiveDamaged(fact, { code, hint });
}
