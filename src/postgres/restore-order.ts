/**
 * Which TOC entries are executed, with which SQL, and in which phase. Mirrors `_tocEntryRequired`,
 * `_tocEntryRestorePass` and `_printTocEntry` (REL_18 pg_backup_archiver.c).
 *
 * Invariants: ACLs come after everything of the main pass, refreshes and event triggers after the ACLs; ENCODING, STDSTRINGS
 * and SEARCHPATH are session settings, never items; what belongs to the database itself is kept apart for go-live;
 * statistics, which hold column values, are never restored. Pure.
 */
import type { Archive, Section, TocEntry } from "../archive/model.ts";
import { ArchiveDamaged } from "../errors.ts";
import { quoteIdentifier, quoteQualified } from "./identifiers.ts";
import { isLargeObjectEntry, largeObjectStatements } from "./large-object-entries.ts";
import { defnForServer } from "./older-server.ts";
import { ownerStatement } from "./owner-statement.ts";
import type { SessionSettings } from "./session.ts";

/** One entry to execute. A step of TABLE DATA or BLOBS has no statements: its bytes are streamed. */
export interface Step {
  readonly entry: TocEntry;
  /** The entry's own section, or the furthest so far for entries that have none. */
  readonly section: Section;
  /** SQL in order; each ends with a semicolon or is empty. */
  readonly statements: readonly string[];
}

/** What the dump says of the database itself: applied when the restored database gets its name. */
export interface DatabaseEntries {
  readonly create: TocEntry | null;
  /** DATABASE PROPERTIES, and ACL, COMMENT and SECURITY LABEL tagged `DATABASE x`. */
  readonly followers: readonly TocEntry[];
}

export interface RestorePlan {
  readonly session: SessionSettings;
  readonly database: DatabaseEntries;
  readonly preData: readonly Step[];
  /** Data and post-data of the main pass, in TOC order. */
  readonly body: readonly Step[];
  readonly acl: readonly Step[];
  /** Materialized views' refreshes, then event triggers. */
  readonly postAcl: readonly Step[];
  /** Dump IDs of the TABLEs this plan creates. */
  readonly createdTables: ReadonlySet<number>;
  /** Archives up to 1.11: no entry creates the large objects, their data does. */
  readonly createLargeObjects: boolean;
  /** Entries that are not restored, other than by the caller's wish. */
  readonly leftOut: readonly TocEntry[];
}

export interface PlanOptions {
  /** True for a TABLE DATA or BLOBS entry that is not loaded. */
  readonly skipData?: (entry: TocEntry) => boolean;
  /** OIDs of large objects that are not restored in any respect. */
  readonly skipLargeObjects?: ReadonlySet<number>;
  /** `server_version_num` of the target, where the statements will run. */
  readonly serverVersion?: number;
}

type PlannedArchive = Pick<Archive, "header" | "toc" | "entry" | "standardConformingStrings">;
type Phase = "preData" | "body" | "acl" | "refresh" | "eventTrigger" | "database" | "leftOut" | "session";

/** Sections never go back: archives up to 1.10 store none, and what is guessed for an entry may lie before its place. */
const SECTION_ORDER: readonly Section[] = ["none", "pre-data", "data", "post-data"];
const SESSION = new Set(["ENCODING", "STDSTRINGS", "SEARCHPATH"]);
const STATISTICS = new Set(["STATISTICS DATA", "EXTENDED STATISTICS DATA"]);
const ATTACHED = new Set(["ACL", "COMMENT", "SECURITY LABEL"]);
const MARKERS = new Set(["<Init>", "WARNING"]);

/** @throws ArchiveDamaged `insert_data_unsupported`, `blob_comments_unsupported`, `unknown_entry_type`. */
export function planRestore(archive: PlannedArchive, options: PlanOptions = {}): RestorePlan {
  const steps: Record<Phase, Step[]> = {
    preData: [],
    body: [],
    acl: [],
    refresh: [],
    eventTrigger: [],
    database: [],
    leftOut: [],
    session: [],
  };
  let section: Section = "pre-data";
  for (const entry of archive.toc) {
    if (SECTION_ORDER.indexOf(entry.section) > SECTION_ORDER.indexOf(section)) section = entry.section;
    const phase = phaseOf(entry, section);
    if (phase === "body" && entry.hasData && options.skipData?.(entry)) continue;
    const executed = phase !== "session" && phase !== "database" && phase !== "leftOut";
    const statements = executed ? statementsOf(entry, archive, options) : [];
    if (executed && statements.length === 0 && !entry.hasData) continue;
    steps[phase].push({ entry, section, statements });
  }
  return {
    session: {
      searchPath: archive.toc.find((entry) => entry.desc === "SEARCHPATH")?.defn ?? null,
      standardConformingStrings: archive.standardConformingStrings,
    },
    database: databaseEntries(steps.database),
    preData: steps.preData,
    body: steps.body,
    acl: steps.acl,
    // Refreshes are DDL: event triggers would fire on them.
    postAcl: [...steps.refresh, ...steps.eventTrigger],
    createdTables: new Set(
      steps.preData.filter(({ entry }) => entry.desc === "TABLE").map(({ entry }) => entry.dumpId),
    ),
    createLargeObjects: archive.header.minor < 12,
    leftOut: steps.leftOut.map(({ entry }) => entry),
  };
}

