/** A run's progress: one living line on a terminal, steady plain lines elsewhere. */
import type { RunEvent } from "../operations/settings.ts";

export interface Progress {
  event(event: RunEvent): void;
  /** Ends the display; with a text, as its last line. */
  stop(text?: string): void;
}

/** Seconds between two plain lines about the same phase. */
const lineInterval = 5;

/** Adds up events into one sentence. */
class RunState {
  phase = "";
  private phaseStarted = Date.now();
  private tables = 0;
  private tablesDone = 0;
  private totalBytes = 0;
  private rows = 0;
  private bytes = 0;
  private stepsDone = 0;
  private steps = 0;

  apply(event: RunEvent): void {
    switch (event.type) {
      case "phase":
        this.phase = event.name;
        this.phaseStarted = Date.now();
        this.tablesDone = this.rows = this.bytes = this.steps = this.stepsDone = this.tables = 0;
        break;
      case "size":
        this.tables = event.tables;
        this.totalBytes = event.bytes;
        break;
      case "table":
        if (event.state === "done") this.tablesDone++;
        break;
      case "progress":
        this.rows += event.rows;
        this.bytes += event.bytes;
        break;
      case "steps":
        this.stepsDone = event.done;
        this.steps = event.total;
        break;
      case "note":
        break;
    }
  }

  sentence(): string {
    const seconds = (Date.now() - this.phaseStarted) / 1000;
    const parts = [this.phase];
    if (this.tables > 0) parts.push(`${this.tablesDone}/${this.tables} tables`);
    if (this.rows > 0) parts.push(`${this.rows.toLocaleString("en")} rows`);
    if (this.bytes > 0 && seconds > 0.5) parts.push(`${(this.bytes / 1e6 / seconds).toFixed(1)} MB/s`);
    if (this.steps > 0) parts.push(`${this.stepsDone}/${this.steps} steps`);
    const left = this.secondsLeft(seconds);
    if (left !== null) parts.push(`about ${duration(left)} left`);
    return parts.join(" · ");
  }

  /** A phase that has ended, without shares of a whole that no longer matters. */
  summary(): string {
    const seconds = (Date.now() - this.phaseStarted) / 1000;
    const rows = this.rows > 0 ? ` · ${this.rows.toLocaleString("en")} rows` : "";
    return `${this.phase}${rows} · ${seconds.toFixed(1)} s`;
  }

  /** From the share of the archive's bytes that has been read; `null` while that says nothing yet. */
  private secondsLeft(seconds: number): number | null {
    if (this.totalBytes <= 0 || this.bytes < this.totalBytes * 0.02 || seconds < 2) return null;
    return Math.max(0, (seconds * (this.totalBytes - this.bytes)) / this.bytes);
  }
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Plain lines: one a phase, one a finished table of some size, and a sign of life every few seconds. */
export function progressLines(write: (line: string) => void): Progress {
  const state = new RunState();
  let last = Date.now();
  return {
    event: (event) => {
      state.apply(event);
      if (event.type === "note") write(event.text);
      else if (event.type === "phase") write(event.name);
      else if (event.type === "table" && event.state === "done" && event.seconds >= 1) {
        write(`  ${event.table}: ${event.rows.toLocaleString("en")} rows in ${event.seconds.toFixed(1)} s`);
      } else if (Date.now() - last > lineInterval * 1000) write(`  ${state.sentence()}`);
      else return;
      last = Date.now();
    },
    stop: (text) => {
      if (text) write(text);
    },
  };
}

/** A spinner with one line that follows the run. */
export async function progressSpinner(stream: NodeJS.WriteStream, color: boolean): Promise<Progress> {
  const { default: ora } = await import("ora");
  const spinner = ora({ stream, discardStdin: false, ...(color ? {} : { color: false as const }) });
  const state = new RunState();
  let phase = "";
  return {
    event: (event) => {
      if (event.type === "note") {
        spinner.clear();
        stream.write(`${event.text}\n`);
        return;
      }
      if (event.type === "phase" && spinner.isSpinning) spinner.succeed(state.summary());
      state.apply(event);
      if (phase !== state.phase) {
        phase = state.phase;
        spinner.start(state.sentence());
      } else spinner.text = state.sentence();
    },
    stop: (text) => {
      if (spinner.isSpinning) {
        if (text === undefined) spinner.fail(state.sentence());
        else spinner.succeed(state.summary());
      }
      if (text) stream.write(`${text}\n`);
    },
  };
}
