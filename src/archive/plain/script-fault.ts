/**
 * What is wrong with a script, found while its bytes are at hand: the line's number is looked up afterwards, since counting
 * lines would slow down every reading for the sake of the few that fail.
 *
 * Invariant: `fact` and `hint` never quote the script beyond names of commands and settings.
 */

import { ArchiveDamaged } from "../../errors.ts";
import type { ByteSource } from "../model.ts";

/** Reading further than this only to tell a line's number would keep the operator waiting. */
const COUNTED_BYTES = 1024 * 1024 * 1024;

export class ScriptFault extends Error {
  readonly code: string;
  readonly hint: string;
  /** Absolute. */
  readonly offset: number;

  constructor(code: string, fact: string, offset: number, hint: string) {
    super(fact);
    this.name = "ScriptFault";
    this.code = code;
    this.offset = offset;
    this.hint = hint;
  }
}

const INCOMPLETE = "the file is incomplete; restore another backup, or copy this one again";

/** The script ends where more must follow. */
export function endsInside(what: string, offset: number): ScriptFault {
  return new ScriptFault("truncated", `the script ends inside ${what}, which begins`, offset, INCOMPLETE);
}

export function incomplete(fact: string, offset: number): ScriptFault {
  return new ScriptFault("truncated", fact, offset, INCOMPLETE);
}

/** A fault as the error to show, with line and byte. Reads the file up to there. */
export async function shownFault(
  fault: ScriptFault,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<ArchiveDamaged> {
  const line = fault.offset > COUNTED_BYTES ? null : await lineAt(source, fault.offset, signal);
  const where = line === null ? "" : `line ${line}, `;
  return new ArchiveDamaged(`${fault.message} at ${where}byte ${fault.offset}`, {
    code: fault.code,
    hint: fault.hint,
    cause: fault,
  });
}

/** The number, from 1, of the line that byte `offset` is in. */
async function lineAt(source: ByteSource, offset: number, signal?: AbortSignal): Promise<number> {
  let line = 1;
  if (offset === 0) return line;
  for await (const bytes of source.read(0, offset, signal)) {
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) line++;
  }
  return line;
}
