/**
 * Names of the databases a run makes beside its target.
 *
 * Invariants: at most 63 bytes of UTF-8, as PostgreSQL would otherwise cut the name itself; no character is split; the run
 * stays whole, so that two runs never meet.
 */
import { UsageError } from "../errors.ts";

const LIMIT = 63;
const INFIX = "__sanitize_";

/** `<name>__sanitize_<run>`, with the name shortened where needed. `run`: 1 to 40 of `a-z0-9_`. @throws UsageError */
export function sideDatabaseName(target: string, run: string): string {
  if (!/^[a-z0-9_]{1,40}$/.test(run)) {
    throw new UsageError("a run's name is made of up to 40 lower-case letters, digits and underscores", {
      code: "bad_run_name",
    });
  }
  return `${shorten(target, LIMIT - INFIX.length - run.length)}${INFIX}${run}`;
}

/** The name an empty target gets while it makes room. */
export function oldDatabaseName(target: string, run: string): string {
  return sideDatabaseName(target, `old_${run}`.slice(0, 40));
}

/** True for names that a run for this target may have made. The database's comment tells for certain. */
export function looksLikeSideDatabase(name: string, target: string): boolean {
  const at = name.lastIndexOf(INFIX);
  if (at < 0) return false;
  const run = name.slice(at + INFIX.length);
  return /^[a-z0-9_]{1,40}$/.test(run) && sideDatabaseName(target, run) === name;
}

function shorten(name: string, bytes: number): string {
  let kept = "";
  let used = 0;
  for (const character of name) {
    used += Buffer.byteLength(character);
    if (used > bytes) break;
    kept += character;
  }
  return kept;
}
