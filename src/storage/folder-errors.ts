/** What the file system says when something fails, in our own words. */

import { SanitizeError, SourceFailed, UsageError } from "../errors.ts";

interface Diagnosis {
  readonly code: string;
  readonly fact: string;
  readonly hint: string;
}

const DENIED: Diagnosis = {
  code: "access_denied",
  fact: "permission denied",
  hint: "check the permissions of the folder and of what is in it",
};
const NOT_A_FOLDER: Diagnosis = {
  code: "not_a_folder",
  fact: "a file is where a folder should be, or the other way round",
  hint: "give the url of a folder",
};
const FULL: Diagnosis = { code: "disk_full", fact: "no space is left", hint: "free space, then run again" };

const BY_CODE: Readonly<Record<string, Diagnosis>> = {
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: { code: "read_only", fact: "the file system is read-only", hint: "choose a folder that can be written" },
  ENOTDIR: NOT_A_FOLDER,
  EEXIST: NOT_A_FOLDER,
  EISDIR: NOT_A_FOLDER,
  ENOSPC: FULL,
  EDQUOT: FULL,
  ENAMETOOLONG: { code: "bad_key", fact: "the name is too long", hint: "use a shorter key" },
};

/** Whether there is nothing of that name. */
export function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(errnoOf(error));
}

/** The system's code (`EEXIST`), or an empty string for anything that is not the system's error. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "errno" in error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

/** The error to throw for a failed system call; anything else comes back as it is. */
export function diskFailure(error: unknown, doing: string, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === "" || error instanceof SanitizeError) {
    return error;
  }
  const diagnosis = BY_CODE[errno] ?? {
    code: "disk_failed",
    fact: "the file system failed",
    hint: "check the disk and the system's log",
  };
  const message = `${doing} ${path}: ${diagnosis.fact} (${errno})`;
  const details = { code: diagnosis.code, hint: diagnosis.hint, cause: error };
  return diagnosis === NOT_A_FOLDER ? new UsageError(message, details) : new SourceFailed(message, details);
}
