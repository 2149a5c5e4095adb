/**
 * The table of contents of a directory archive: toc.dat, which somebody may have compressed. Mirrors InitArchiveFmt_Directory
 * of PostgreSQL 15 to 18 (pg_backup_directory.c).
 *
 * Invariant: toc.dat is read to its end, so that a cut or lengthened one does not pass.
 */

import { ByteReader } from "../byte-reader.ts";
import type { ContentLimit } from "../compression/expansion.ts";
import { damagedAt, unsupported } from "../damage.ts";
import type { ArchiveFiles, ArchiveHeader } from "../model.ts";
import { FORMAT_TAR, MAGIC } from "../toc/header.ts";
import { type Contents, readContents } from "../toc/read-contents.ts";
import { findFile, TOC_FILE } from "./file-names.ts";
import { contentOf } from "./stored-content.ts";

const FORMAT_BYTE_AT = 10;

export interface TocFileOptions {
  readonly format: ArchiveHeader["format"];
  readonly limit?: ContentLimit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads the table of contents among `files`. @throws ArchiveDamaged, also when there is none (`unsupported_format`). */
export async function readTocFile(files: ArchiveFiles, options: TocFileOptions): Promise<Contents> {
  const { format, limit, signal } = options;
  const found = findFile(new Map(files.files.map((file) => [file.name, file])), TOC_FILE);
  if (found === null) {
    throw noToc(files);
  }
  const content = contentOf(files, found, { where: TOC_FILE, limit, signal });
  const reader = new ByteReader(content, 0, signal);
  try {
    await reader.fill(FORMAT_BYTE_AT + 1);
    const head = reader.window;
    if (head.length > FORMAT_BYTE_AT && head.indexOf(MAGIC) === 0 && head[FORMAT_BYTE_AT] !== FORMAT_TAR) {
      throw unsupported(
        "unsupported_format",
        `the toc.dat is of another archive format: ${head[FORMAT_BYTE_AT]}`,
        "restore the backup that this file belongs to",
      );
    }
    const contents = await readContents(reader, found.compression === "none" ? found.file.size : null, format);
    if (await reader.fill(1)) {
      throw damagedAt("appended", "toc.dat goes on after its last entry", contents.end);
    }
    return contents;
  } finally {
    await reader.close();
  }
}

function noToc(files: ArchiveFiles): Error {
  if (files.files.some(({ name }) => name === "toc.glo" || name === "map.dat")) {
    return unsupported(
      "unsupported_format",
      "a directory of pg_dumpall, as only development versions wrote it",
      "take one of its databases: a folder with a toc.dat",
    );
  }
  return unsupported(
    "unsupported_format",
    "no directory archive: there is no toc.dat",
    "look whether pg_dump -Fd or the copying of its files ended early",
  );
}
