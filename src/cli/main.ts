/**
 * The command line: reads arguments, sets up signals, runs one command, maps the outcome to an exit code. Everything heavy
 * is loaded by the command that needs it, so that `--help` is fast.
 */
import { Command, CommanderError, Option } from "commander";
import { exitCodeOf, Interrupted } from "../errors.ts";
import { toolVersion } from "../version.ts";
import { commands } from "./commands.ts";
import { commandIo, describeError, type GlobalOptions } from "./io.ts";

const exitCodes = `
Exit codes:
  0  done
  1  a defect of sanitize
  2  usage or configuration
  3  backup refused: too old, wrong region, not found
  4  ledger refused: broken, stale, wrong key
  5  policy refused: does not cover the backup
  6  target refused: not empty, no TLS, missing roles
  7  archive damaged or of an unknown kind
  8  source or network failed for good
  9  PostgreSQL refused something
  10 verification found a survivor or a wrong count
  130 interrupted`;

/** Runs the command line; never throws. Sets `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  // on Node 20 a promise that never settles would otherwise end in success
  process.exitCode = 1;
  const abort = new AbortController();
  const stopListening = onSignals(abort);
  toleratePipes();
  const program = buildProgram(abort.signal);
  try {
    await program.parseAsync([...argv]);
    process.exitCode = 0;
  } catch (error) {
    process.exitCode = report(error, globalOptions(program), abort.signal);
  } finally {
    stopListening();
  }
}

/** The whole command tree, for `main` and for the tests of the help. */
export function buildProgram(signal: AbortSignal): Command {
  const program = new Command("sanitize")
    .description("Restores a PostgreSQL backup so that erased people do not come back.")
    .version(toolVersion)
    .option("--config <file>", "configuration", "./sanitize.yaml")
    .option("--json", "print one JSON document on stdout", false)
    .option("--quiet", "no progress, no remarks", false)
    .option("--no-color", "no colours")
    .addOption(
      new Option("--log-format <format>", "form of the lines on stderr").choices(["text", "json"]).default("text"),
    )
    .addHelpText("after", exitCodes)
    .addHelpText(
      "after",
      `
Examples:
  sanitize demo                      the whole story, nothing to set up
  sanitize restore latest --dry-run  what a restore would remove, no database`,
    )
    .showHelpAfterError("(sanitize --help lists the commands)")
    .exitOverride();
  for (const register of commands) register(program, (command) => commandIo(globalOptions(command), signal, process));
  return program;
}

function globalOptions(command: Command): GlobalOptions {
  const options = command.optsWithGlobals<{
    config: string;
    json: boolean;
    quiet: boolean;
    color: boolean;
    logFormat: "text" | "json";
  }>();
  const plain = process.env.NO_COLOR !== undefined && process.env.NO_COLOR !== "";
  return { ...options, color: options.color && !plain && process.env.TERM !== "dumb" };
}

/**
 * A reader that went away (`| head`) silences the output and must not break off the run: half a load without its clean-up, or
 * requests not recorded, would be worse.
 */
function toleratePipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

/** The first signal asks the run to stop and clean up, the second ends the process at once. */
function onSignals(abort: AbortController): () => void {
  const stop = (): void => {
    if (abort.signal.aborted) process.exit(130);
    process.stderr.write("\nstopping; a second signal ends at once without cleaning up\n");
    abort.abort(new Interrupted());
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  return () => {
    process.off("SIGHUP", stop);
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
}

function report(error: unknown, options: GlobalOptions, signal: AbortSignal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const shown = signal.aborted ? signal.reason : error;
  process.stderr.write(`${describeError(shown, options)}\n`);
  return exitCodeOf(shown);
}
