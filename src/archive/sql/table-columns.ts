/**
 * The columns of one CREATE TABLE, in order, for reading rows that stand without names. Mirrors what dumpTableSchema of
 * pg_dump.c (PostgreSQL 10 to 18) writes; a composite type's attributes (dumpCompositeType) have the same form.
 *
 * Invariant: only names and what makes a column generated are read; types and expressions are stepped over by their
 * parentheses.
 */

import { isWord, meaningful, nameOf, type QualifiedName, qualifiedName, type Token, tokens } from "./tokens.ts";

export interface ColumnShape {
  readonly name: string;
  /** `GENERATED ALWAYS AS (…)`: computed, never part of a row that is loaded. */
  readonly generated: boolean;
  readonly identity: boolean;
}

export interface TableShape {
  readonly name: QualifiedName;
  /** Those spelled out here, in order. */
  readonly columns: readonly ColumnShape[];
  /** Tables whose columns come first. */
  readonly inherits: readonly QualifiedName[];
  /** The composite type whose attributes are the columns. */
  readonly ofType: QualifiedName | null;
  /** The table whose columns these are (pg_dump 10). */
  readonly partitionOf: QualifiedName | null;
}

/** Words that begin a table constraint; as a column's name each but EXCLUDE would be quoted. */
const CONSTRAINTS = ["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "NOT", "LIKE"];

/** Columns spelled out in a CREATE TABLE or CREATE TYPE … AS; none when `sql` holds neither. */
export function tableColumns(sql: string): readonly ColumnShape[] {
  return tableShape(sql)?.columns ?? [];
}

/** The first CREATE [FOREIGN] TABLE or CREATE TYPE … AS ( … ) of a definition; `null` when there is none. */
export function tableShape(sql: string): TableShape | null {
  const list = meaningful(tokens(sql));
  for (let at = 0; at < list.length; at = statementEnd(list, at) + 1) {
    const keyword = isWord(list[at], "CREATE") ? kindOfCreate(list, at) : -1;
    const name = keyword < 0 ? null : qualifiedName(list, skipWords(list, keyword + 1, ["IF", "NOT", "EXISTS"]));
    if (name !== null) return shapeFrom(list, name);
  }
  return null;
}

/** Index of TABLE or TYPE behind CREATE and its adjectives; -1 for other statements. */
function kindOfCreate(list: readonly Token[], at: number): number {
  const adjectives = ["UNLOGGED", "FOREIGN", "GLOBAL", "LOCAL", "TEMPORARY", "TEMP"];
  const next = skipWords(list, at + 1, adjectives);
  return isWord(list[next], "TABLE") || isWord(list[next], "TYPE") ? next : -1;
}

function skipWords(list: readonly Token[], at: number, words: readonly string[]): number {
  let next = at;
  while (words.some((word) => isWord(list[next], word))) next++;
  return next;
}

function shapeFrom(list: readonly Token[], name: QualifiedName): TableShape {
  let at = skipWords(list, name.next, ["AS"]);
  let ofType: QualifiedName | null = null;
  let partitionOf: QualifiedName | null = null;
  if (isWord(list[at], "OF")) {
    ofType = qualifiedName(list, at + 1);
    at = ofType?.next ?? at;
  } else if (isWord(list[at], "PARTITION") && isWord(list[at + 1], "OF")) {
    partitionOf = qualifiedName(list, at + 2);
    at = partitionOf?.next ?? at;
  }
  const columns: ColumnShape[] = [];
  if (list[at]?.text === "(") {
    const { items, next } = listItems(list, at);
    for (const item of items) {
      const column = columnOf(item);
      if (column !== null) columns.push(column);
    }
    at = next;
  }
  return { name, columns, inherits: isWord(list[at], "INHERITS") ? parents(list, at + 1) : [], ofType, partitionOf };
}

/** The parts between the commas of a parenthesised list, and the index behind its end. */
function listItems(list: readonly Token[], open: number): { items: Token[][]; next: number } {
  const items: Token[][] = [];
  let item: Token[] = [];
  let depth = 0;
  let at = open + 1;
  for (; at < list.length; at++) {
    const token = list[at]!;
    if (token.text === ")" && depth === 0) break;
    if (token.text === "," && depth === 0) {
      items.push(item);
      item = [];
      continue;
    }
    if (token.text === "(" || token.text === "[") depth++;
    else if (token.text === ")" || token.text === "]") depth--;
    item.push(token);
  }
  if (item.length > 0) items.push(item);
  return { items, next: at + 1 };
}

function columnOf(item: readonly Token[]): ColumnShape | null {
  const name = nameOf(item[0]);
  const exclusion = isWord(item[0], "EXCLUDE") && (isWord(item[1], "USING") || item[1]?.text === "(");
  if (name === null || exclusion || CONSTRAINTS.some((word) => isWord(item[0], word))) return null;
  const at = topLevel(item).findIndex((token, index) => index > 0 && isWord(token, "GENERATED"));
  const clause = at < 0 ? [] : topLevel(item).slice(at + 1, at + 5);
  const computed = isWord(clause[0], "ALWAYS") && isWord(clause[1], "AS") && clause[2]?.text === "(";
  return { name, generated: computed, identity: clause.some((token) => isWord(token, "IDENTITY")) };
}

/** Without what stands inside parentheses; the parentheses stay. */
function topLevel(item: readonly Token[]): Token[] {
  let depth = 0;
  return item.filter((token) => {
    if (token.text === ")") depth--;
    const outside = depth === 0;
    if (token.text === "(") depth++;
    return outside;
  });
}

function parents(list: readonly Token[], open: number): QualifiedName[] {
  return listItems(list, open).items.flatMap((item) => qualifiedName(item, 0) ?? []);
}

function statementEnd(list: readonly Token[], from: number): number {
  let end = from;
  while (end < list.length && list[end]!.text !== ";") end++;
  return end;
}
