/**
 * The order in which tables are read so that a parent's fate is known before its children are looked at: the strongly
 * connected parts of the reference graph, parents first (Tarjan's algorithm, without recursion on the rows' side).
 */

/** A directed graph by name: each node with the nodes it refers to. */
export type ReferenceGraph = ReadonlyMap<string, ReadonlySet<string>>;

/** Groups of nodes, every group after the groups it refers to; a group of several nodes is a cycle. */
export function parentsFirst(graph: ReferenceGraph): readonly (readonly string[])[] {
  const groups: string[][] = [];
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();

  for (const root of graph.keys()) {
    if (order.has(root)) continue;
    const path: { readonly node: string; readonly next: Iterator<string> }[] = [];
    const enter = (node: string): void => {
      order.set(node, order.size);
      low.set(node, order.get(node)!);
      open.push(node);
      isOpen.add(node);
      path.push({ node, next: (graph.get(node) ?? new Set<string>()).values() });
    };
    enter(root);
    while (path.length > 0) {
      const { node, next } = path.at(-1)!;
      const step = next.next();
      if (!step.done) {
        if (!order.has(step.value)) enter(step.value);
        else if (isOpen.has(step.value)) low.set(node, Math.min(low.get(node)!, order.get(step.value)!));
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above) low.set(above.node, Math.min(low.get(above.node)!, low.get(node)!));
      if (low.get(node) === order.get(node)) groups.push(closeGroup(node, open, isOpen));
    }
  }
  return groups;
}

function closeGroup(root: string, open: string[], isOpen: Set<string>): string[] {
  const group: string[] = [];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    isOpen.delete(node);
    group.push(node);
    if (node === root) break;
  }
  return group;
}
