/**
 * What stands behind a custom archive's last block. pg_restore never looks; but a file that somebody added to is not the
 * file that pg_dump wrote, and which of two archives in it is meant nobody can know.
 *
 * Allowed: nothing; zeros (padding to a block size); the archive's own table of contents a second time, which is what
 * pg_dump leaves behind when its output was opened for appending (`>>`), since its rewrite of the TOC then lands at the end.
 */

import { ArchiveDamaged } from "../../errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import { damagedAt } from "../damage.ts";
import type { ArchiveHeader, TocEntry } from "../model.ts";
import { intBytes } from "../toc/primitives.ts";
import { readTocAgain } from "../toc/read-contents.ts";

/**
 * Reads from behind the last block to the end of the file.
 * @returns what the operator should know, or `null`.
 * @throws ArchiveDamaged (`appended`)
 */
export async function checkFileEnd(
  reader: ByteReader,
  size: number | null,
  archive: { readonly header: ArchiveHeader; readonly toc: readonly TocEntry[] },
): Promise<string | null> {
  const start = reader.offset;
  if (!(await reader.fill(1))) {
    return null;
  }
  if (await isSecondToc(reader, size, archive)) {
    return "the file was written with >>: its table of contents stands in it twice";
  }
  for (; await reader.fill(1); reader.consume(reader.window.length)) {
    if (reader.window.some((byte) => byte !== 0)) {
      throw appended("something else than zeros follows the archive's last block", start);
    }
  }
  return "zeros follow the archive's last block";
}

/** Reads nothing when the first number is not that of the TOC's entries. */
async function isSecondToc(
  reader: ByteReader,
  size: number | null,
  { header, toc }: { readonly header: ArchiveHeader; readonly toc: readonly TocEntry[] },
): Promise<boolean> {
  const start = reader.offset;
  const count = intBytes(toc.length);
  if (
    header.intSize !== 4 ||
    !(await reader.fill(count.length)) ||
    !reader.window.subarray(0, count.length).equals(count)
  ) {
    return false;
  }
  const second = await readTocAgain(reader, size, header).catch((error: unknown) => {
    throw error instanceof ArchiveDamaged ? appended("a piece of an archive follows the last block", start) : error;
  });
  if (!second.every(({ raw }, index) => toc[index]?.raw.equals(raw) === true) || (await reader.fill(1))) {
    throw appended("another table of contents follows the last block", start);
  }
  return true;
}

function appended(fact: string, offset: number): ArchiveDamaged {
  return damagedAt("appended", `${fact}: the file was added to`, offset);
}
