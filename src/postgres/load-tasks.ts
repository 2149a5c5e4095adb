/**
 * The tasks of the parallel phase, data and post-data in one graph, so that a table's indexes start as soon as its rows
 * are in. Mirrors `repoint_table_dependencies` and `identify_locking_dependencies` (REL_18 pg_backup_archiver.c), and is
 * stricter where rows of a partition can arrive from elsewhere, or DDL on a parent reaches its partitions.
 *
 * Invariants: post-data waits for the rows of every table it depends on; only post-data other than INDEX locks a table;
 * triggers and foreign keys of a partitioned table wait for the rows of all its partitions. Pure.
 */
import type { Archive, TocEntry } from "../archive/model.ts";
import { columnTypes, indexEffort } from "./index-effort.ts";
import { partitionRoot, type RestorePlan, type Step } from "./restore-order.ts";
import type { Task } from "./schedule.ts";

export type LoadKind = "table" | "large-objects" | "sequences" | "sql" | "check";

export interface LoadTask extends Task {
  readonly kind: LoadKind;
  /** One, except for the sequences, which go together. */
  readonly steps: readonly Step[];
  /** Counts as data, not post-data. */
  readonly isData: boolean;
}

/** Effort of post-data entries that are no indexes, as a share of loading the rows of their table. */
const SHARE: Readonly<Record<string, number>> = {
  "FK CONSTRAINT": 0.2,
  "CHECK CONSTRAINT": 0.1,
};
const ROW_SECURITY = new Set(["ROW SECURITY", "POLICY"]);
/** Their DDL on a partitioned table touches the parent alone. */
const PARENT_ONLY = new Set(["INDEX", "CONSTRAINT", "INDEX ATTACH"]);

/** What of an archive decides the order of loading. */
export type LoadedArchive = Pick<Archive, "toc" | "sequential" | "dataOrder" | "storedSize">;

/**
 * With `checks` each table is looked at again once its rows are in: by a worker with nothing more urgent to do. The data of
 * an archive that can only be read forwards is loaded one entry after the other, as it lies in the file.
 */
export function loadTasks(plan: Pick<RestorePlan, "body">, archive: LoadedArchive, checks = false): LoadTask[] {
  const tasks = independentTasks(plan, archive.toc, (entry) => archive.storedSize(entry), checks);
  return archive.sequential ? inFileOrder(tasks, archive.dataOrder) : tasks;
}

function inFileOrder(tasks: readonly LoadTask[], order: readonly TocEntry[]): LoadTask[] {
  const loaded = new Set(tasks.flatMap(({ kind, id }) => (kind === "table" || kind === "large-objects" ? [id] : [])));
  const chain = order.map(({ dumpId }) => dumpId).filter((id) => loaded.has(id));
  const before = new Map(chain.slice(1).map((id, index) => [id, chain[index]!]));
  return tasks.map((task) => {
    const previous = before.get(task.id);
    return previous === undefined ? task : { ...task, after: [...task.after, previous] };
  });
}

function independentTasks(
  plan: Pick<RestorePlan, "body">,
  toc: readonly TocEntry[],
  size: (entry: TocEntry) => number | null,
  checks: boolean,
): LoadTask[] {
  const graph = tableGraph(plan.body, toc);
  const sequences = plan.body.filter(({ entry }) => entry.desc === "SEQUENCE SET");
  const rest = plan.body.filter(({ entry }) => entry.desc !== "SEQUENCE SET");
  const steps = rest.map((step) => stepTask(step, graph, size));
  const tasks = [
    ...(checks ? steps.map((task) => afterCheck(task, graph)) : steps),
    ...(checks
      ? rest.filter(({ entry }) => graph.rowsById.has(entry.dumpId)).map((step) => checkTask(step, graph))
      : []),
  ];
  const first = sequences[0];
  if (first === undefined) return tasks;
  const alone = { id: first.entry.dumpId, cost: 0, after: [], locks: [], touches: [] };
  return [{ ...alone, kind: "sequences", steps: sequences, isData: true }, ...tasks];
}

function stepTask(step: Step, graph: TableGraph, size: (entry: TocEntry) => number | null): LoadTask {
  const { entry } = step;
  const after = dependencies(step, graph);
  const isPostData = step.section === "post-data" && entry.section !== "none";
  const tables = isPostData ? after.filter((id) => graph.rowsById.has(id) || graph.tables.has(id)) : [];
  const share = isPostData ? shareOf(entry, graph) : 0;
  const rows = Math.max(0, ...tables.map((id) => size(graph.rowsById.get(id) ?? entry) ?? 0));
  return {
    id: entry.dumpId,
    cost: step.section === "data" ? (size(entry) ?? 0) : rows * share,
    after,
    locks: entry.desc === "INDEX" ? [] : tables,
    touches: after,
    kind: kindOf(entry),
    steps: [step],
    isData: step.section === "data",
  };
}

/** Reads only, so indexes may be built beside it; what locks the table waits. IDs below 0 are no entry's. */
function checkTask(step: Step, graph: TableGraph): LoadTask {
  const { dumpId } = step.entry;
  const after = [...new Set([dumpId, ...(graph.routedWith.get(dumpId) ?? [])])];
  return { id: -dumpId, cost: 0, after, locks: [], touches: after, kind: "check", steps: [step], isData: false };
}

