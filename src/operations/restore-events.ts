/** Translates the restore engine's events into those of a run. */
import { formatTableName } from "../policy/names.ts";
import type { RestoreEvent } from "../postgres/run-restore.ts";
import type { OpenBackup } from "./open-backup.ts";
import type { RunContext } from "./settings.ts";

const phaseNames: Readonly<Record<string, string>> = {
  "pre-data": "making schema",
  data: "loading rows",
  "post-data": "building indexes and constraints",
  privileges: "granting privileges",
  refresh: "refreshing views",
};

export function restoreEvents(run: RunContext, backup: OpenBackup): (event: RestoreEvent) => void {
  const tables = backup.archive.toc.filter((entry) => entry.desc === "TABLE DATA" && entry.hasData).length;
  let done = 0;
  let steps = 0;
  return (event) => {
    switch (event.kind) {
      case "phase":
        run.onEvent({ type: "phase", name: phaseNames[event.phase] ?? event.phase });
        if (event.phase === "data") run.onEvent({ type: "size", tables, bytes: backup.object.size });
        if (event.phase !== "post-data") done = 0;
        steps = event.entries;
        break;
      case "table-done": {
        const table = formatTableName({ schema: event.entry.namespace ?? "", name: event.entry.tag });
        run.onEvent({ type: "progress", rows: event.result.rows, bytes: 0 });
        run.onEvent({ type: "table", table, state: "done", rows: event.result.rows, seconds: event.result.seconds });
        break;
      }
      case "entry-done":
        done++;
        if (event.phase !== "data") run.onEvent({ type: "steps", done: Math.min(done, steps), total: steps });
        break;
      default:
        break;
    }
  };
}
