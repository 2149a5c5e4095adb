/**
 * What each type of entry needs of those before it, and what those behind it may find it by. The counterpart, for
 * statements, of what pg_dump reads from pg_depend.
 */

import type { DraftEntry } from "./draft-entry.ts";
import type { Made } from "./meaning.ts";
import { nameKey, type RelationGraph } from "./relation-graph.ts";
import type { StatementWords } from "./statement-words.ts";

interface Known {
  readonly graph: RelationGraph;
  readonly objects: ReadonlyMap<string, DraftEntry>;
}

const RELATIONS = new Set(["TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"]);
const LABELS = new Set(["COMMENT", "SECURITY LABEL", "ACL"]);
/** Their expressions may group by a key, or their keys refer to one. */
const NEEDING_KEYS = new Set(["FK CONSTRAINT", "RULE", "POLICY"]);
const WITH_INDEX = new Set(["INDEX", "CONSTRAINT"]);

/** Dump IDs, `null` where nothing tells. `schema`: the one in force. */
export function dependenciesOf(made: Made, words: StatementWords, known: Known, schema: string): number[] | null {
  const { graph } = known;
  const relation = made.relation === undefined ? null : nameKey(made.relation, schema);
  const self = made.self === undefined ? null : nameKey(made.self.name, schema);
  if (LABELS.has(made.desc)) return labelled(made, known, schema);
  switch (made.desc) {
    case "TABLE ATTACH":
      if (relation !== null && self !== null) graph.attach(self, relation);
      return [self, relation].flatMap((key) => (key === null ? [] : idOf(graph.relation(key))));
    case "INDEX ATTACH":
      return [self, relation].flatMap((key) =>
        key === null ? [] : [...idOf(graph.index(key)), ...tableOf(key, graph)],
      );
    case "MATERIALIZED VIEW DATA":
    case "STATISTICS DATA":
    case "EXTENDED STATISTICS DATA":
    case "SEQUENCE SET":
      return relation === null ? [] : idOf(graph.relation(relation));
    case "PUBLICATION TABLE":
    case "PUBLICATION TABLES IN SCHEMA": {
      const publication = known.objects.get(`PUBLICATION ${self}`);
      return [...idOf(publication), ...(relation === null ? [] : graph.tables([relation]))];
    }
    default:
      break;
  }
  if (made.desc.endsWith("VIEW")) return graph.tables(graph.named(words.list, schema));
  if (made.section !== "post-data" && made.section !== "none") {
    // Expressions of what is made before the data are checked by the server, in the script's order.
    return made.desc === "TABLE" || relation === null ? [] : graph.tables([relation]);
  }
  const named = graph.named(words.list, schema);
  const above = relation !== null && WITH_INDEX.has(made.desc) ? graph.keysAbove(relation) : [];
  return [...graph.tables(named), ...above, ...graph.keysOf(neededKeys(made, words, named))];
}

/** An index needs no other, unless a constraint is made of it. */
function neededKeys(made: Made, words: StatementWords, named: readonly string[]): readonly string[] {
  return NEEDING_KEYS.has(made.desc) || /\bUSING\s+INDEX\s+(?!TABLESPACE\b)/i.test(words.text) ? named : [];
}

function labelled(made: Made, { graph, objects }: Known, schema: string): number[] | null {
  if (made.self === undefined) return null;
  const name = nameKey(made.self.name, schema);
  const on = made.self.on == null ? "" : ` ${nameKey(made.self.on, schema)}`;
  const object = objects.get(`${made.self.kind} ${name}${on}`) ?? graph.index(name);
  return object === undefined ? null : [object.dumpId];
}

/** The table that an index is on. */
function tableOf(index: string, graph: RelationGraph): number[] {
  const table = graph.tableOfIndex(index);
  return table === undefined ? [] : graph.tables([table]);
}

function idOf(entry: DraftEntry | undefined): number[] {
  return entry === undefined ? [] : [entry.dumpId];
}

/** Makes `entry` known to the statements behind it. */
export function registerIn(
  { graph }: Known,
  made: Made,
  entry: DraftEntry,
  words: StatementWords,
  schema: string,
): void {
  const relation = made.relation === undefined ? null : nameKey(made.relation, schema);
  if (relation === null) return;
  if (RELATIONS.has(made.desc) && made.self !== undefined) {
    graph.add(nameKey(made.self.name, schema), entry);
    if (made.desc.endsWith("VIEW")) graph.addView(relation, graph.named(words.list, schema));
    if (made.desc === "TABLE") attachToParent(graph, relation, words, schema);
    return;
  }
  if (made.desc === "INDEX" && made.self !== undefined)
    graph.addIndex(nameKey(made.self.name, schema), relation, entry);
  if (made.desc === "CONSTRAINT") {
    graph.addKey(relation, entry);
    // Its index lives in the table's schema.
    const [tableSchema] = JSON.parse(relation) as [string, string];
    if (made.self !== undefined)
      graph.addIndex(nameKey({ ...made.self.name, schema: tableSchema }, schema), relation, entry);
  }
  if (made.desc === "INDEX ATTACH" && made.self !== undefined) {
    const table = graph.tableOfIndex(nameKey(made.self.name, schema));
    if (table !== undefined) graph.addKey(table, entry);
  }
  // The second half of a view in a loop, and the only true one.
  if (made.desc === "RULE" && graph.relation(relation)?.desc === "VIEW")
    graph.addView(relation, graph.named(words.list, schema));
  if (made.desc === "MATERIALIZED VIEW DATA") {
    for (const id of graph.refresh(relation, entry)) entry.dependencies.add(id);
  }
}

/** PostgreSQL 10's pg_dump wrote CREATE TABLE … PARTITION OF in the place of an attachment. */
function attachToParent(graph: RelationGraph, table: string, words: StatementWords, schema: string): void {
  words.at = 0;
  if (words.seek("PARTITION") && words.take("OF")) {
    const parent = words.name();
    if (parent !== null) graph.attach(nameKey(parent, schema), table);
  }
}
