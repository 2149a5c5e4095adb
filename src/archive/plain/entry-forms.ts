/** Texts and names of a script's entries that do not stand in the script as they stand in an archive. */

import { quoteIdentifier, quoteQualified } from "../sql/identifiers.ts";
import { BEFORE, type DraftEntry, EMPTY } from "./draft-entry.ts";
import type { Made } from "./meaning.ts";
import { nameKey, type RelationGraph } from "./relation-graph.ts";

const LABELS = new Set(["COMMENT", "SECURITY LABEL", "ACL"]);

/** True for what is said about objects. */
export function isLabel(desc: string): boolean {
  return LABELS.has(desc);
}

/** `CREATE OR REPLACE VIEW` of a view that is there already is the second half of one in a loop. */
export function viewOrRule(made: Made, graph: RelationGraph, schema: string): Made {
  if (made.desc !== "VIEW" || made.relation === undefined || made.tag === made.relation.name) return made;
  if (graph.relation(nameKey(made.relation, schema)) === undefined) return { ...made, tag: made.relation.name };
  const { self: _self, object: _object, ...rest } = made;
  return { ...rest, desc: "RULE", section: "post-data" };
}

/** Objects that have a name to drop them by, and no owner. */
const NEVER_OWNED = new Set(["SHELL TYPE", "EXTENSION", "ACCESS METHOD", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE"]);

/** Under SET SESSION AUTHORIZATION whoever makes an object owns it. A dropStmt is the sign of having an owner. */
export function ownedBy(owner: string | null, made: Made): { owner: string | null; dropStmt: string | null } {
  return owner === null || made.object === undefined || NEVER_OWNED.has(made.desc)
    ? { owner: null, dropStmt: null }
    : { owner, dropStmt: `DROP ${made.desc} ${made.object};\n` };
}

/** A privilege that somebody else than the owner granted. */
export function granted(text: string, grantor: string): string {
  return `SET SESSION AUTHORIZATION ${quoteIdentifier(grantor)};\n${text}\nRESET SESSION AUTHORIZATION;\n`;
}

/** Names for those behind: the object's own by kind, and `OF …` with the relation that the entry belongs to. */
export function namesOf(made: Made, schema: string): string[] {
  if (isLabel(made.desc) || made.desc.endsWith(" ATTACH") || made.desc.startsWith("PUBLICATION TABLE")) return [];
  const names: string[] = [];
  if (made.self !== undefined) {
    const on = made.self.on == null ? "" : ` ${nameKey(made.self.on, schema)}`;
    names.push(`${made.self.kind} ${nameKey(made.self.name, schema)}${on}`);
  }
  if (made.relation !== undefined) names.push(`OF ${nameKey(made.relation, schema)}`);
  return names;
}

/** Several COPYs into one table, or one into a partitioned table: none may empty the table in front of its own rows. */
export function nameRoots(rows: readonly DraftEntry[], graph: RelationGraph): void {
  const byTable = new Map<string, DraftEntry[]>();
  for (const entry of rows) {
    const key = nameKey({ schema: entry.namespace, name: entry.tag, next: 0 }, "");
    byTable.set(key, [...(byTable.get(key) ?? []), entry]);
  }
  for (const [key, entries] of byTable) {
    if (entries.length === 1 && !/\)\s*PARTITION BY /.test(graph.relation(key)?.defn ?? "")) continue;
    for (const entry of entries)
      entry.defn = `-- load via partition root ${quoteQualified(entry.namespace, entry.tag)}`;
  }
}

interface Session {
  readonly encoding: string | null;
  readonly standardConformingStrings: boolean;
}

/** ENCODING, STDSTRINGS and, where names are qualified, SEARCHPATH: as archives have them. */
export function sessionEntries(session: Session, searchPath: string | null): DraftEntry[] {
  const make = (dumpId: number, desc: string, defn: string): DraftEntry => ({
    ...EMPTY,
    dumpId,
    desc,
    tag: desc,
    namespace: null,
    section: "pre-data",
    place: BEFORE,
    defn,
    dependencies: new Set(),
    ranges: [],
  });
  return [
    make(1, "ENCODING", `SET client_encoding = '${session.encoding ?? "UTF8"}';\n`),
    make(2, "STDSTRINGS", `SET standard_conforming_strings = '${session.standardConformingStrings ? "on" : "off"}';\n`),
    ...(searchPath === null ? [] : [make(3, "SEARCHPATH", searchPath)]),
  ];
}