/** Row security may hide from an owner what the check must see: it is switched on afterwards. */
function afterCheck(task: LoadTask, graph: TableGraph): LoadTask {
  if (!ROW_SECURITY.has(task.steps[0]?.entry.desc ?? "")) return task;
  return { ...task, after: [...task.after, ...task.after.filter((id) => graph.rowsById.has(id)).map((id) => -id)] };
}

function shareOf(entry: TocEntry, graph: TableGraph): number {
  if (entry.desc !== "INDEX" && entry.desc !== "CONSTRAINT") return SHARE[entry.desc] ?? 0;
  const table = entry.dependencies.flatMap((id) => graph.columns.get(id) ?? [])[0];
  return indexEffort(entry.defn ?? "", table?.() ?? new Map());
}

function kindOf(entry: TocEntry): LoadKind {
  if (!entry.hasData) return "sql";
  return entry.desc === "BLOBS" ? "large-objects" : "table";
}

/** Own dependencies, with those on tables turned into those on their rows. */
function dependencies(step: Step, graph: TableGraph): number[] {
  const { entry } = step;
  if (step.section !== "post-data") return [...new Set(entry.dependencies)];
  const found = new Set<number>();
  for (const id of entry.dependencies) {
    const own = graph.rowsOf.get(id);
    found.add(own ?? id);
    if (own !== undefined) for (const routed of graph.routedWith.get(own) ?? []) found.add(routed);
    if (!PARENT_ONLY.has(entry.desc)) for (const row of rowsBelow(id, graph)) found.add(row);
  }
  return [...found];
}

interface TableGraph {
  /** TABLE → how to learn the types of its columns. */
  readonly columns: ReadonlyMap<number, () => ReadonlyMap<string, string>>;
  /** TABLEs of the archive. */
  readonly tables: ReadonlySet<number>;
  /** TABLE → its TABLE DATA, of those that are loaded. */
  readonly rowsOf: ReadonlyMap<number, number>;
  readonly rowsById: ReadonlyMap<number, TocEntry>;
  /** Partitioned TABLE → the TABLEs attached to it. */
  readonly partitions: ReadonlyMap<number, readonly number[]>;
  /** TABLE DATA → all TABLE DATA that is routed through the same root: rows of one leaf may come with another's. */
  readonly routedWith: ReadonlyMap<number, readonly number[]>;
}

function tableGraph(body: readonly Step[], toc: readonly TocEntry[]): TableGraph {
  const tables = new Map(toc.filter((entry) => entry.desc === "TABLE").map((entry) => [entry.dumpId, entry]));
  const rows = body.map(({ entry }) => entry).filter((entry) => entry.desc === "TABLE DATA" && entry.hasData);
  const rowsOf = new Map<number, number>();
  for (const entry of rows) for (const table of entry.dependencies) rowsOf.set(table, entry.dumpId);
  const columns = [...tables.values()].map(
    (table) => [table.dumpId, once(() => columnTypes(table.defn ?? ""))] as const,
  );
  return {
    columns: new Map(columns),
    tables: new Set(tables.keys()),
    rowsOf,
    rowsById: new Map(rows.map((entry) => [entry.dumpId, entry])),
    partitions: partitionsOf(toc, tables),
    routedWith: routedTogether(rows),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** TABLE ATTACH has the child's name and depends on child and parent. */
function partitionsOf(toc: readonly TocEntry[], tables: ReadonlyMap<number, TocEntry>): Map<number, number[]> {
  const partitions = new Map<number, number[]>();
  for (const attach of toc) {
    if (attach.desc !== "TABLE ATTACH") continue;
    const both = [...new Set(attach.dependencies)].flatMap((id) => tables.get(id) ?? []);
    const isChild = (table: TocEntry) => table.tag === attach.tag && table.namespace === attach.namespace;
    const child = both.find(isChild);
    for (const parent of both) {
      if (child === undefined || isChild(parent)) continue;
      partitions.set(parent.dumpId, [...(partitions.get(parent.dumpId) ?? []), child.dumpId]);
    }
  }
  return partitions;
}

function routedTogether(rows: readonly TocEntry[]): Map<number, readonly number[]> {
  const byRoot = new Map<string, number[]>();
  for (const entry of rows) {
    const root = partitionRoot(entry);
    if (root !== null) byRoot.set(root, [...(byRoot.get(root) ?? []), entry.dumpId]);
  }
  return new Map([...byRoot.values()].flatMap((ids) => ids.map((id) => [id, ids] as const)));
}

function rowsBelow(table: number, graph: TableGraph, seen = new Set<number>()): number[] {
  if (seen.has(table)) return [];
  seen.add(table);
  return (graph.partitions.get(table) ?? []).flatMap((child) => {
    const own = graph.rowsOf.get(child);
    return [
      ...(own === undefined ? [] : [own, ...(graph.routedWith.get(own) ?? [])]),
      ...rowsBelow(child, graph, seen),
    ];
  });
}
