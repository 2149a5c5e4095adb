/**
 * pg_dump's COPY statement: `COPY schema.table (a, b) FROM stdin;`. Mirrors what dumpTableData_copy (pg_dump.c) writes:
 * names quoted by fmtId, two spaces and no list for a table without columns, `WITH OIDS` from PostgreSQL 11 and older.
 */
import { ArchiveDamaged } from "../errors.ts";

export interface CopyStatement {
  /** Unquoted; empty when the statement (of a dump from before 2018) names no schema. */
  readonly schema: string;
  readonly table: string;
  /** Unquoted, in field order. With OIDs the first is `oid`. */
  readonly columns: readonly string[];
}

/** Reads a COPY statement. @throws ArchiveDamaged (`copy_statement`) when it is not one of pg_dump's. */
export function parseCopyStatement(statement: string): CopyStatement {
  const cursor = new NameCursor(statement);
  cursor.expect("COPY ");
  let schema = "";
  let table = cursor.name();
  if (cursor.take(".")) {
    schema = table;
    table = cursor.name();
  }
  const columns: string[] = [];
  cursor.expect(" ");
  if (cursor.take("(")) {
    do columns.push(cursor.name());
    while (cursor.take(", "));
    cursor.expect(") ");
  } else cursor.take(" ");
  if (cursor.take("WITH OIDS ")) columns.unshift("oid");
  cursor.expect("FROM stdin;");
  return { schema, table, columns };
}

class NameCursor {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  take(literal: string): boolean {
    if (!this.text.startsWith(literal, this.at)) return false;
    this.at += literal.length;
    return true;
  }

  expect(literal: string): void {
    if (!this.take(literal)) {
      throw new ArchiveDamaged(
        `the archive holds a COPY statement of a form pg_dump does not write (character ${this.at})`,
        {
          code: "copy_statement",
          hint: "make the backup with pg_dump itself",
        },
      );
    }
  }

  name(): string {
    const rest = this.text.slice(this.at);
    const match = /^"((?:[^"]|"")+)"|^[^\s"(),.;]+/.exec(rest);
    if (!match) this.expect("a name");
    this.at += match![0].length;
    return match![1] === undefined ? match![0] : match![1].replaceAll('""', '"');
  }
}
