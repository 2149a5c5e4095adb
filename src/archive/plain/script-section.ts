/**
 * The table of contents of one database in a script, made statement by statement. Stands in for ArchiveEntry and the
 * sorting by section of pg_backup_archiver.c.
 *
 * Invariants: every statement is in some entry, or is one that a fresh database does not need; entries stand in the
 * script's order within their section; what no rule knows waits for all before it, and all behind it waits for it.
 */

import type { TocEntry } from "../model.ts";
import type { QualifiedName } from "../sql/tokens.ts";
import {
  AMONG,
  BEFORE,
  BEHIND,
  type ByteRange,
  type DraftEntry,
  EMPTY,
  finished,
  type NewEntry,
  PLACES,
  type Place,
  SECTION_AT,
} from "./draft-entry.ts";
import { granted, isLabel, nameRoots, namesOf, ownedBy, sessionEntries, viewOrRule } from "./entry-forms.ts";
import { dependenciesOf, registerIn } from "./entry-needs.ts";
import type { Made, Meaning } from "./meaning.ts";
import { nameKey, RelationGraph } from "./relation-graph.ts";
import { ScriptFault } from "./script-fault.ts";
import type { ScriptSettings } from "./script-settings.ts";
import type { StatementWords } from "./statement-words.ts";

/** Dump IDs 1 to 3 are the session's. */
const FIRST_ID = 10;
/** pg_dump moves these behind the data when they need a constraint. */
const MOVABLE = new Set(["FUNCTION", "PROCEDURE", "AGGREGATE", "VIEW", "MATERIALIZED VIEW"]);
const WITH_TABLESPACE = new Set(["TABLE", "MATERIALIZED VIEW", "INDEX", "CONSTRAINT"]);
const ROUTINES = new Set(["FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE"]);
const RELATIONS = new Set(["TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"]);
const NEVER_CONTINUED = new Set(["COMMENT", "ACL", "SECURITY LABEL", "TABLE DATA", "BLOBS", "SEQUENCE SET"]);

export class ScriptSection {
  readonly drafts: DraftEntry[] = [];
  readonly graph = new RelationGraph();
  /** Everything that has a name, relations too, by kind and name. */
  readonly objects = new Map<string, DraftEntry>();
  encoding: string | null = null;
  standardConformingStrings = true;
  /** `null` where names follow `SET search_path`. */
  #searchPath: string | null | undefined;
  #place: Place = BEFORE;
  #last: DraftEntry | null = null;
  #nextId = FIRST_ID;
  /** Only DROPs so far, and what `pg_dump --clean` puts among them. */
  #onlyDrops = true;
  #barrier: number | null = null;
  readonly #sinceBarrier: number[] = [];
  readonly #rows = new Map<string, DraftEntry>();
  readonly #largeObjects = new Map<string, DraftEntry>();

  /** Takes in a statement that changes this database. `offset` is its first byte. @throws ScriptFault */
  take(meaning: Meaning, words: StatementWords, settings: ScriptSettings, offset: number): void {
    this.#agree(settings, offset);
    switch (meaning.does) {
      case "make":
        this.#make(meaning, words, settings);
        return;
      case "own":
        this.#own(meaning, words, settings);
        return;
      case "follow":
        this.#follow(meaning, words, settings);
        return;
      case "drop":
        this.#drop(meaning, words, settings);
        return;
      case "large-object":
        this.addLargeObject(meaning.oid, words.text, settings);
        return;
      case "large-object-owner": {
        const made = this.#largeObjects.get(meaning.oid);
        if (made !== undefined) made.owner = meaning.role;
        return;
      }
      default:
        throw new RangeError(`a statement that does ${meaning.does} is no entry`);
    }
  }

