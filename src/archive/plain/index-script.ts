/**
 * The one reading of a whole script that learns what is in it and where its rows lie: a script tells its indexes and
 * foreign keys only behind the data. Mirrors what psql does with a script (mainloop.c), without a server.
 *
 * Invariants: holds definitions, never rows; every statement lands in an entry, is a setting that is followed, or is
 * refused; passwords of roles are never kept.
 */

import { ByteReader } from "../byte-reader.ts";
import type { ByteSource } from "../model.ts";
import type { QualifiedName } from "../sql/tokens.ts";
import { databaseOfConnect } from "./connect-command.ts";
import { readCopy, readInsert } from "./copy-statement.ts";
import type { ByteRange } from "./draft-entry.ts";
import { type Globals, noGlobals } from "./globals.ts";
import { isLargeObjectCall, oldLargeObject } from "./large-object-calls.ts";
import { type ScriptItem, ScriptLexer } from "./lexer.ts";
import { commandName } from "./lexer-faults.ts";
import type { Meaning } from "./meaning.ts";
import { readStatement } from "./read-statement.ts";
import { ScriptFault } from "./script-fault.ts";
import { ScriptSection } from "./script-section.ts";
import { encodingUnknown, ScriptSettings } from "./script-settings.ts";
import { type ScriptUnit, ScriptUnits } from "./script-units.ts";
import { StatementWords } from "./statement-words.ts";

/** One database of a script. */
export interface DatabaseScript {
  readonly section: ScriptSection;
  unit: ScriptUnit | null;
}

export interface ScriptIndex {
  /** By name; "" is the database that the script does not name: the one it is run in. */
  readonly databases: ReadonlyMap<string, DatabaseScript>;
  readonly globals: Globals;
  readonly isCluster: boolean;
  /** Has pg_dump's header and its end. */
  readonly isFramed: boolean;
}

/** Reads `source` from byte `start` to its end. @throws ScriptFault */
export async function indexScript(source: ByteSource, start: number, signal?: AbortSignal): Promise<ScriptIndex> {
  const reader = new ByteReader(source.read(start, source.size ?? undefined, signal), start, signal);
  try {
    const lexer = new ScriptLexer(reader);
    const indexer = new Indexer(lexer);
    for (let item = await lexer.next(); item !== null; item = lexer.nextAtHand() ?? (await lexer.next()))
      indexer.take(item);
    return indexer.finish(reader.offset);
  } finally {
    await reader.close();
  }
}

class Indexer {
  readonly #lexer: ScriptLexer;
  readonly #databases = new Map<string, DatabaseScript>();
  readonly #units = new ScriptUnits();
  readonly #globals = noGlobals();
  #settings = new ScriptSettings();
  #current = "";
  /** The COPY whose rows come next. */
  #copy: { readonly table: QualifiedName; readonly copyStmt: string } | null = null;
  /** The INSERTs in hand: of one head, one behind the other. */
  #inserts: { readonly head: Buffer; readonly range: ByteRange } | null = null;
  #objects: ByteRange | null = null;

  constructor(lexer: ScriptLexer) {
    this.#lexer = lexer;
  }

  take(item: ScriptItem): void {
    if (item.kind === "insert" && this.#inserts?.head === item.head) {
      this.#inserts.range.end = item.end;
      return;
    }
    this.#inserts = null;
    switch (item.kind) {
      case "comment":
        this.#units.comment(item.bytes, item.start);
        return;
      case "command":
        this.#command(item.bytes, item.start);
        return;
      case "rows":
        this.#rows(item);
        return;
      case "insert":
        this.#units.content(item.start);
        this.#beginInserts(item);
        return;
      case "statement":
        this.#units.content(item.start);
        this.#statement(item);
        return;
    }
  }

  finish(end: number): ScriptIndex {
    this.#units.end(end);
    const { isCluster, isFramed } = this.#units;
    return { databases: this.#databases, globals: this.#globals, isCluster, isFramed };
  }

  #database(name: string): DatabaseScript {
    const known = this.#databases.get(name) ?? { section: new ScriptSection(), unit: null };
    this.#databases.set(name, known);
    return known;
  }

