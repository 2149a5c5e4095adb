/**
 * Opens a backup that is a folder or all objects under a prefix: what `pg_dump -Fd` writes.
 *
 * Invariant: reads toc.dat and the lists of large objects; of the data no byte.
 */

import { throwIfAborted } from "../errors.ts";
import { Expansion } from "./compression/expansion.ts";
import { DirectoryArchive } from "./files/directory-archive.ts";
import { knownFiles } from "./files/known-files.ts";
import { readTocFile } from "./files/toc-file.ts";
import { withCopyRows } from "./inserts/insert-archive.ts";
import type { Archive, ArchiveFiles, OpenOptions } from "./model.ts";

/**
 * Opens the directory archive of `files`.
 * @throws ArchiveDamaged when files are missing (`truncated`, with the dump IDs), when it is damaged, or when it cannot be
 * read: `unsupported_format`, `unsupported_version`, `unsupported_encoding`.
 */
export async function openArchiveFiles(files: ArchiveFiles, options: OpenOptions = {}): Promise<Archive> {
  const { signal } = options;
  throwIfAborted(signal);
  const expansion = new Expansion(options.maxExpansion);
  const counted: ArchiveFiles = {
    files: files.files,
    sequential: files.sequential,
    open: async (name) => expansion.counted(await files.open(name)),
  };
  const limit = expansion.limit();
  const contents = await readTocFile(counted, { format: "directory", limit, signal });
  const data = await knownFiles(counted, contents, { ordered: files.sequential, limit, signal });
  const archive = new DirectoryArchive({ files: counted, contents, data, wrapping: [], remarks: () => [], limit });
  return await withCopyRows(archive, signal);
}