  /** Rows of a table: COPY text, or with `copyStmt` null INSERT statements that begin with `head`. */
  addRows(
    target: QualifiedName,
    copyStmt: string | null,
    head: string,
    range: ByteRange,
    settings: ScriptSettings,
  ): DraftEntry {
    this.#agree(settings, range.start);
    const key = nameKey(target, settings.schema);
    const known = this.#rows.get(`${key} ${head}`);
    this.#onlyDrops = false;
    if (known !== undefined) {
      known.ranges.push(range);
      return known;
    }
    const table = this.graph.relation(key);
    const entry = this.#add({
      ...EMPTY,
      desc: "TABLE DATA",
      tag: target.name,
      namespace: target.schema ?? settings.schema,
      section: "data",
      place: AMONG,
      copyStmt,
      owner: table?.owner ?? null,
      dependencies: table === undefined ? [] : [table.dumpId],
      ranges: [range],
    });
    this.graph.addRows(key);
    this.#rows.set(`${key} ${head}`, entry);
    return entry;
  }

  /** The statements that fill large objects. */
  addLargeObjectData(range: ByteRange, settings: ScriptSettings): DraftEntry {
    this.#agree(settings, range.start);
    const known = this.objects.get("BLOBS");
    if (known !== undefined) {
      known.ranges.push(range);
      return known;
    }
    const tag = "BLOBS";
    const entry = this.#add({
      ...EMPTY,
      desc: tag,
      tag,
      namespace: null,
      section: "data",
      place: AMONG,
      ranges: [range],
      dependencies: [],
    });
    this.objects.set(tag, entry);
    return entry;
  }

  /** pg_dump 17 and later make them behind the tables' rows; nothing is lost by making them before. */
  addLargeObject(oid: string, text: string, settings: ScriptSettings): void {
    const entry = this.#add({
      ...EMPTY,
      desc: "BLOB",
      tag: oid,
      namespace: null,
      section: "pre-data",
      place: BEFORE,
      defn: `${text}\n`,
      dropStmt: `SELECT pg_catalog.lo_unlink('${oid}');\n`,
      owner: settings.owner,
      names: [`LARGE OBJECT ${nameKey({ schema: null, name: oid, next: 0 }, settings.schema)}`],
      dependencies: [],
    });
    this.#largeObjects.set(oid, entry);
    this.#onlyDrops = false;
  }

  /** The finished entries, session settings first. */
  finish(): TocEntry[] {
    nameRoots([...this.#rows.values()], this.graph);
    const sorted = this.drafts.toSorted((one, other) => one.place - other.place);
    return [...sessionEntries(this, this.#searchPath ?? null), ...sorted].map(finished);
  }

  /** An archive has one encoding and one way to write strings. */
  #agree(settings: ScriptSettings, offset: number): void {
    const isFirst = this.#searchPath === undefined;
    const { encoding, standardConformingStrings, searchPath } = settings;
    const differs = this.encoding !== null && encoding !== this.encoding;
    if (!isFirst && (differs || standardConformingStrings !== this.standardConformingStrings)) {
      throw new ScriptFault(
        "unsupported_setting",
        "the script changes client_encoding or standard_conforming_strings between its statements",
        offset,
        "make the backup with pg_dump itself, one database to a script",
      );
    }
    this.encoding = encoding;
    this.standardConformingStrings = standardConformingStrings;
    this.#searchPath = isFirst || searchPath === null ? searchPath : (this.#searchPath ?? null);
  }

  #make(meant: Made, words: StatementWords, settings: ScriptSettings): void {
    const made = viewOrRule(meant, this.graph, settings.schema);
    const namespace = made.schema === "" ? settings.schema : made.schema;
    const last = this.#last;
    const text =
      made.desc === "ACL" && settings.grantor !== null ? granted(words.text, settings.grantor) : `${words.text}\n`;
    if (made.joins && last?.joins && last.desc === made.desc && last.tag === made.tag && last.namespace === namespace) {
      last.defn += text;
      return;
    }
    const natural = PLACES[made.section];
    const moved = natural === BEFORE && this.#place === BEHIND && MOVABLE.has(made.desc);
    const place = moved ? BEHIND : (natural ?? this.#place);
    const isPartitioned = made.desc === "TABLE" && /\bPARTITION\s+BY\b/.test(words.text);
    const needs = dependenciesOf(made, words, this, settings.schema);
    // Thousands of privileges on what extensions made must not each wait for all of a large schema.
    const barrier = (made.barrier === true || moved || needs === null) && place !== BEFORE;
    const entry = this.#add({
      ...EMPTY,
      desc: made.desc,
      tag: made.tag,
      namespace,
      section: made.section === "none" && !isLabel(made.desc) ? SECTION_AT[place]! : moved ? "post-data" : made.section,
      place,
      defn: text,
      ...ownedBy(settings.owner, made),
      tablespace: WITH_TABLESPACE.has(made.desc) ? settings.tablespace : null,
      tableam: (made.desc === "TABLE" && !isPartitioned) || made.desc === "MATERIALIZED VIEW" ? settings.tableam : null,
      names: namesOf(made, settings.schema),
      joins: made.joins === true,
      dependencies: [...(needs ?? []), ...(barrier ? this.#sinceBarrier : [])],
    });
    if (barrier) {
      this.#barrier = entry.dumpId;
      this.#sinceBarrier.length = 0;
    }
    registerIn(this, made, entry, words, settings.schema);
    const ofClean = made.desc === "VIEW" && meant.tag !== made.tag;
    this.#onlyDrops &&= ofClean || made.desc.startsWith("DATABASE");
  }

  #add(draft: NewEntry): DraftEntry {
    const dependencies = new Set(draft.dependencies);
    if (draft.place !== BEFORE && this.#barrier !== null) dependencies.add(this.#barrier);
    const entry: DraftEntry = { ...draft, dumpId: this.#nextId++, dependencies, ranges: draft.ranges ?? [] };
    this.drafts.push(entry);
    for (const name of entry.names) this.objects.set(name, entry);
    if (entry.place !== BEFORE) this.#sinceBarrier.push(entry.dumpId);
    if (entry.place > this.#place) this.#place = entry.place;
    this.#last = entry;
    return entry;
  }

  #own(meaning: Extract<Meaning, { does: "own" }>, words: StatementWords, settings: ScriptSettings): void {
    const key = nameKey(meaning.name, settings.schema);
    const { kind } = meaning;
    // A function's name alone may be another's too: only the one in front is meant for certain.
    const known = ROUTINES.has(kind)
      ? this.#last
      : this.objects.get(`${RELATIONS.has(kind) ? "RELATION" : kind} ${key}`);
    const entry = known?.names.some((name) => name.endsWith(`${RELATIONS.has(kind) ? "RELATION" : kind} ${key}`))
      ? known
      : null;
    if (entry != null) {
      if (entry.desc === "SHELL TYPE") entry.desc = "TYPE";
      entry.owner = meaning.role;
      entry.dropStmt = `DROP ${entry.desc} ${meaning.object};\n`;
      return;
    }
    // initdb has made the schema public; the script only gives it to somebody.
    const desc = meaning.kind === "SCHEMA" ? "SCHEMA" : `ALTER ${meaning.kind}`;
    const made: Made = {
      does: "make",
      desc,
      tag: meaning.name.name,
      schema: null,
      section: desc === "SCHEMA" ? "pre-data" : "none",
      barrier: true,
    };
    this.#make(made, words, settings);
    if (desc !== "SCHEMA" || this.#last === null) return;
    this.#last.defn = null;
    this.#last.owner = meaning.role;
    this.#last.dropStmt = `DROP SCHEMA ${meaning.object};\n`;
  }

  #follow(meaning: Extract<Meaning, { does: "follow" }>, words: StatementWords, settings: ScriptSettings): void {
    const last = this.#last;
    const key = nameKey(meaning.name, settings.schema);
    if (last === null || NEVER_CONTINUED.has(last.desc) || !last.names.some((name) => name.endsWith(` ${key}`))) {
      this.#make(meaning.alone, words, settings);
      return;
    }
    last.defn = `${last.defn ?? ""}\n${words.text}\n`;
  }

  /** What is not there need not be dropped. */
  #drop(meaning: Extract<Meaning, { does: "drop" }>, words: StatementWords, settings: ScriptSettings): void {
    const key = meaning.name === null ? null : nameKey(meaning.name, settings.schema);
    const known = key === null ? undefined : (this.graph.relation(key) ?? this.graph.index(key));
    if (this.#onlyDrops || (key !== null && known === undefined)) {
      if (key !== null && known !== undefined) {
        this.graph.remove(key);
        this.drafts.splice(this.drafts.indexOf(known), 1);
      }
      return;
    }
    this.#make(meaning.alone, words, settings);
  }
}