function databaseEntries(steps: readonly Step[]): DatabaseEntries {
  const entries = steps.map(({ entry }) => entry);
  return {
    create: entries.find((entry) => entry.desc === "DATABASE") ?? null,
    followers: entries.filter((entry) => entry.desc !== "DATABASE"),
  };
}

function phaseOf(entry: TocEntry, section: Section): Phase {
  const { desc, tag } = entry;
  if (SESSION.has(desc)) return "session";
  if (desc === "DATABASE" || desc === "DATABASE PROPERTIES") return "database";
  if (ATTACHED.has(desc) && tag.startsWith("DATABASE ")) return "database";
  if (STATISTICS.has(desc) || MARKERS.has(desc)) return "leftOut";
  if (desc === "ACL" || desc === "ACL LANGUAGE" || desc === "DEFAULT ACL") return "acl";
  if (desc === "MATERIALIZED VIEW DATA") return "refresh";
  if (desc === "EVENT TRIGGER" || (ATTACHED.has(desc) && tag.startsWith("EVENT TRIGGER "))) return "eventTrigger";
  return section === "pre-data" ? "preData" : "body";
}

function statementsOf(entry: TocEntry, archive: PlannedArchive, options: PlanOptions): string[] {
  if (entry.hasData || entry.desc === "TABLE DATA") return dataEntry(entry);
  if (isLargeObjectEntry(entry)) {
    return largeObjectStatements(entry, archive.entry, options.skipLargeObjects ?? new Set());
  }
  const owner = ownerStatement(entry);
  const method = partitionedAccessMethod(entry);
  const defn = isPublicSchema(entry) ? "" : defnForServer(entry, options.serverVersion ?? Number.POSITIVE_INFINITY);
  return [defn, ...(method === null ? [] : [method]), ...(owner === null ? [] : [owner])].filter((sql) => sql !== "");
}

/** Data entries stream; their defn is at most the comment `-- load via partition root …`. */
function dataEntry(entry: TocEntry): string[] {
  if (entry.desc === "TABLE DATA" && entry.hasData && entry.copyStmt === null) {
    throw new ArchiveDamaged(
      `table data of ${entry.namespace}.${entry.tag} (entry ${entry.dumpId}) is INSERT statements`,
      {
        code: "insert_data_unsupported",
        hint: "make the dump without --inserts, --column-inserts and --rows-per-insert",
      },
    );
  }
  if (entry.desc === "BLOB COMMENTS") {
    throw new ArchiveDamaged(`entry ${entry.dumpId} holds comments on large objects as PostgreSQL 8 wrote them`, {
      code: "blob_comments_unsupported",
      hint: "make the dump with pg_dump 9.0 or later",
    });
  }
  if (entry.desc !== "TABLE DATA" && entry.desc !== "BLOBS") {
    throw new ArchiveDamaged(`entry ${entry.dumpId} has data, and its type ${entry.desc} is not known to`, {
      code: "unknown_entry_type",
    });
  }
  return [];
}

/** A partitioned table has no storage, so `default_table_access_method` does not reach it. */
function partitionedAccessMethod(entry: TocEntry): string | null {
  if (entry.relkind !== "p" || !entry.tableam) return null;
  return `ALTER TABLE ${quoteQualified(entry.namespace, entry.tag)} SET ACCESS METHOD ${quoteIdentifier(entry.tableam)};`;
}

/** template0 has the schema already; dumps of PostgreSQL 10 and earlier create it nevertheless. */
function isPublicSchema(entry: TocEntry): boolean {
  return (
    entry.desc === "SCHEMA" &&
    entry.tag === "public" &&
    /^CREATE SCHEMA public(?: AUTHORIZATION [^;]+)?;\s*$/.test(entry.defn ?? "")
  );
}

/** Where TABLE DATA is routed through the partition root: the root's qualified name, else `null`. */
export function partitionRoot(entry: TocEntry): string | null {
  const prefix = "-- load via partition root ";
  return entry.desc === "TABLE DATA" && entry.defn?.startsWith(prefix) ? entry.defn.slice(prefix.length).trim() : null;
}
