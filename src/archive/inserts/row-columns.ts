/**
 * Which columns the values of an INSERT dump are, table by table, from the dump's own CREATE TABLE statements. Mirrors the
 * order in which PostgreSQL gives inherited, typed and partitioned tables their columns (MergeAttributes, tablecmds.c).
 *
 * Invariant: an order that the dump does not settle is said to be uncertain, never guessed. pg_dump writes values in the
 * order of the database it read, which for a child table may be another than that of its CREATE TABLE.
 */

import type { TocEntry } from "../model.ts";
import { type ColumnShape, type TableShape, tableShape } from "../sql/table-columns.ts";
import { isWord, meaningful, type QualifiedName, qualifiedName, tokens } from "../sql/tokens.ts";

export interface RowShape {
  /** In the table's order, generated ones included. */
  readonly columns: readonly ColumnShape[];
  /** False where values without names may stand in another order. */
  readonly certain: boolean;
}

/** What pg_dump puts into the defn of a table whose rows go to the root of its partitions. */
const ROOT_COMMENT = "-- load via partition root ";

/** The table that the INSERTs of an entry name: its own, or the root of its partitions. */
export function insertTarget(entry: TocEntry): { schema: string | null; name: string } {
  const root = entry.defn?.startsWith(ROOT_COMMENT)
    ? qualifiedName(meaningful(tokens(entry.defn.slice(ROOT_COMMENT.length))), 0)
    : null;
  return { schema: root?.schema ?? entry.namespace, name: root?.name ?? entry.tag };
}

function isTable(entry: TocEntry | undefined): boolean {
  return entry?.desc === "TABLE" || entry?.desc === "FOREIGN TABLE";
}

const keyOf = (schema: string | null, name: string) => `${schema ?? ""}\0${name}`;

export class RowColumns {
  readonly #entries: ReadonlyMap<number, TocEntry>;
  readonly #tables = new Map<string, TocEntry>();
  readonly #types = new Map<string, TocEntry>();
  /** Partitions by the key of the table above them. */
  readonly #partitions = new Map<string, string[]>();
  readonly #shapes = new Map<string, RowShape | null>();

  constructor(entries: ReadonlyMap<number, TocEntry>) {
    this.#entries = entries;
    for (const entry of entries.values()) {
      const key = keyOf(entry.namespace, entry.tag);
      if (isTable(entry)) this.#tables.set(key, entry);
      else if (entry.desc === "TYPE") this.#types.set(key, entry);
      else if (entry.desc === "TABLE ATTACH") this.#attach(entry);
    }
  }

  /** `null` when the dump does not create the table, or not all that its columns come from. */
  of(data: TocEntry): RowShape | null {
    const owner = data.dependencies.map((id) => this.#entries.get(id)).find(isTable);
    const key = owner === undefined ? keyOf(data.namespace, data.tag) : keyOf(owner.namespace, owner.tag);
    const shape = this.#shape(key, []);
    return shape === null ? null : { ...shape, certain: shape.certain && this.#partitionsAgree(key, shape, []) };
  }

  #attach(entry: TocEntry): void {
    const list = meaningful(tokens(entry.defn ?? ""));
    const parent = qualifiedName(list, isWord(list[2], "ONLY") ? 3 : 2);
    if (parent === null || !isWord(list[parent.next], "ATTACH")) return;
    const child = qualifiedName(list, parent.next + 2);
    if (child === null) return;
    const key = keyOf(parent.schema ?? entry.namespace, parent.name);
    const children = this.#partitions.get(key) ?? [];
    children.push(keyOf(child.schema ?? entry.namespace, child.name));
    this.#partitions.set(key, children);
  }

  /** A script names the root as target of every partition's rows, in each partition's own order. */
  #partitionsAgree(key: string, shape: RowShape, above: readonly string[]): boolean {
    return (this.#partitions.get(key) ?? []).every((child) => {
      const own = above.includes(child) ? null : this.#shape(child, []);
      return own?.certain === true && sameColumns(own, shape) && this.#partitionsAgree(child, shape, [...above, child]);
    });
  }

  #shape(key: string, below: readonly string[]): RowShape | null {
    if (below.includes(key)) return null;
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      const entry = this.#tables.get(key);
      const table = entry === undefined ? null : tableShape(entry.defn ?? "");
      shape = entry === undefined || table === null ? null : this.#resolve(entry, table, [...below, key]);
      this.#shapes.set(key, shape);
    }
    return shape;
  }

  #resolve(entry: TocEntry, table: TableShape, below: readonly string[]): RowShape | null {
    const keyFor = (name: QualifiedName) => keyOf(name.schema ?? entry.namespace, name.name);
    if (table.partitionOf !== null) return this.#shape(keyFor(table.partitionOf), below);
    if (table.ofType !== null) {
      const type = this.#types.get(keyFor(table.ofType));
      const attributes = type === undefined ? [] : (tableShape(type.defn ?? "")?.columns ?? []);
      return type === undefined ? null : { columns: merged(attributes, table.columns), certain: true };
    }
    const parents: RowShape[] = [];
    for (const name of table.inherits) {
      const parent = this.#shape(keyFor(name), below);
      if (parent === null) return null;
      parents.push(parent);
    }
    return inherited(parents, table.columns);
  }
}

/**
 * A child's columns: its parents' first. What a parent gained after the child was made stands behind the child's own in the
 * database that was dumped, so only where nothing can have moved is the order certain.
 */
function inherited(parents: readonly RowShape[], own: readonly ColumnShape[]): RowShape {
  const from = parents.reduce<readonly ColumnShape[]>((columns, parent) => merged(columns, parent.columns), []);
  const columns = merged(from, own);
  const ownInOrder = columns.filter(({ name }) => own.some((column) => column.name === name));
  const inOrder = ownInOrder.every(({ name }, index) => own[index]?.name === name);
  const settled = own.length === columns.length || (parents.length === 1 && from.length === columns.length);
  return { columns, certain: inOrder && settled && parents.every((parent) => parent.certain) };
}

/** `first`, then those of `second` that are new; a column of both is generated when either says so. */
function merged(first: readonly ColumnShape[], second: readonly ColumnShape[]): readonly ColumnShape[] {
  const columns = new Map(first.map((column) => [column.name, column]));
  for (const column of second) {
    const known = columns.get(column.name);
    columns.set(
      column.name,
      known === undefined ? column : { ...column, generated: column.generated || known.generated },
    );
  }
  return [...columns.values()];
}

function sameColumns(one: RowShape, other: RowShape): boolean {
  return (
    one.columns.length === other.columns.length &&
    one.columns.every(({ name, generated }, index) => {
      const column = other.columns[index];
      return column?.name === name && column.generated === generated;
    })
  );
}
