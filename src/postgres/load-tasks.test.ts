import { describe, expect, it } from "vitest";
import type { TocEntry } from "../archive/model.ts";
import { type LoadTask, loadTasks } from "./load-tasks.ts";
import { planRestore } from "./restore-order.ts";
import { archiveOf, tocEntry } from "./testing/toc.ts";

const defn = "SELECT 1;\n";
function table(dumpId: number, tag: string) {
  return tocEntry({ dumpId, desc: "TABLE", tag, namespace: "s", defn });
}
function rows(dumpId: number, of: number, root?: string) {
  return tocEntry({
    dumpId,
    desc: "TABLE DATA",
    section: "data",
    hasData: true,
    copyStmt: "COPY x FROM stdin;",
    dependencies: [of],
    defn: root === undefined ? null : `-- load via partition root ${root}`,
  });
}
function post(dumpId: number, desc: string, dependencies: number[]) {
  return tocEntry({ dumpId, desc, section: "post-data", defn, dependencies });
}
function attach(dumpId: number, child: number, parent: number, tag: string) {
  return tocEntry({ dumpId, desc: "TABLE ATTACH", tag, namespace: "s", defn, dependencies: [child, parent] });
}

function tasksOf(...toc: TocEntry[]): Map<number, LoadTask> {
  const sizes = new Map(toc.map((entry) => [entry.dumpId, entry.dumpId * 10]));
  const tasks = loadTasks(planRestore(archiveOf({ toc })), {
    ...archiveOf({ toc }),
    storedSize: (entry) => sizes.get(entry.dumpId) ?? null,
  });
  return new Map(tasks.map((task) => [task.id, task]));
}

describe("loadTasks", () => {
  it("loads what can only be read forwards one by one, as it lies in the file, indexes beside it", () => {
    const toc = [table(1, "a"), table(2, "b"), rows(3, 1), rows(4, 2), post(5, "INDEX", [2])];
    const archive = { ...archiveOf({ toc }), sequential: true, dataOrder: [toc[3]!, toc[2]!] };
    const tasks = loadTasks(planRestore(archive), archive);
    expect(tasks.map(({ id, after }) => [id, after])).toEqual([
      [3, [1, 4]],
      [4, [2]],
      [5, [4]],
    ]);
  });

  it("makes post-data wait for the rows of its table, and lock them unless it is an INDEX", () => {
    const tasks = tasksOf(table(1, "t"), rows(2, 1), post(3, "INDEX", [1, 1]), post(4, "CONSTRAINT", [1]));
    expect(tasks.get(3)).toMatchObject({ after: [2], locks: [], touches: [2], isData: false });
    expect(tasks.get(4)).toMatchObject({ after: [2], locks: [2], touches: [2] });
    expect(tasks.get(2)).toMatchObject({ kind: "table", isData: true, cost: 20 });
    expect(tasks.get(3)?.cost).toBeGreaterThan(0);
  });

  it("locks a table that has no rows to load", () => {
    const tasks = tasksOf(table(1, "t"), post(3, "TRIGGER", [1]), post(4, "INDEX", [1]));
    expect(tasks.get(3)).toMatchObject({ after: [1], locks: [1] });
    expect(tasks.get(4)).toMatchObject({ locks: [], touches: [1] });
  });

  it("makes triggers and foreign keys of a partitioned table wait for all partitions, indexes not", () => {
    const toc = [
      table(1, "root"),
      table(2, "mid"),
      table(3, "leaf"),
      attach(4, 2, 1, "mid"),
      attach(5, 3, 2, "leaf"),
      rows(6, 3),
    ];
    const tasks = tasksOf(...toc, post(7, "TRIGGER", [1]), post(8, "INDEX", [1]), post(9, "FK CONSTRAINT", [2, 1]));
    expect(tasks.get(7)?.after).toEqual([1, 6]);
    expect(tasks.get(8)?.after).toEqual([1]);
    expect(tasks.get(9)?.after).toEqual(expect.arrayContaining([6]));
  });

  it("makes an index of a leaf wait for every leaf's rows when those are routed through the root", () => {
    const toc = [table(1, "a"), table(2, "b"), rows(3, 1, "s.root"), rows(4, 2, "s.root"), rows(5, 9, "s.other")];
    const tasks = tasksOf(...toc, post(6, "INDEX", [1]));
    expect(tasks.get(6)?.after.toSorted()).toEqual([3, 4]);
  });

  it("does not wait for rows that are skipped", () => {
    const toc = [table(1, "t"), rows(2, 1), post(3, "INDEX", [1])];
    const plan = planRestore(archiveOf({ toc }), { skipData: () => true });
    expect(loadTasks(plan, archiveOf({ toc })).map((task) => [task.id, task.after])).toEqual([[3, [1]]]);
  });

  it("takes all sequence values together", () => {
    const set = (dumpId: number) => tocEntry({ dumpId, desc: "SEQUENCE SET", section: "data", defn });
    const tasks = tasksOf(set(1), rows(2, 9), set(3));
    expect([...tasks.keys()]).toEqual([1, 2]);
    expect(tasks.get(1)?.steps.map(({ entry }) => entry.dumpId)).toEqual([1, 3]);
  });
});
