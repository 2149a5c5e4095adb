/**
 * Which entries of a script an entry needs. Scripts do not say: it follows from the relations a statement names, and is
 * rather too much than too little. Stands in for getDependencies and repointTableDependencies of pg_dump.c.
 *
 * Invariants: only entries made before can be needed, so there are no cycles; whoever needs a partition's rows also needs
 * those that reach it through a table above it.
 */

import type { QualifiedName, Token } from "../sql/tokens.ts";
import { qualifiedName } from "../sql/tokens.ts";
import type { DraftEntry } from "./draft-entry.ts";

/** One text for a relation's, or any object's, name. `schema` is the one in force. */
export function nameKey(name: QualifiedName, schema: string): string {
  return JSON.stringify([name.schema ?? schema, name.name]);
}

export class RelationGraph {
  /** Tables, views, sequences by name. */
  readonly #relations = new Map<string, DraftEntry>();
  readonly #parents = new Map<string, string[]>();
  readonly #children = new Map<string, string[]>();
  /** Constraints, indexes and attachments of indexes, by table. */
  readonly #keys = new Map<string, number[]>();
  /** Tables by the name of an index or of a constraint that has one. */
  readonly #indexes = new Map<string, { readonly table: string; readonly entry: DraftEntry }>();
  readonly #withRows = new Set<string>();
  /** By view: what its definition names. */
  readonly #reads = new Map<string, readonly string[]>();
  readonly #refreshed = new Map<string, number>();

  relation(key: string): DraftEntry | undefined {
    return this.#relations.get(key);
  }

  index(key: string): DraftEntry | undefined {
    return this.#indexes.get(key)?.entry;
  }

  add(key: string, entry: DraftEntry): void {
    this.#relations.set(key, entry);
  }

  remove(key: string): void {
    this.#relations.delete(key);
  }

  addRows(key: string): void {
    this.#withRows.add(key);
  }

  attach(parent: string, child: string): void {
    listed(this.#parents, child).push(parent);
    listed(this.#children, parent).push(child);
  }

  /** `entry` is an index, or a constraint with one, of that name on `table`. */
  addIndex(key: string, table: string, entry: DraftEntry): void {
    this.#indexes.set(key, { table, entry });
    this.addKey(table, entry);
  }

  addKey(table: string, entry: DraftEntry): void {
    listed(this.#keys, table).push(entry.dumpId);
  }

  /** The table that the index of that name is on. */
  tableOfIndex(key: string): string | undefined {
    return this.#indexes.get(key)?.table;
  }

  /** Relations that these tokens name. */
  named(list: readonly Token[], schema: string): string[] {
    const found = new Set<string>();
    for (let at = 0; at < list.length; at++) {
      const kind = list[at]!.kind;
      if (kind !== "word" && kind !== "quoted") continue;
      const name = qualifiedName(list, at);
      if (name === null) continue;
      const key = nameKey(name, schema);
      if (this.#relations.has(key)) found.add(key);
      at = name.next - 1;
    }
    return [...found];
  }

  /** Entries of these relations, and of the tables whose rows may lie in them. */
  tables(keys: readonly string[]): number[] {
    return keys.flatMap((key) => {
      const own = this.#relations.get(key);
      const above = this.#closure(key, this.#parents).filter((parent) => this.#withRows.has(parent));
      return [own, ...above.map((parent) => this.#relations.get(parent))].flatMap((entry) => entry?.dumpId ?? []);
    });
  }

  /** Constraints and indexes of these tables and of their partitions. */
  keysOf(keys: readonly string[]): number[] {
    const all = keys.flatMap((key) => [key, ...this.#closure(key, this.#children)]);
    return all.flatMap((key) => this.#keys.get(key) ?? []);
  }

  /** Constraints and indexes of the partitioned tables above: pg_dump makes them first. */
  keysAbove(key: string): number[] {
    return this.#closure(key, this.#parents).flatMap((parent) => this.#keys.get(parent) ?? []);
  }

  addView(key: string, reads: readonly string[]): void {
    this.#reads.set(key, reads);
  }

  /** Notes that `entry` refreshes a view; the refreshes that it builds upon. */
  refresh(key: string, entry: DraftEntry): number[] {
    const read = this.#closure(key, this.#reads);
    this.#refreshed.set(key, entry.dumpId);
    return read.flatMap((view) => (view === key ? [] : (this.#refreshed.get(view) ?? [])));
  }

  #closure(key: string, edges: ReadonlyMap<string, readonly string[]>): string[] {
    const found = new Set<string>();
    const visit = (from: string): void => {
      for (const next of edges.get(from) ?? []) {
        if (found.has(next)) continue;
        found.add(next);
        visit(next);
      }
    };
    visit(key);
    return [...found];
  }
}

/** The list of that key, made when it is first asked for: a table may have 100,000 partitions. */
function listed<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  if (list.length === 0) lists.set(key, list);
  return list;
}
