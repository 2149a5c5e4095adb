/** What the lexer refuses, in words that quote nothing of the script but a psql command's name. */

import { ScriptFault } from "./script-fault.ts";

/** A psql command's name, which is all that is ever said of it. */
export function commandName(line: Buffer): string {
  return /^\\[a-zA-Z_]{1,20}|^\\[!?;.]/.exec(line.toString("latin1", 0, 24))?.[0] ?? "of an unknown name";
}

export function commandInside(rest: Buffer, offset: number): ScriptFault {
  return new ScriptFault(
    "psql_command",
    `a psql command ${commandName(rest)} inside a statement`,
    offset,
    "pg_dump writes none there; take it out of a copy of the script, or make the backup with pg_dump -Fc",
  );
}

export function carriageReturns(offset: number): ScriptFault {
  return new ScriptFault(
    "crlf",
    "the script's line ends are CR LF: git's autocrlf, a Windows editor or a transfer in text mode rewrote them, in the data too,",
    offset,
    "fetch the file again as binary, or make the backup with pg_dump -Fc",
  );
}

/** psql ends a comment there, and runs what follows. */
export function carriageInside(offset: number): ScriptFault {
  return new ScriptFault(
    "carriage_return",
    "a carriage return stands inside a comment or a psql command",
    offset,
    "pg_dump writes none there; make the backup with pg_dump -Fc",
  );
}

export function behindCopy(offset: number): ScriptFault {
  return new ScriptFault(
    "copy_statement",
    "something stands behind a COPY statement on its line",
    offset,
    "make the backup with pg_dump itself",
  );
}
