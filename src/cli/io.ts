/**
 * Where the command line's words go: results to stdout, everything else to stderr. `--json` leaves one JSON document on
 * stdout and nothing else.
 */
import { SanitizeError } from "../errors.ts";
import type { RunEvent } from "../operations/settings.ts";
import { type Progress, progressLines, progressSpinner } from "./progress.ts";

export interface GlobalOptions {
  readonly config: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
  readonly logFormat: "text" | "json";
}

/** What a command gets from `main`: nothing else touches the process. */
export interface CommandIo {
  readonly options: GlobalOptions;
  readonly signal: AbortSignal;
  readonly environment: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  /** A result, to stdout. */
  print(text: string): void;
  /** A remark, to stderr; silent under --quiet. */
  note(text: string): void;
  /** Renders a run's events on stderr until `stop`. */
  progress(): Promise<Progress>;
}

export function commandIo(options: GlobalOptions, signal: AbortSignal, process: NodeJS.Process): CommandIo {
  const log = (text: string): void => {
    process.stderr.write(
      options.logFormat === "json"
        ? `${JSON.stringify({ time: new Date().toISOString(), level: "info", message: text })}\n`
        : `${text}\n`,
    );
  };
  const note = (text: string): void => {
    if (!options.quiet) log(text);
  };
  const silent: Progress = { event: (_event: RunEvent) => undefined, stop: () => undefined };
  return {
    options,
    signal,
    environment: process.env,
    stdin: process.stdin,
    print: (text) => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`),
    note,
    progress: async () => {
      if (options.quiet) return silent;
      const terminal =
        process.stderr.isTTY === true && options.logFormat === "text" && !process.env.CI && process.env.TERM !== "dumb";
      return terminal ? await progressSpinner(process.stderr, options.color) : progressLines(log);
    },
  };
}

/** An error as the user reads it. A bug shows its stack, anything else its message and hint. */
export function describeError(error: unknown, options: Pick<GlobalOptions, "logFormat">): string {
  if (options.logFormat === "json") {
    const known = error instanceof SanitizeError ? { code: error.code, hint: error.hint } : { code: "bug" };
    const message = error instanceof SanitizeError ? error.message : "unexpected error";
    return JSON.stringify({ time: new Date().toISOString(), level: "error", message, ...known });
  }
  if (error instanceof SanitizeError) return `error: ${error.message}${error.hint ? `\nhint: ${error.hint}` : ""}`;
  // an unexpected error may quote anything: only where it happened is safe to show
  const stack = error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  const kind = error instanceof Error ? error.name : typeof error;
  return [
    `error: unexpected ${kind}; this is a defect of sanitize`,
    ...stack,
    "hint: report it with the lines above",
  ].join("\n");
}
