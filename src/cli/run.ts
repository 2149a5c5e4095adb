/** What the commands that run an operation have in common: context, progress, printing of evidence. */
import { InvalidArgumentError } from "commander";
import type { EvidenceDocument } from "../evidence/document.ts";
import type { RunResult } from "../operations/run-evidence.ts";
import type { RunContext, Settings } from "../operations/settings.ts";
import { type ConfigOverrides, readConfig } from "./config.ts";
import { evidenceText } from "./evidence-text.ts";
import type { CommandIo } from "./io.ts";

/** Reads the configuration and runs an operation with progress on stderr; prints its evidence and passes its error on. */
export async function runWithEvidence(
  io: CommandIo,
  overrides: ConfigOverrides,
  operation: (run: RunContext) => Promise<RunResult>,
): Promise<RunResult> {
  const settings = await readConfig(io.options.config, io.environment, overrides);
  const result = await withProgress(io, settings, operation);
  printEvidence(io, result.evidence, result.location);
  if (result.error !== undefined) throw result.error;
  return result;
}

export async function withProgress<T>(
  io: CommandIo,
  settings: Settings,
  operation: (run: RunContext) => Promise<T>,
): Promise<T> {
  const progress = await io.progress();
  let result: T | undefined;
  try {
    result = await operation({
      settings,
      signal: io.signal,
      now: () => new Date(),
      onEvent: (event) => progress.event(event),
    });
    return result;
  } finally {
    const failed = result === undefined || (result as { error?: unknown }).error !== undefined;
    progress.stop(failed ? undefined : "");
  }
}

function printEvidence(io: CommandIo, evidence: EvidenceDocument, location: string | null): void {
  if (io.options.json) io.print(JSON.stringify(evidence, null, 2));
  else if (evidence.tables) io.print(evidenceText(evidence));
  if (location) io.note(`evidence: ${location}`);
}

/** The flag of every command that reads a backup. */
export interface DatabaseFlag {
  readonly database?: string;
}

export const databaseOption = [
  "--database <name>",
  "which database of a pg_dumpall script (otherwise source.database)",
] as const;

/** A whole number from a flag. @throws InvalidArgumentError, to which commander adds the flag's name. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It has to be a whole number from ${min} to ${max}.`);
  };
}
