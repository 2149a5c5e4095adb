/**
 * Opens a backup: takes off what lies around it, detects what it is by its content and hands it to the reader of that
 * format.
 *
 * Invariant: reads no further than it must to know the table of contents: one buffer beyond it for an archive, the whole
 * file for a script.
 */

import { ByteReader } from "./byte-reader.ts";
import { Expansion } from "./compression/expansion.ts";
import { CustomArchive } from "./custom/custom-reader.ts";
import { openTar } from "./files/open-tar.ts";
import { withCopyRows } from "./inserts/insert-archive.ts";
import type { Archive, ByteSource, OpenOptions } from "./model.ts";
import { openScript } from "./plain/open-script.ts";
import { readScriptStart } from "./plain/script-start.ts";
import { type Contents, readContents } from "./toc/read-contents.ts";
import { finishSource, releaseSource } from "./wrapped/sequential-source.ts";
import { type Unwrapped, unwrap } from "./wrapped/unwrap.ts";

/**
 * Opens the archive in `stored`.
 * @throws ArchiveDamaged when it is damaged (with the byte offset), or of a format, version or encoding that cannot be
 * read: codes `unsupported_format`, `unsupported_version`, `unsupported_encoding`, `empty_file`, `truncated`,
 * `nested_too_deep`, `expands_too_much`, …. @throws UsageError (`encrypted`) where no key at hand opens it.
 */
export async function openArchive(stored: ByteSource, options: OpenOptions = {}): Promise<Archive> {
  const expansion = new Expansion(options.maxExpansion);
  const inside = await unwrap(stored, options, expansion);
  try {
    const archive = await withCopyRows(await archiveIn(inside, options, expansion), options.signal);
    sources.set(archive, inside.source);
    return archive;
  } catch (error) {
    await releaseSource(inside.source);
    throw error;
  }
}

/**
 * What a listing shows of the archive in `stored`. Of a script only the first lines are read, so that whatever is wrong with
 * the rest, or with the choice of a database, is not found. @throws as {@link openArchive}.
 */
export async function readHeaderOf(
  stored: ByteSource,
  options: OpenOptions = {},
): Promise<Pick<Archive, "header" | "wrapping">> {
  const expansion = new Expansion(options.maxExpansion);
  const inside = await unwrap(stored, options, expansion);
  try {
    if (inside.found.kind === "script") {
      return { header: await readScriptStart(inside.source, options.signal), wrapping: inside.wrapping };
    }
    return await archiveIn(inside, options, expansion);
  } finally {
    await releaseSource(inside.source);
  }
}

const sources = new WeakMap<Archive, ByteSource>();

/**
 * To be called when all of an archive's data that is wanted has been read: reads on to the end of a compressed file, whose
 * checksum proves what was read only then. @throws ArchiveDamaged, SourceFailed, Interrupted
 */
export async function finishArchive(archive: Archive, signal?: AbortSignal): Promise<void> {
  const source = sources.get(archive);
  if (source !== undefined) {
    await finishSource(source, signal);
  }
}

/**
 * Ends what an archive keeps open between reads: the decoder of a compressed file with its socket or file. To be called by
 * who has no more to read; whoever reads all the same begins the file again.
 */
export async function closeArchive(archive: Archive): Promise<void> {
  const source = sources.get(archive);
  if (source !== undefined) {
    await releaseSource(source);
  }
}

async function archiveIn(inside: Unwrapped, options: OpenOptions, expansion: Expansion): Promise<Archive> {
  const { source, wrapping, found } = inside;
  switch (found.kind) {
    case "custom":
      return new CustomArchive(source, await contentsOf(source, options.signal), wrapping, expansion.limit());
    case "tar":
      return await openTar(source, { wrapping, limit: expansion.limit(), signal: options.signal });
    case "script":
      return await openScript(source, options, wrapping);
  }
}

async function contentsOf(source: ByteSource, signal: AbortSignal | undefined): Promise<Contents> {
  const reader = new ByteReader(source.read(0, source.size ?? undefined, signal), 0, signal);
  try {
    return await readContents(reader, source.size, "custom");
  } finally {
    await reader.close();
  }
}
