/**
 * Tables as the dump's own DDL declares them: columns, inheritance, partitions, unique keys. Mirrors what
 * dumpTableSchema, dumpConstraint and dumpTableAttach of pg_dump.c write.
 *
 * Invariants: identity comes from parsed statements or from an entry's namespace and tag where those are exact (TABLE,
 * TABLE DATA), never from display text; a definition that cannot be parsed is marked unreadable, and whoever needs it refuses.
 */

import type { TocEntry } from "../archive/model.ts";
import { TypeCatalog } from "./column-types.ts";
import {
  alterations,
  type ColumnDef,
  type CreateStmt,
  columnDefsOf,
  type DdlParser,
  loadDdlParser,
  tableOf,
  textsOf,
  typeText,
} from "./ddl-statement.ts";
import { type ColumnDefinition, type TableName, tableKey } from "./model.ts";
import { sameTable } from "./names.ts";
import { readConstraints, type TableConstraints, type UniqueKey } from "./table-constraints.ts";

export interface TableDefinition {
  readonly name: TableName;
  readonly dumpId: number;
  /** In order, inherited ones first. Empty when not `readable`. */
  readonly columns: readonly ColumnDefinition[];
  readonly readable: boolean;
  /** Columns of the partition key; empty for an ordinary table. Expressions are left out. */
  readonly partitionKey: readonly string[];
}

interface ParsedTable {
  readonly columns: readonly ColumnDefinition[];
  readonly inherits: readonly TableName[];
  readonly partitionOf: TableName | null;
  readonly partitionKey: readonly string[];
}

const TABLE_KINDS = new Set(["TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW"]);

/** The dump's schema, parsed table by table as it is asked for. */
export class DumpSchema {
  readonly types: TypeCatalog;
  /** Dump IDs of TABLE ATTACH entries that could not be parsed: some partition's parent is unknown. */
  readonly unreadableAttachments: readonly number[];
  readonly #parser: DdlParser;
  readonly #toc: readonly TocEntry[];
  readonly #entries = new Map<string, TocEntry>();
  readonly #parents = new Map<string, TableName>();
  readonly #parsed = new Map<string, ParsedTable | undefined>();
  #constraints: Map<string, TableConstraints> | undefined;

  constructor(toc: readonly TocEntry[], parser: DdlParser) {
    this.#parser = parser;
    this.#toc = toc;
    this.types = new TypeCatalog(toc, parser);
    const unreadable: number[] = [];
    for (const entry of toc) {
      if (TABLE_KINDS.has(entry.desc)) {
        this.#entries.set(tableKey({ schema: entry.namespace ?? "", name: entry.tag }), entry);
      } else if (entry.desc === "TABLE ATTACH" && !this.#attach(entry)) {
        unreadable.push(entry.dumpId);
      }
    }
    this.unreadableAttachments = unreadable;
  }

  static async read(toc: readonly TocEntry[]): Promise<DumpSchema> {
    return new DumpSchema(toc, await loadDdlParser());
  }

  /** The dump creates a table, foreign table or view of this name. */
  has(name: TableName): boolean {
    return this.#entries.has(tableKey(name));
  }

  /** `undefined` when the dump does not create the table (extension tables, data-only dumps). */
  table(name: TableName): TableDefinition | undefined {
    const entry = this.#entries.get(tableKey(name));
    if (entry === undefined) {
      return undefined;
    }
    const parsed = this.#parse(entry);
    const columns = parsed && this.#withInherited(parsed, [tableKey(name)]);
    const notNull = this.#constraintsOf(name).notNull;
    return {
      name,
      dumpId: entry.dumpId,
      columns: (columns ?? []).map((column) => (notNull.has(column.name) ? { ...column, notNull: true } : column)),
      readable: columns !== undefined,
      partitionKey: parsed?.partitionKey ?? [],
    };
  }

  /** The partitioned tables above a partition, nearest first. */
  ancestors(name: TableName): readonly TableName[] {
    const ancestors: TableName[] = [];
    for (let parent = this.#parentOf(name); parent !== undefined; parent = this.#parentOf(parent)) {
      const known = parent;
      if (sameTable(known, name) || ancestors.some((seen) => sameTable(seen, known))) {
        break;
      }
      ancestors.push(known);
    }
    return ancestors;
  }

  uniqueKeys(name: TableName): readonly UniqueKey[] {
    return this.#constraintsOf(name).unique;
  }

