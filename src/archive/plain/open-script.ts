/**
 * Opens a plain SQL script, of pg_dump, pg_restore -f or pg_dumpall: reads it once to learn what is in it.
 *
 * Invariant: a script that opens is whole: its rows end, its statements end, and its dump says that it is complete.
 */

import type { Archive, ByteSource, OpenOptions } from "../model.ts";
import { chooseDatabase, globalsNeeded } from "./cluster.ts";
import { indexScript, type ScriptIndex } from "./index-script.ts";
import { PlainArchive } from "./plain-archive.ts";
import { ScriptFault, shownFault } from "./script-fault.ts";
import { scriptHeader } from "./script-start.ts";

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * @throws ArchiveDamaged `truncated`, `appended`, `crlf`, `nul_byte`, `psql_command`, `unsupported_statement`, … with line
 * and byte. @throws BackupRefused `database_not_named`, `database_not_found` for scripts of several databases.
 */
export async function openScript(
  source: ByteSource,
  options: OpenOptions = {},
  wrapping: readonly string[] = [],
): Promise<Archive> {
  const { signal } = options;
  try {
    const start = await markLength(source, signal);
    return chosenArchive(source, await indexScript(source, start, signal), options, start > 0, wrapping);
  } catch (error) {
    if (error instanceof ScriptFault) throw await shownFault(error, source, signal);
    throw error;
  }
}

function chosenArchive(
  source: ByteSource,
  index: ScriptIndex,
  options: OpenOptions,
  isMarked: boolean,
  wrapping: readonly string[],
): Archive {
  const { name, script, remarks } = chooseDatabase(index, options.database);
  const { section, unit } = script;
  const toc = section.finish();
  const ranges = new Map(section.drafts.map((draft) => [draft.dumpId, draft.ranges] as const));
  return new PlainArchive(
    source,
    {
      header: scriptHeader(unit, name === "" ? (toc.find(({ desc }) => desc === "DATABASE")?.tag ?? "") : name),
      toc,
      encoding: section.encoding ?? "UTF8",
      standardConformingStrings: section.standardConformingStrings,
      remarks: [...remarks, ...globalsNeeded(index, toc), ...remarksOf(source, index, isMarked)],
      ranges: new Map([...ranges].filter(([, found]) => found.length > 0)),
    },
    index.isCluster ? [...wrapping, "pg_dumpall"] : wrapping,
  );
}

function remarksOf(source: ByteSource, index: ScriptIndex, isMarked: boolean): string[] {
  const remarks: string[] = [];
  if (!index.isFramed) {
    remarks.push("the script has neither pg_dump's header nor its end: nothing tells whether it is all there");
  }
  if (isMarked) remarks.push("the script begins with a byte order mark: some editor or shell has rewritten it");
  if (source.sequential === true) {
    remarks.push("unpacked once more, to learn the indexes and foreign keys that a script has behind its rows");
  }
  return remarks;
}

async function markLength(source: ByteSource, signal: AbortSignal | undefined): Promise<number> {
  const found: Buffer[] = [];
  let length = 0;
  for await (const bytes of source.read(
    0,
    Math.min(BYTE_ORDER_MARK.length, source.size ?? BYTE_ORDER_MARK.length),
    signal,
  )) {
    found.push(bytes);
    length += bytes.length;
  }
  return Buffer.concat(found, length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
}
