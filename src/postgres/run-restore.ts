/**
 * The restore engine: executes an archive's TOC in a fresh database. Mirrors `RestoreArchive` with `-j`
 * (REL_18 pg_backup_archiver.c).
 *
 * Order: pre-data on one connection; data and post-data as one graph over all connections; privileges; refreshes; event
 * triggers. Invariants: every refusal ends the run (fail closed); the engine knows no erasure: rows come from the caller;
 * all connections are closed when it returns or throws, so that the database can be renamed or dropped.
 */
import type { Archive, TocEntry } from "../archive/model.ts";
import { throwIfAborted } from "../errors.ts";
import { connect, type ServerConnection } from "./connection.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import { copyIn } from "./copy-in.ts";
import { applyState, describeEntry, executeInBatches, executeStep, type Worker } from "./execute-steps.ts";
import { quoteQualified } from "./identifiers.ts";
import { writeLargeObjects } from "./large-objects.ts";
import { type LoadTask, loadTasks } from "./load-tasks.ts";
import { type PlanOptions, partitionRoot, planRestore, type RestorePlan, type Step } from "./restore-order.ts";
import { runTasks, type Task } from "./schedule.ts";
import { prepareSession } from "./session.ts";
import { SessionState } from "./session-state.ts";

export type PhaseName = "pre-data" | "data" | "post-data" | "privileges" | "refresh";

export interface TableRows {
  /** Taken instead of the entry's own COPY statement. */
  readonly statement?: string;
  /** COPY text, with or without the closing `\.` line. */
  readonly data: AsyncIterable<Buffer>;
}

export interface TableResult {
  /** As PostgreSQL's COPY counted them. */
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
}

export type RestoreEvent =
  | { readonly kind: "phase"; readonly phase: PhaseName /** Entries to execute. */; readonly entries: number }
  | { readonly kind: "table-started"; readonly entry: TocEntry }
  | { readonly kind: "bytes"; readonly entry: TocEntry; readonly bytes: number }
  | { readonly kind: "table-done"; readonly entry: TocEntry; readonly result: TableResult }
  | { readonly kind: "entry-done"; readonly entry: TocEntry; readonly phase: PhaseName };

export interface RestoreEngineOptions {
  /** Connections at a time in the parallel phase, 1 or more. */
  readonly jobs: number;
  /** The side database, freshly made from template0. */
  readonly settings: ConnectionSettings;
  readonly archive: Archive;
  /** The rows to load for one TABLE DATA entry. Several are read at once unless `jobs` is 1. */
  readonly tableData: (entry: TocEntry, signal: AbortSignal) => TableRows | Promise<TableRows>;
  /** True for TABLE DATA and BLOBS entries whose data is not loaded. */
  readonly skipData?: (entry: TocEntry) => boolean;
  /** Looks at a table's rows in the database, once they are all in; whatever it throws ends the run. */
  readonly checkTable?: (entry: TocEntry, connection: ServerConnection) => Promise<void>;
  /** Large objects left out entirely: object, data, comments, privileges. */
  readonly skipLargeObjects?: ReadonlySet<number>;
  readonly onEvent?: (event: RestoreEvent) => void;
  readonly signal?: AbortSignal;
}

export interface RestoreResult {
  /** By dump ID of the TABLE DATA entry. */
  readonly tables: ReadonlyMap<number, TableResult>;
  readonly largeObjects: number;
  /** In the order they ran. */
  readonly phases: readonly { readonly name: PhaseName; readonly seconds: number }[];
  /** Entries that are never restored, such as statistics, which hold column values. */
  readonly leftOut: readonly TocEntry[];
}

/**
 * Restores everything but what belongs to the database itself, which waits for go-live.
 * @throws PostgresFailed, ArchiveDamaged, Interrupted, or what `tableData` throws; the database is then half-filled.
 */
export async function runRestore(options: RestoreEngineOptions): Promise<RestoreResult> {
  return await new Restore(options).execute();
}

