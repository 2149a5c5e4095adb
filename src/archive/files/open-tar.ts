/**
 * Opens a tar as an archive: that of `pg_dump -Ft`, or one that somebody made of a directory archive.
 *
 * Invariant: a tar that can only be read forwards is read beyond its table of contents only where nothing says in which
 * order its files come, or which large objects are whose.
 */

import type { ContentLimit } from "../compression/expansion.ts";
import type { ByteSource } from "../model.ts";
import { DirectoryArchive } from "./directory-archive.ts";
import { knownFiles } from "./known-files.ts";
import { metFiles } from "./met-files.ts";
import { tarFiles } from "./tar-files.ts";
import { readTocFile } from "./toc-file.ts";

export interface OpenTarOptions {
  /** What lies around the tar, outermost first. */
  readonly wrapping: readonly string[];
  readonly limit?: ContentLimit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws ArchiveDamaged (`bad_member`, `truncated`, `appended`, `unsupported_format`, and those of a table of contents) */
export async function openTar(
  source: ByteSource,
  { wrapping, limit, signal }: OpenTarOptions,
): Promise<DirectoryArchive> {
  const tar = await tarFiles(source, signal);
  const format = tar.byPgDump ? "tar" : "directory";
  const contents = await readTocFile(tar, { format, limit, signal });
  let data = tar.complete ? null : metFiles(tar, contents);
  if (data === null) {
    await tar.finish(signal);
    data = await knownFiles(tar, contents, { ordered: tar.sequential, limit, signal });
  }
  return new DirectoryArchive({
    files: tar,
    contents,
    data,
    wrapping: tar.byPgDump ? wrapping : [...wrapping, "tar"],
    remarks: () => tar.remarks,
    limit,
  });
}