  #section(): ScriptSection {
    const database = this.#database(this.#current);
    database.unit = this.#units.unit;
    return database.section;
  }

  #command(bytes: Buffer, offset: number): void {
    const name = commandName(bytes);
    if (name === "\\unrestrict") return;
    this.#units.content(offset);
    switch (name) {
      case "\\restrict":
        return;
      case "\\encoding":
        this.#settings.encoding = bytes.toString("latin1").split(/\s+/)[1]?.toUpperCase() ?? null;
        this.#configure();
        return;
      case "\\c":
      case "\\connect": {
        const database = databaseOfConnect(bytes.toString("utf8"));
        if (database === null) throw notFollowed(name, offset);
        this.#current = database;
        this.#settings = new ScriptSettings();
        this.#configure();
        this.#database(database).unit = this.#units.unit;
        return;
      }
      default:
        throw notFollowed(name, offset);
    }
  }

  #configure(): void {
    this.#lexer.configure(this.#settings.leads, !this.#settings.standardConformingStrings);
  }

  #rows(range: { readonly start: number; readonly end: number }): void {
    if (this.#copy === null) throw new RangeError("rows without a COPY statement");
    const { table, copyStmt } = this.#copy;
    this.#copy = null;
    if (this.#settings.encoding === null) throw encodingUnknown(range.start);
    this.#section().addRows(table, copyStmt, copyStmt, { start: range.start, end: range.end }, this.#settings);
  }

  #beginInserts({ head, start, end }: { readonly head: Buffer; readonly start: number; readonly end: number }): void {
    if (this.#settings.encoding === null) throw encodingUnknown(start);
    const text = this.#settings.text(head, start);
    const table = readInsert(new StatementWords(text, this.#settings.standardConformingStrings));
    if (table === null) throw refused("INSERT", start);
    const range = { start, end };
    this.#inserts = { head, range };
    this.#section().addRows(table, null, text, range, this.#settings);
  }

  #statement({ bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number }): void {
    const front = bytes.toString("latin1", 0, 80);
    if (isLargeObjectCall(front)) {
      this.#largeObject(front, { start, end });
      return;
    }
    const words = new StatementWords(this.#settings.text(bytes, start), this.#settings.standardConformingStrings);
    if (this.#settings.take(words, start)) {
      this.#configure();
      return;
    }
    const meaning = readStatement(words);
    // A transaction around a piece of large objects' data belongs to neither.
    if (meaning.does !== "nothing") this.#objects = null;
    this.#apply(meaning, words, start);
  }

  #apply(meaning: Meaning, words: StatementWords, start: number): void {
    switch (meaning.does) {
      case "nothing":
        return;
      case "refuse":
        throw refused(meaning.what, start);
      case "copy":
        this.#copy = readCopy(words, start);
        return;
      case "global":
        this.#globals.add(meaning);
        return;
      default:
        this.#database(this.#ownerOf(meaning) ?? this.#current).unit = this.#units.unit;
        this.#database(this.#ownerOf(meaning) ?? this.#current).section.take(meaning, words, this.#settings, start);
    }
  }

  /** What is said of a database belongs to it, wherever it is said; where there is only one, that is it. */
  #ownerOf(meaning: Meaning): string | null {
    if (meaning.does === "own" && meaning.kind === "DATABASE") return meaning.name.name;
    if (meaning.does === "make" && meaning.desc === "DATABASE") return meaning.tag;
    return null;
  }

  #largeObject(front: string, { start, end }: ByteRange): void {
    const made = oldLargeObject(front);
    if (made !== null) {
      this.#section().addLargeObject(made, `SELECT pg_catalog.lo_create('${made}');`, this.#settings);
    }
    if (this.#objects !== null) {
      this.#objects.end = end;
      return;
    }
    this.#objects = { start, end };
    this.#section().addLargeObjectData(this.#objects, this.#settings);
  }
}

function notFollowed(name: string, offset: number): ScriptFault {
  return new ScriptFault(
    "psql_command",
    `the psql command ${name} cannot be followed`,
    offset,
    "pg_dump writes none but \\restrict, \\unrestrict, \\connect and \\encoding; take it out of a copy of the script",
  );
}

function refused(what: string, offset: number): ScriptFault {
  return what === ""
    ? new ScriptFault(
        "not_sql",
        "something begins that is no SQL statement",
        offset,
        "other output may have been written into the file; make the backup with pg_dump -f <file>",
      )
    : new ScriptFault(
        "unsupported_statement",
        `a statement (${what}) that could write rows past the filter begins`,
        offset,
        "pg_dump writes none of this kind; take it out of a copy of the script, or make the backup with pg_dump itself",
      );
}
