import type { Command } from "commander";
import type { CommandIo } from "./io.ts";

export type IoOf = (command: Command) => CommandIo;

/** Adds one command (and its subcommands) to the program; `io` is made when it runs. */
export type Register = (program: Command, io: IoOf) => void;
