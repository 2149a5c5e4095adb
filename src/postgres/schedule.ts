/**
 * Runs tasks on a fixed number of workers, in an order that respects dependencies and locks and finishes early: the task
 * with the longest chain of work behind it goes first. Mirrors `restore_toc_entries_parallel` and `pop_next_work_item`
 * (REL_18 pg_backup_archiver.c), which take the largest ready item instead.
 *
 * Invariants: a task starts after all it depends on have finished; two tasks never run together when one locks what the other
 * touches; at most `workers` run; the first error stops the start of others, aborts those that run, and is thrown after all
 * have settled. A cycle does not hang: what is left runs alone, in the order given.
 */
import { throwIfAborted } from "../errors.ts";
import { abortReason } from "./failure.ts";

export interface Task {
  readonly id: number;
  /** Expected effort in any one unit; 0 for what takes no time. */
  readonly cost: number;
  /** IDs that must have finished; IDs that are no task count as finished. */
  readonly after: readonly number[];
  /** What this task locks exclusively. */
  readonly locks: readonly number[];
  /** What this task uses, and so must not run together with a task that locks it. */
  readonly touches: readonly number[];
}

/** `worker` is 0 to workers-1; no two tasks have the same one at a time. */
export type TaskRunner<T extends Task> = (task: T, worker: number, signal: AbortSignal) => Promise<void>;

/** @throws the first error of a task, or the signal's reason. */
export async function runTasks<T extends Task>(
  tasks: readonly T[],
  workers: number,
  run: TaskRunner<T>,
  signal?: AbortSignal,
): Promise<void> {
  throwIfAborted(signal);
  await new Schedule(tasks, run, signal).execute(Math.max(1, workers));
}

class Schedule<T extends Task> {
  readonly #run: TaskRunner<T>;
  readonly #outer: AbortSignal | undefined;
  readonly #abort = new AbortController();
  readonly #waiting: Map<number, Set<number>>;
  readonly #dependents: Map<number, T[]>;
  /** Sorted by priority, highest first. */
  readonly #ready: T[] = [];
  readonly #priority: ReadonlyMap<number, number>;
  readonly #position: ReadonlyMap<number, number>;
  readonly #tasks: readonly T[];
  readonly #running = new Map<T, Promise<void>>();
  #failure: { readonly error: unknown } | null = null;
  #done = 0;

  constructor(tasks: readonly T[], run: TaskRunner<T>, signal: AbortSignal | undefined) {
    const known = new Set(tasks.map((task) => task.id));
    this.#tasks = tasks;
    this.#run = run;
    this.#outer = signal;
    this.#waiting = new Map(
      tasks.map((task) => [task.id, new Set(task.after.filter((id) => known.has(id) && id !== task.id))]),
    );
    this.#dependents = dependentsOf(tasks, this.#waiting);
    this.#priority = criticalPaths(tasks, this.#dependents, this.#waiting);
    this.#position = new Map(tasks.map((task, index) => [task.id, index]));
    for (const task of tasks) if (this.#waiting.get(task.id)?.size === 0) this.#enqueue(task);
  }

  async execute(workers: number): Promise<void> {
    const stop = () => this.#outer && this.#fail(abortReason(this.#outer));
    this.#outer?.addEventListener("abort", stop, { once: true });
    try {
      const idle = Array.from({ length: workers }, (_, index) => workers - 1 - index);
      for (;;) {
        this.#start(idle);
        if (this.#running.size === 0) break;
        await Promise.race(this.#running.values());
      }
    } finally {
      this.#outer?.removeEventListener("abort", stop);
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  #start(idle: number[]): void {
    while (idle.length > 0 && this.#failure === null) {
      const task = this.#next();
      if (task === null) return;
      const worker = idle.pop() ?? 0;
      const work = this.#perform(task, worker).finally(() => {
        this.#running.delete(task);
        idle.push(worker);
      });
      this.#running.set(task, work);
    }
  }

  async #perform(task: T, worker: number): Promise<void> {
    try {
      await this.#run(task, worker, this.#abort.signal);
      this.#finish(task);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The most urgent ready task that no running one conflicts with; with nothing ready and nothing running, a cycle's. */
  #next(): T | null {
    const index = this.#ready.findIndex((task) => ![...this.#running.keys()].some((other) => conflict(task, other)));
    if (index >= 0) return this.#ready.splice(index, 1)[0] ?? null;
    if (this.#running.size > 0 || this.#done === this.#tasks.length) return null;
    const stuck = this.#tasks.find((task) => (this.#waiting.get(task.id)?.size ?? 0) > 0);
    if (stuck !== undefined) this.#waiting.get(stuck.id)?.clear();
    return stuck ?? null;
  }

  #finish(task: T): void {
    this.#done++;
    for (const dependent of this.#dependents.get(task.id) ?? []) {
      const waiting = this.#waiting.get(dependent.id);
      if (waiting?.delete(task.id) && waiting.size === 0) this.#enqueue(dependent);
    }
  }

  #enqueue(task: T): void {
    let low = 0;
    let high = this.#ready.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isMoreUrgent(task, this.#ready[middle]!)) high = middle;
      else low = middle + 1;
    }
    this.#ready.splice(low, 0, task);
  }

  #isMoreUrgent(task: T, other: T): boolean {
    const difference = (this.#priority.get(task.id) ?? 0) - (this.#priority.get(other.id) ?? 0);
    if (difference !== 0) return difference > 0;
    return (this.#position.get(task.id) ?? 0) < (this.#position.get(other.id) ?? 0);
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    this.#abort.abort(error);
  }
}

function conflict(a: Task, b: Task): boolean {
  return a.locks.some((id) => b.touches.includes(id)) || b.locks.some((id) => a.touches.includes(id));
}

function dependentsOf<T extends Task>(
  tasks: readonly T[],
  waiting: ReadonlyMap<number, Set<number>>,
): Map<number, T[]> {
  const dependents = new Map<number, T[]>();
  for (const task of tasks) {
    for (const id of waiting.get(task.id) ?? []) {
      const list = dependents.get(id);
      if (list === undefined) dependents.set(id, [task]);
      else list.push(task);
    }
  }
  return dependents;
}

/** Cost of the longest chain that starts with each task; tasks in a cycle get their own cost. */
function criticalPaths<T extends Task>(
  tasks: readonly T[],
  dependents: ReadonlyMap<number, readonly T[]>,
  waiting: ReadonlyMap<number, ReadonlySet<number>>,
): Map<number, number> {
  const path = new Map<number, number>(tasks.map((task) => [task.id, task.cost]));
  const cost = new Map(tasks.map((task) => [task.id, task.cost]));
  const open = new Map(tasks.map((task) => [task.id, dependents.get(task.id)?.length ?? 0]));
  const ends = tasks.filter((task) => open.get(task.id) === 0).map((task) => task.id);
  for (let id = ends.pop(); id !== undefined; id = ends.pop()) {
    for (const before of waiting.get(id) ?? []) {
      path.set(before, Math.max(path.get(before) ?? 0, (cost.get(before) ?? 0) + (path.get(id) ?? 0)));
      const left = (open.get(before) ?? 0) - 1;
      open.set(before, left);
      if (left === 0) ends.push(before);
    }
  }
  return path;
}