class Restore {
  readonly #options: RestoreEngineOptions;
  readonly #abort = new AbortController();
  readonly #connections: ServerConnection[] = [];
  readonly #workers: Worker[] = [];
  readonly #tables = new Map<number, TableResult>();
  readonly #phases: { name: PhaseName; seconds: number }[] = [];
  #largeObjects = 0;

  constructor(options: RestoreEngineOptions) {
    this.#options = options;
  }

  async execute(): Promise<RestoreResult> {
    const { signal } = this.#options;
    throwIfAborted(signal);
    const stop = () => this.#abort.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await this.#recipe();
    } finally {
      signal?.removeEventListener("abort", stop);
      await Promise.all(this.#connections.map((connection) => connection.close()));
    }
  }

  async #recipe(): Promise<RestoreResult> {
    const first = await this.#connect();
    const plan = planRestore(this.#options.archive, planOptions(this.#options, first.serverVersion));
    await this.#admit(first, plan);
    await this.#serially("pre-data", plan.preData);
    while (this.#workers.length < this.#options.jobs) {
      await this.#admit(await this.#connect(), plan);
    }
    await this.#load(plan);
    await this.#serially("privileges", plan.acl);
    await this.#postAcl(plan.postAcl);
    return {
      tables: this.#tables,
      largeObjects: this.#largeObjects,
      phases: this.#phases,
      leftOut: plan.leftOut,
    };
  }

  async #connect(): Promise<ServerConnection> {
    const connection = await connect(this.#options.settings, this.#abort.signal);
    this.#connections.push(connection);
    return connection;
  }

