/**
 * Finds what goes in an archive that can only be read forwards, in as few readings of the file as its order allows: on the
 * way each table is read as soon as all it hangs on is known, and what came too early waits for the next reading.
 */
import type { TocEntry } from "../archive/model.ts";
import type { TablePlan } from "./table-plan.ts";

/** What is to be known, and how it is learnt. */
export interface ForwardReading {
  /** Entries with data as they lie in the file, as far as is known at the moment. */
  readonly order: () => readonly TocEntry[];
  readonly tables: ReadonlyMap<number, TablePlan>;
  /** Parents first; a group of several is a cycle. */
  readonly groups: readonly (readonly TablePlan[])[];
  readonly subjects: readonly TablePlan[];
  /** Something of the table must be known before rows are filtered, and is not yet. */
  readonly isWanted: (plan: TablePlan) => boolean;
  readonly read: (plan: TablePlan) => Promise<void>;
  /** All identifiers of the people are known. */
  readonly resolved: () => void;
  /** Reads tables that refer to each other, or to themselves, given in file order; tells how often it had to. */
  readonly readCycle: (plans: readonly TablePlan[]) => Promise<number>;
}

/** Reads until nothing is wanted. @returns why the file was read, once for each time from its beginning. */
export async function readForwards(task: ForwardReading): Promise<readonly string[]> {
  const readings: string[] = [];
  const unresolved = new Set(task.subjects);
  while (unresolved.size > 0 || task.groups.flat().some(task.isWanted)) {
    const names: string[] = [];
    for (const entry of task.order()) {
      const plan = task.tables.get(entry.dumpId);
      if (!plan || !(await readNow(plan, task, unresolved))) continue;
      names.push(plan.label);
    }
    if (names.length > 0) {
      readings.push(`to learn who and what goes from ${names.join(", ")}`);
      continue;
    }
    const cycle = firstCycle(task);
    if (cycle.length === 0) throw new RangeError("a table that must be read first is not among the archive's data");
    const rounds = await task.readCycle(cycle);
    const why = `to follow references within ${cycle.map(({ label }) => label).join(", ")}`;
    readings.push(...Array.from({ length: rounds }, () => why));
  }
  return readings;
}

async function readNow(plan: TablePlan, task: ForwardReading, unresolved: Set<TablePlan>): Promise<boolean> {
  if (unresolved.has(plan)) {
    await task.read(plan);
    unresolved.delete(plan);
    if (unresolved.size === 0) task.resolved();
    return true;
  }
  if (unresolved.size > 0 || !task.isWanted(plan) || !parentsKnown(plan, task)) return false;
  await task.read(plan);
  return true;
}

/** Every table that leaves keys for this one has been read. */
function parentsKnown(plan: TablePlan, { groups, isWanted }: ForwardReading): boolean {
  return plan.edges.every(
    (edge) =>
      !edge.cyclic &&
      !groups.flat().some((other) => isWanted(other) && other.exposes.some(({ keys }) => keys === edge.parents)),
  );
}

/** Nothing else can be read before a cycle that is still wanted: the first one, its tables as they lie in the file. */
function firstCycle({ groups, isWanted, order }: ForwardReading): readonly TablePlan[] {
  const wanted = groups.find((group) => group.some(isWanted))?.filter(isWanted) ?? [];
  const place = new Map(order().map((entry, index) => [entry.dumpId, index]));
  return wanted.toSorted((a, b) => (place.get(a.dumpId) ?? 0) - (place.get(b.dumpId) ?? 0));
}
