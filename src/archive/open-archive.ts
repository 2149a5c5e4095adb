/**
 * Opens a backup: detects what it is by its content and hands it to the reader of that format.
 *
 * Invariant: reads no further than it must to know the table of contents: one buffer beyond it for an archive, the whole
 * file for a script.
 */

import { type ArchiveDamaged, throwIfAborted } from "../errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { CustomArchive } from "./custom/custom-reader.ts";
import { unsupported } from "./damage.ts";
import { DETECTION_BYTES, detect } from "./detect.ts";
import type { Archive, ByteSource, OpenOptions } from "./model.ts";
import { readContents } from "./toc/read-contents.ts";

/**
 * Opens the archive in `source`.
 * @throws ArchiveDamaged when it is damaged (with the byte offset), or of a format, version or encoding that cannot be
 * read: codes `unsupported_format`, `unsupported_version`, `unsupported_encoding`, `empty_file`, `truncated`, ….
 */
export async function openArchive(source: ByteSource, options: OpenOptions = {}): Promise<Archive> {
  const { signal } = options;
  throwIfAborted(signal);
  const reader = new ByteReader(source.read(0, source.size ?? undefined, signal), 0, signal);
  try {
    await reader.fill(Math.min(DETECTION_BYTES, source.size ?? DETECTION_BYTES));
    const found = detect(reader.window.subarray(0, DETECTION_BYTES));
    switch (found.kind) {
      case "custom":
        return new CustomArchive(source, await readContents(reader, source.size, "custom"), []);
      case "wrapped":
        throw notYet(`a ${found.by} file`, "unpack it first, or make the backup with pg_dump -Fc");
      case "tar":
        throw notYet("a tar archive", "make the backup with pg_dump -Fc");
      case "script":
        throw notYet("a plain SQL script", "make the backup with pg_dump -Fc");
    }
  } finally {
    await reader.close();
  }
}

function notYet(what: string, hint: string): ArchiveDamaged {
  return unsupported("unsupported_format", `not a custom-format archive: ${what}`, hint);
}
