/** A dump's tables as the draft looks at them: partitions folded into the table they belong to, references between them. */

import type { TocEntry } from "../archive/model.ts";
import type { TypeKind } from "./column-types.ts";
import type { ParseCopy } from "./dump-tables.ts";
import { readForeignKeys } from "./foreign-keys.ts";
import { type ForeignKey, type TableName, tableKey } from "./model.ts";
import { sameTable } from "./names.ts";
import { looksPersonal, type PersonalKind, wordsOf } from "./personal-columns.ts";
import { DumpSchema } from "./table-definition.ts";

export interface DraftColumn {
  readonly name: string;
  readonly kind: TypeKind;
  readonly notNull: boolean;
  readonly personal: PersonalKind | undefined;
}

export interface DraftTable {
  readonly name: TableName;
  readonly columns: readonly DraftColumn[];
  /** Single-column primary or unique keys, in the order of the dump. */
  readonly keys: readonly string[];
  /** Foreign keys from this table (or its partitions) to tables of the draft, each once. */
  readonly references: readonly ForeignKey[];
}

/** All tables that have data, by their outermost partitioned table. Tables dumped as INSERT statements come without columns. */
export async function readDraftTables(toc: readonly TocEntry[], parseCopy: ParseCopy): Promise<DraftTable[]> {
  const schema = await DumpSchema.read(toc);
  const outermost = (name: TableName): TableName => schema.ancestors(name).at(-1) ?? name;
  const tables = new Map<string, { name: TableName; leaf: TableName; columns: readonly string[] }>();
  for (const entry of toc.filter(({ desc }) => desc === "TABLE DATA")) {
    const leaf = { schema: entry.namespace ?? "", name: entry.tag };
    const name = outermost(leaf);
    if (!tables.has(tableKey(name))) {
      const columns = entry.copyStmt === null ? [] : parseCopy(entry.copyStmt).columns;
      tables.set(tableKey(name), { name, leaf, columns });
    }
  }
  const foreignKeys = (await readForeignKeys(toc)).map((key) => ({
    ...key,
    child: outermost(key.child),
    parent: outermost(key.parent),
  }));
  return [...tables.values()].map(({ name, leaf, columns }) => ({
    name,
    columns: columns.map((column) => readColumn(schema, leaf, column)),
    keys: [...schema.uniqueKeys(name), ...schema.uniqueKeys(leaf)].flatMap((key) =>
      key.columns.length === 1 ? key.columns : [],
    ),
    references: distinct(foreignKeys.filter((key) => sameTable(key.child, name) && tables.has(tableKey(key.parent)))),
  }));
}

function readColumn(schema: DumpSchema, table: TableName, column: string): DraftColumn {
  const definition = schema.table(table)?.columns.find(({ name }) => name === column);
  const facts = schema.types.facts(definition?.type ?? null);
  return {
    name: column,
    kind: facts.kind,
    notNull: definition?.notNull === true || facts.notNull,
    personal: looksPersonal(column, facts.kind),
  };
}

/** Partitions repeat the same key under names of their own. */
function distinct(keys: readonly ForeignKey[]): ForeignKey[] {
  return [
    ...new Map(keys.map((key) => [JSON.stringify([key.columns, tableKey(key.parent), key.referenced]), key])).values(),
  ];
}

const CREATED =
  /^(created( at| on| date| time)?|creat(e|ion) (date|time)|date created|inserted( at| on)?|(registered|signed up|signup|joined|sent|placed|ordered|submitted|posted|occurred|received|logged|uploaded|issued|booked)( at| on)|date joined|(registration|order|signup|join|booking|invoice|payment|rental|event) date|added( at| on)?|timestamp|time|ts|at)$/;
const NOT_CREATED =
  /\b(updat\w*|modif\w*|last|expir\w*|delet\w*|birth\w*|dob|due|end|ends|until|start|starts|return|next|confirm\w*|archiv\w*|read|seen)\b/;

/** The column that most likely says when a row was made; `undefined` when none does. */
export function createdColumn(table: DraftTable): DraftColumn | undefined {
  const times = table.columns.filter(({ kind }) => kind === "timestamptz" || kind === "timestamp" || kind === "date");
  const named = times.filter(({ name }) => CREATED.test(wordsOf(name)));
  const first = named.find(({ name }) => /^(creat|insert|date creat)/.test(wordsOf(name))) ?? named[0];
  const others = times.filter(({ name, notNull }) => notNull && !NOT_CREATED.test(wordsOf(name)));
  return first ?? (others.length === 1 ? others[0] : undefined);
}

const PEOPLE =
  /^(app |auth |site )?(user|account|people|person|member|customer|client|subscriber|student|patient|profile|employee|contact)s?( account| profile)?s?$/;

/** The table of people: named like one, with an e-mail address and a key, and referred to by others. */
export function findSubject(tables: readonly DraftTable[]): DraftTable | undefined {
  const scored = tables.flatMap((table) => {
    const named = PEOPLE.test(wordsOf(table.name.name)) ? 4 : 0;
    const email = table.columns.some(({ personal }) => personal === "email") ? 3 : 0;
    const referring = tables.filter((other) =>
      other.references.some((key) => sameTable(key.parent, table.name)),
    ).length;
    return email > 0 && keyOf(table) !== undefined ? [{ table, score: named + email + Math.min(referring, 3) }] : [];
  });
  const best = scored.sort((a, b) => b.score - a.score)[0];
  return best !== undefined && best.score >= 5 ? best.table : undefined;
}

/** The column by which rows are known to other tables. */
export function keyOf(table: DraftTable): string | undefined {
  const own = ["id", `${singular(table.name.name)}_id`, "uuid"];
  return (
    table.keys.find((key) => own.includes(key)) ??
    own.find((name) => table.columns.some((column) => column.name === name)) ??
    table.keys[0]
  );
}

/** Columns that name a person of the subject table without a declared foreign key. */
export function undeclaredReferences(table: DraftTable, subject: DraftTable): readonly DraftColumn[] {
  const key = subject.columns.find(({ name }) => name === keyOf(subject));
  const person = new RegExp(
    `^(${wordsOf(singular(subject.name.name))}|user|account|customer|member|person|client|author) id$`,
  );
  const declared = new Set(table.references.flatMap(({ columns }) => columns));
  return table.columns.filter(
    (column) => person.test(wordsOf(column.name)) && column.kind === key?.kind && !declared.has(column.name),
  );
}

export function singular(name: string): string {
  return name === "people" ? "person" : name.replace(/ies$/, "y").replace(/([^s])s$/, "$1");
}