  async #admit(connection: ServerConnection, { session }: RestorePlan): Promise<void> {
    this.#workers.push({ connection, state: new SessionState(session.searchPath === null, connection.serverVersion) });
    await prepareSession(connection, session);
  }

  async #serially(phase: PhaseName, steps: readonly Step[]): Promise<void> {
    this.#emit({ kind: "phase", phase, entries: steps.length });
    await this.#timed(phase, () =>
      executeInBatches(this.#worker(0), steps, ({ entry }) => this.#emit({ kind: "entry-done", entry, phase })),
    );
  }

  /** Data and post-data together; "data" ends with the last row, "post-data" with the last entry. */
  async #load(plan: RestorePlan): Promise<void> {
    const { archive, checkTable, jobs } = this.#options;
    const tasks = loadTasks(plan, archive, checkTable !== undefined);
    let left = tasks.filter((task) => task.isData).length;
    this.#emit({ kind: "phase", phase: "data", entries: tasks.length });
    const started = performance.now();
    let dataEnded = started;
    await this.#inParallel(tasks, jobs, async (task, worker, signal) => {
      await this.#perform(task, worker, signal, plan);
      if (!task.isData) return;
      dataEnded = performance.now();
      left--;
      if (left === 0) this.#emit({ kind: "phase", phase: "post-data", entries: tasks.length });
    });
    this.#phases.push(
      { name: "data", seconds: (dataEnded - started) / 1000 },
      { name: "post-data", seconds: (performance.now() - dataEnded) / 1000 },
    );
  }

  async #perform(task: LoadTask, worker: Worker, signal: AbortSignal, plan: RestorePlan): Promise<void> {
    const { entry } = task.steps[0]!;
    if (task.kind === "check") return await this.#options.checkTable?.(entry, worker.connection);
    if (task.kind === "table") return await this.#loadTable(entry, worker, signal, plan.createdTables);
    if (task.kind === "large-objects")
      return await this.#loadLargeObjects(entry, worker, signal, plan.createLargeObjects);
    const phase = task.isData ? "data" : "post-data";
    if (task.kind === "sql") await executeStep(worker, task.steps[0]!);
    else await executeInBatches(worker, task.steps, () => undefined);
    for (const step of task.steps) this.#emit({ kind: "entry-done", entry: step.entry, phase });
  }

  async #loadTable(entry: TocEntry, worker: Worker, signal: AbortSignal, created: ReadonlySet<number>): Promise<void> {
    const started = performance.now();
    this.#emit({ kind: "table-started", entry });
    await applyState(worker, entry);
    const { statement, data } = await this.#options.tableData(entry, signal);
    const isOurs = entry.dependencies.some((id) => created.has(id));
    const { rows, bytes } = await copyIn(worker.connection, statement ?? entry.copyStmt ?? "", data, {
      what: describeEntry(entry),
      encoding: this.#options.archive.encoding,
      // Rows routed through the root may be in this leaf already.
      ...(isOurs && partitionRoot(entry) === null ? { truncate: quoteQualified(entry.namespace, entry.tag) } : {}),
      onBytes: (count) => this.#emit({ kind: "bytes", entry, bytes: count }),
    });
    const result = { rows, bytes, seconds: (performance.now() - started) / 1000 };
    this.#tables.set(entry.dumpId, result);
    this.#emit({ kind: "table-done", entry, result });
  }

  async #loadLargeObjects(entry: TocEntry, worker: Worker, signal: AbortSignal, create: boolean): Promise<void> {
    const objects = this.#options.archive.largeObjects(entry, signal);
    const result = await writeLargeObjects(worker.connection, objects, {
      what: describeEntry(entry),
      skipOids: this.#options.skipLargeObjects ?? new Set(),
      create,
      onBytes: (count) => this.#emit({ kind: "bytes", entry, bytes: count }),
    });
    this.#largeObjects += result.objects;
    this.#emit({ kind: "entry-done", entry, phase: "data" });
  }

  /** Refreshes in parallel by their dependencies; what is left (event triggers) in order afterwards. */
  async #postAcl(steps: readonly Step[]): Promise<void> {
    const refreshes = steps.filter(({ entry }) => entry.desc === "MATERIALIZED VIEW DATA");
    const rest = steps.filter(({ entry }) => entry.desc !== "MATERIALIZED VIEW DATA");
    const tasks = refreshes.map((step): Task & { step: Step } => ({
      id: step.entry.dumpId,
      cost: 1,
      after: step.entry.dependencies,
      locks: [],
      touches: [],
      step,
    }));
    this.#emit({ kind: "phase", phase: "refresh", entries: steps.length });
    const done = ({ entry }: Step) => this.#emit({ kind: "entry-done", entry, phase: "refresh" });
    await this.#timed("refresh", async () => {
      await this.#inParallel(tasks, this.#options.jobs, async ({ step }, worker) => {
        await executeStep(worker, step);
        done(step);
      });
      await executeInBatches(this.#worker(0), rest, done);
    });
  }

  /** The first failure also cuts the other connections: their statements could run for hours. */
  async #inParallel<T extends Task>(
    tasks: readonly T[],
    jobs: number,
    run: (task: T, worker: Worker, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const attempt = async (task: T, index: number, signal: AbortSignal) => {
      const cut = () => this.#abort.abort(signal.reason);
      signal.addEventListener("abort", cut, { once: true });
      try {
        await run(task, this.#worker(index), signal);
      } finally {
        signal.removeEventListener("abort", cut);
      }
    };
    await runTasks(tasks, jobs, attempt, this.#abort.signal);
  }

  async #timed(name: PhaseName, work: () => Promise<void>): Promise<void> {
    const started = performance.now();
    await work();
    this.#phases.push({ name, seconds: (performance.now() - started) / 1000 });
  }

  #worker(index: number): Worker {
    return this.#workers[index]!;
  }

  #emit(event: RestoreEvent): void {
    this.#options.onEvent?.(event);
  }
}

function planOptions(options: RestoreEngineOptions, serverVersion: number): PlanOptions {
  const { skipData, skipLargeObjects } = options;
  return {
    serverVersion,
    ...(skipData === undefined ? {} : { skipData }),
    ...(skipLargeObjects === undefined ? {} : { skipLargeObjects }),
  };
}
