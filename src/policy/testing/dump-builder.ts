/**
 * Tables of contents for tests, written as pg_dump writes them: the statements are real, only the bytes around them are
 * missing.
 */

import { loadModule, parseSync } from "libpg-query";
import type { TocEntry } from "../../archive/model.ts";
import { textsOf } from "../ddl-statement.ts";
import type { ParseCopy } from "../dump-tables.ts";
import { formatTableName, parseTableName, quoteIdentifier } from "../names.ts";

/** Reads COPY statements with PostgreSQL's own grammar. */
export async function copyParser(): Promise<ParseCopy> {
  await loadModule();
  return (statement) => {
    const node = parseSync(statement).stmts?.[0]?.stmt;
    if (node === undefined || !("CopyStmt" in node)) {
      throw new Error("not a COPY statement");
    }
    const { relation, attlist } = node.CopyStmt;
    return { schema: relation?.schemaname ?? "", table: relation?.relname ?? "", columns: textsOf(attlist) };
  };
}

export class DumpBuilder {
  readonly toc: TocEntry[] = [];

  /** A table with data; `columns` as between the parentheses of CREATE TABLE. */
  table(
    sqlName: string,
    columns: string,
    options: { inserts?: boolean; copy?: readonly string[]; into?: string } = {},
  ): this {
    this.schemaOnly(sqlName, `(${columns})`);
    return this.data(sqlName, options.copy ?? columnNames(columns), options);
  }

  schemaOnly(sqlName: string, rest: string, desc = "TABLE"): this {
    const name = parseTableName(sqlName);
    return this.entry(desc, name.schema, name.name, `CREATE TABLE ${formatTableName(name)} ${rest};\n`);
  }

  /** A TABLE DATA entry; `into` is the partition root of `--load-via-partition-root`. */
  data(sqlName: string, columns: readonly string[], options: { inserts?: boolean; into?: string } = {}): this {
    const name = parseTableName(sqlName);
    const list = columns.length === 0 ? "" : `(${columns.map(quoteIdentifier).join(", ")})`;
    const target = options.into ?? formatTableName(name);
    const copyStmt = options.inserts === true ? null : `COPY ${target} ${list} FROM stdin;\n`;
    return this.entry("TABLE DATA", name.schema, name.name, null, copyStmt);
  }

  partition(parent: string, child: string, bound = "DEFAULT"): this {
    const name = parseTableName(child);
    const defn = `ALTER TABLE ONLY ${parent} ATTACH PARTITION ${child} ${bound};\n`;
    return this.entry("TABLE ATTACH", name.schema, name.name, defn);
  }

  foreignKey(child: string, name: string, columns: string, parent: string, referenced: string, rest = ""): this {
    const table = parseTableName(child);
    const defn = `ALTER TABLE ONLY ${child}\n    ADD CONSTRAINT ${name} FOREIGN KEY (${columns}) REFERENCES ${parent}(${referenced})${rest};\n`;
    return this.entry("FK CONSTRAINT", table.schema, `${table.name} ${name}`, defn);
  }

  constraint(table: string, definition: string): this {
    const name = parseTableName(table);
    return this.entry(
      "CONSTRAINT",
      name.schema,
      `${name.name} c`,
      `ALTER TABLE ONLY ${table}\n    ADD CONSTRAINT ${definition};\n`,
    );
  }

  entry(
    desc: string,
    namespace: string | null,
    tag: string,
    defn: string | null,
    copyStmt: string | null = null,
  ): this {
    this.toc.push({
      dumpId: this.toc.length + 1,
      hasData: desc === "TABLE DATA",
      catalogOid: 0,
      oid: 0,
      tag,
      desc,
      section: "none",
      defn,
      dropStmt: null,
      copyStmt,
      namespace,
      tablespace: null,
      tableam: null,
      relkind: null,
      owner: null,
      withOids: false,
      dependencies: [],
      offset: null,
      raw: Buffer.alloc(0),
    });
    return this;
  }
}

/** Names of the columns of a simple definition list: no commas but between columns. Generated ones are not in COPY. */
function columnNames(columns: string): string[] {
  return columns
    .split(/,\s*(?![^(]*\))/)
    .filter((column) => column !== "" && !/^CONSTRAINT |GENERATED ALWAYS AS \(/.test(column))
    .map((column) => /^"((?:[^"]|"")+)"/.exec(column)?.[1]?.replaceAll('""', '"') ?? column.split(" ")[0] ?? "");
}
