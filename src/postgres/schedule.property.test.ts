import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Interrupted } from "../errors.ts";
import { runTasks, type Task } from "./schedule.ts";

/** Any graph, with cycles, self-references and IDs that are no task. */
const anyTasks = fc
  .array(
    fc.record({
      cost: fc.nat(50),
      after: fc.array(fc.nat(25), { maxLength: 3 }),
      locks: fc.array(fc.nat(6), { maxLength: 2 }),
      uses: fc.array(fc.nat(6), { maxLength: 2 }),
    }),
    { maxLength: 25 },
  )
  .map((list) => list.map((task, id): Task => ({ id, ...task, touches: [...task.uses, ...task.locks] })));
const acyclic = anyTasks.map((tasks) =>
  tasks.map((task) => ({ ...task, after: task.after.filter((id) => id < task.id || id >= tasks.length) })),
);

/** Lets other promises run for a number of turns that depends on the task. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

describe("runTasks", () => {
  it("runs each task once, after its dependencies, never beside a conflicting one, on a free worker", async () => {
    await fc.assert(
      fc.asyncProperty(acyclic, fc.integer({ min: 1, max: 4 }), async (tasks, workers) => {
        const finished = new Set<number>();
        const running = new Map<number, Task>();
        await runTasks(tasks, workers, async (task, worker) => {
          for (const id of task.after) expect(id >= tasks.length || finished.has(id)).toBe(true);
          expect(finished.has(task.id)).toBe(false);
          expect(running.has(worker)).toBe(false);
          expect(worker).toBeGreaterThanOrEqual(0);
          expect(worker).toBeLessThan(workers);
          for (const other of running.values()) {
            expect(task.locks.some((id) => other.touches.includes(id))).toBe(false);
            expect(other.locks.some((id) => task.touches.includes(id))).toBe(false);
          }
          running.set(worker, task);
          await turns(task.cost % 7);
          running.delete(worker);
          finished.add(task.id);
        });
        expect(finished.size).toBe(tasks.length);
      }),
    );
  });

  it("ends with every task done even when the graph has cycles", async () => {
    await fc.assert(
      fc.asyncProperty(anyTasks, fc.integer({ min: 1, max: 4 }), async (tasks, workers) => {
        const done: number[] = [];
        await runTasks(tasks, workers, async (task) => {
          await turns(task.cost % 3);
          done.push(task.id);
        });
        expect(done.toSorted((a, b) => a - b)).toEqual(tasks.map((task) => task.id));
      }),
    );
  });

  it("throws the first error, after all have settled, and starts nothing after it", async () => {
    await fc.assert(
      fc.asyncProperty(acyclic, fc.integer({ min: 1, max: 4 }), fc.nat(24), async (tasks, workers, bad) => {
        fc.pre(bad < tasks.length);
        let active = 0;
        let failed = false;
        const run = runTasks(tasks, workers, async (task, _, signal) => {
          expect(failed).toBe(false);
          active++;
          await turns(task.cost % 5);
          active--;
          if (task.id === bad) {
            failed = true;
            throw new Error("first");
          }
          if (failed) expect(signal.aborted).toBe(true);
        });
        await expect(run).rejects.toThrow("first");
        expect(active).toBe(0);
      }),
    );
  });

  it("keeps the workers busy: n equal tasks on two workers never leave one idle", async () => {
    let active = 0;
    const seen: number[] = [];
    const tasks = Array.from({ length: 7 }, (_, id) => ({ id, cost: 1, after: [], locks: [], touches: [] }));
    await runTasks(tasks, 2, async () => {
      active++;
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(active);
      active--;
    });
    expect(seen).toEqual([2, 2, 2, 2, 2, 2, 1]);
  });

  it("starts with the longest chain, not with the largest task", async () => {
    const order: number[] = [];
    const task = (id: number, cost: number, after: number[] = []) => ({ id, cost, after, locks: [], touches: [] });
    await runTasks([task(1, 10), task(2, 4), task(3, 9, [2]), task(4, 9)], 1, async ({ id }) => {
      order.push(id);
    });
    expect(order).toEqual([2, 1, 3, 4]);
  });

  it("stops at the signal and waits for what runs", async () => {
    const abort = new AbortController();
    let settled = false;
    const tasks = [1, 2, 3].map((id) => ({ id, cost: 1, after: [], locks: [], touches: [] }));
    const run = runTasks(
      tasks,
      1,
      async (_task, _worker, signal) => {
        abort.abort();
        await turns(5);
        expect(signal.aborted).toBe(true);
        settled = true;
      },
      abort.signal,
    );
    await expect(run).rejects.toBeInstanceOf(Interrupted);
    expect(settled).toBe(true);
  });

  it("does not start at all when the signal is aborted already", async () => {
    const never = async () => expect.unreachable();
    const one = { id: 1, cost: 1, after: [], locks: [], touches: [] };
    await expect(runTasks([one], 1, never, AbortSignal.abort())).rejects.toBeInstanceOf(Interrupted);
  });
});
