/** What a script's first lines say of it: enough for a listing, without reading the script. */

import { ByteReader } from "../byte-reader.ts";
import type { ArchiveHeader, ByteSource } from "../model.ts";
import { ScriptUnits } from "./script-units.ts";

/** pg_dump's own first lines take a few hundred bytes. */
const START_BYTES = 8 * 1024;
/** Scripts have no version; what reads archives asks for one. */
const NEWEST_MINOR = 16;

/** The header of a script. What its first lines do not tell is empty. */
export async function readScriptStart(source: ByteSource, signal?: AbortSignal): Promise<ArchiveHeader> {
  const reader = new ByteReader(source.read(0, Math.min(START_BYTES, source.size ?? START_BYTES), signal), 0, signal);
  const units = new ScriptUnits();
  try {
    await reader.fill(START_BYTES);
    const lines = reader.window.toString("latin1").split("\n").slice(0, -1);
    for (const line of lines) {
      if (line.startsWith("--")) units.comment(Buffer.from(line, "latin1"), 0);
      else if (line !== "" && !line.startsWith("\\restrict ")) break;
    }
  } finally {
    await reader.close();
  }
  return scriptHeader(units.unit, "");
}

/** A script's header in the form of an archive's. */
export function scriptHeader(unit: ScriptUnits["unit"] | null | undefined, database: string): ArchiveHeader {
  return {
    format: "plain",
    version: "plain",
    minor: NEWEST_MINOR,
    intSize: 4,
    offsetSize: 8,
    compression: "none",
    compressionLevel: null,
    createdAt: unit?.startedAt ?? null,
    database,
    serverVersion: unit?.serverVersion ?? "",
    dumpVersion: unit?.dumpVersion ?? "",
  };
}
