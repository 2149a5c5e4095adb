/**
 * Executes the SQL of TOC entries on one connection, many small ones to a message.
 *
 * Invariants: every refusal is fatal and names the entry; a batch is one implicit transaction, so when it fails nothing of it
 * stands, and its entries are repeated one by one to learn which was refused.
 */
import type { TocEntry } from "../archive/model.ts";
import type { ServerConnection } from "./connection.ts";
import { StatementRefused } from "./failure.ts";
import type { Step } from "./restore-order.ts";
import type { SessionState } from "./session-state.ts";

const BATCH_ENTRIES = 64;
const BATCH_CHARACTERS = 128 * 1024;
/** Statements that other sessions' locks crossed may be repeated: they were rolled back whole. */
const REPEATABLE = new Set(["40P01", "40001"]);
const ATTEMPTS = 4;

/** A connection with what is known of its settings. */
export interface Worker {
  readonly connection: ServerConnection;
  readonly state: SessionState;
}

/** `TABLE public.users (entry 220)`: object names are the schema's, not a person's. */
export function describeEntry(entry: TocEntry): string {
  const name = entry.namespace ? `${entry.namespace}.${entry.tag}` : entry.tag;
  return `${entry.desc} ${name.replaceAll(/\s+/g, " ")} (entry ${entry.dumpId})`;
}

/** In order. @throws PostgresFailed at the first refusal. */
export async function executeInBatches(
  worker: Worker,
  steps: readonly Step[],
  onDone: (step: Step) => void,
): Promise<void> {
  let batch: Step[] = [];
  let characters = 0;
  for (const step of steps) {
    const length = step.statements.reduce((sum, sql) => sum + sql.length, 0);
    if (batch.length > 0 && (batch.length >= BATCH_ENTRIES || characters + length > BATCH_CHARACTERS)) {
      await executeBatch(worker, batch, onDone);
      batch = [];
      characters = 0;
    }
    batch.push(step);
    characters += length;
  }
  if (batch.length > 0) await executeBatch(worker, batch, onDone);
}

async function executeBatch(worker: Worker, batch: readonly Step[], onDone: (step: Step) => void): Promise<void> {
  const sql = batch.flatMap((step) => [...worker.state.statementsFor(step.entry), ...step.statements]).join("\n");
  try {
    await worker.connection.run(sql, `${batch.length} entries from ${describeEntry(batch[0]!.entry)}`);
    for (const step of batch) onDone(step);
    return;
  } catch (error) {
    if (!(error instanceof StatementRefused)) throw error;
  }
  worker.state.reset();
  for (const step of batch) {
    await executeStep(worker, step);
    onDone(step);
  }
}

/** One entry, in one message. Repeats what a deadlock rolled back. @throws PostgresFailed naming the entry. */
export async function executeStep(worker: Worker, step: Step): Promise<void> {
  const what = describeEntry(step.entry);
  for (let attempt = 1; ; attempt++) {
    try {
      const sql = [...worker.state.statementsFor(step.entry), ...step.statements].join("\n");
      await worker.connection.run(sql, what);
      return;
    } catch (error) {
      worker.state.reset();
      if (!(error instanceof StatementRefused && REPEATABLE.has(error.sqlState)) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Only for the state's sake: the SETs that an entry's data needs. */
export async function applyState(worker: Worker, entry: TocEntry): Promise<void> {
  const statements = worker.state.statementsFor(entry);
  if (statements.length > 0) await worker.connection.run(statements.join("\n"), describeEntry(entry));
}
