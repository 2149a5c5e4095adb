/**
 * How much work an index is, beside others on the same table: sorting texts costs several times what sorting numbers does,
 * and an expression has to be computed for every row. Only the order in which indexes are begun depends on it, so a rough
 * reading of pg_dump's own statements is enough.
 */
import { tokens } from "../archive/sql/tokens.ts";

/** As a share of loading the table's rows, from measurements on PostgreSQL 15 (bigint 0.3, text 1.3, md5 of a text 2.5). */
const effort = { number: 0.3, text: 1.3, expression: 2.5, inverted: 3 } as const;

const textType = /^(?:text|character|varchar|citext|bpchar|numeric|json|bytea|"?[a-z_]+"?\.)/i;

/** Types of a table's columns by name as written, read from its CREATE TABLE statement, one column a line. */
export function columnTypes(createTable: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const line of createTable.split("\n")) {
    const match = /^\s+("(?:[^"]|"")+"|[^\s"(),]+)\s+(.+?),?$/.exec(line);
    if (match) types.set(match[1]!, match[2]!);
  }
  return types;
}

/** Effort of a CREATE INDEX or ADD CONSTRAINT … PRIMARY KEY | UNIQUE statement. */
export function indexEffort(statement: string, types: ReadonlyMap<string, string>): number {
  const method = /\bUSING (\w+)/.exec(statement)?.[1];
  if (method !== undefined && !["btree", "hash", "brin"].includes(method)) return effort.inverted;
  const open = statement.indexOf("(");
  if (open < 0) return effort.number;
  const list = tokens(statement.slice(open + 1));
  let sum = 0;
  let depth = 0;
  for (const { text } of list) {
    if (text === "(") {
      if (depth === 0) sum += effort.expression;
      depth++;
    } else if (text === ")") {
      if (depth === 0) break;
      depth--;
    } else if (depth === 0 && types.has(text)) sum += textType.test(types.get(text)!) ? effort.text : effort.number;
  }
  return Math.max(sum, effort.number);
}