  #parentOf(name: TableName): TableName | undefined {
    const attached = this.#parents.get(tableKey(name));
    const entry = this.#entries.get(tableKey(name));
    // PostgreSQL 10's pg_dump wrote CREATE TABLE … PARTITION OF instead of an attachment.
    if (attached !== undefined || entry === undefined || !/\bPARTITION OF\b/.test(entry.defn ?? "")) {
      return attached;
    }
    return this.#parse(entry)?.partitionOf ?? undefined;
  }

  #attach(entry: TocEntry): boolean {
    let found = false;
    for (const { table, command } of alterations(this.#parser.statements(entry), entry)) {
      if (command.subtype === "AT_AttachPartition" && command.def !== undefined && "PartitionCmd" in command.def) {
        this.#parents.set(tableKey(tableOf(command.def.PartitionCmd.name, entry)), table);
        found = true;
      }
    }
    return found;
  }

  #parse(entry: TocEntry): ParsedTable | undefined {
    const key = tableKey({ schema: entry.namespace ?? "", name: entry.tag });
    if (!this.#parsed.has(key)) {
      this.#parsed.set(key, parseTable(this.#parser, entry));
    }
    return this.#parsed.get(key);
  }

  /** pg_dump leaves inherited columns out of a child's CREATE TABLE. `undefined` when an ancestor cannot be read. */
  #withInherited(table: ParsedTable, below: readonly string[]): readonly ColumnDefinition[] | undefined {
    const columns = new Map<string, ColumnDefinition>();
    for (const parent of table.inherits) {
      const entry = this.#entries.get(tableKey(parent));
      const parsed = entry && !below.includes(tableKey(parent)) ? this.#parse(entry) : undefined;
      const inherited = parsed && this.#withInherited(parsed, [...below, tableKey(parent)]);
      if (inherited === undefined) {
        return undefined;
      }
      for (const column of inherited) {
        columns.set(column.name, column);
      }
    }
    for (const column of table.columns) {
      const inherited = columns.get(column.name);
      columns.set(column.name, {
        ...column,
        type: column.type ?? inherited?.type ?? null,
        notNull: column.notNull || inherited?.notNull === true,
        generated: column.generated || inherited?.generated === true,
      });
    }
    return [...columns.values()];
  }

  #constraintsOf(name: TableName): TableConstraints {
    this.#constraints ??= readConstraints(this.#toc, this.#parser);
    return this.#constraints.get(tableKey(name)) ?? { notNull: new Set(), unique: [] };
  }
}

function parseTable(parser: DdlParser, entry: TocEntry): ParsedTable | undefined {
  const statements = parser.statements(entry);
  let create: CreateStmt | undefined;
  const notNull = new Set<string>();
  for (const statement of statements ?? []) {
    if ("CreateStmt" in statement) {
      create ??= statement.CreateStmt;
    } else if ("CreateForeignTableStmt" in statement) {
      create ??= statement.CreateForeignTableStmt.base;
    }
  }
  if (create === undefined) {
    return undefined;
  }
  for (const { command } of alterations(statements, entry)) {
    if (command.subtype === "AT_SetNotNull") {
      notNull.add(command.name ?? "");
    }
  }
  for (const node of create.tableElts ?? []) {
    if (
      "Constraint" in node &&
      (node.Constraint.contype === "CONSTR_NOTNULL" || node.Constraint.contype === "CONSTR_PRIMARY")
    ) {
      for (const column of textsOf(node.Constraint.keys)) {
        notNull.add(column);
      }
    }
  }
  const inherits = (create.inhRelations ?? []).flatMap((node) =>
    "RangeVar" in node ? [tableOf(node.RangeVar, entry)] : [],
  );
  return {
    columns: columnDefsOf(create.tableElts).map((column) => readColumn(column, notNull)),
    inherits,
    partitionOf: create.partbound === undefined ? null : (inherits[0] ?? null),
    partitionKey: (create.partspec?.partParams ?? []).flatMap((node) =>
      "PartitionElem" in node && node.PartitionElem.name !== undefined ? [node.PartitionElem.name] : [],
    ),
  };
}

function readColumn(column: ColumnDef, notNull: ReadonlySet<string>): ColumnDefinition {
  const kinds = (column.constraints ?? []).flatMap((node) => ("Constraint" in node ? [node.Constraint.contype] : []));
  const name = column.colname ?? "";
  return {
    name,
    type: typeText(column.typeName),
    notNull:
      notNull.has(name) ||
      kinds.some((kind) => kind === "CONSTR_NOTNULL" || kind === "CONSTR_PRIMARY" || kind === "CONSTR_IDENTITY"),
    generated: kinds.includes("CONSTR_GENERATED"),
  };
}
