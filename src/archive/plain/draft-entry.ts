/** An entry of a script's table of contents while the script is still being read. */

import type { Section, TocEntry } from "../model.ts";

/** Bytes `[start, end)` of the script. */
export interface ByteRange {
  readonly start: number;
  end: number;
}

/** Where an entry stands: before, among or behind the data. Entries of section "none" have a place too. */
export const BEFORE = 0;
export const AMONG = 1;
export const BEHIND = 2;
export type Place = typeof BEFORE | typeof AMONG | typeof BEHIND;

/** Where entries of a section stand; `null`: where they are met. */
export const PLACES: Readonly<Record<Section, Place | null>> = {
  none: null,
  "pre-data": BEFORE,
  data: AMONG,
  "post-data": BEHIND,
};
export const SECTION_AT: readonly Section[] = ["pre-data", "data", "post-data"];

export interface DraftEntry {
  readonly dumpId: number;
  desc: string;
  readonly tag: string;
  readonly namespace: string | null;
  readonly section: Section;
  readonly place: Place;
  defn: string | null;
  dropStmt: string | null;
  readonly copyStmt: string | null;
  readonly tablespace: string | null;
  readonly tableam: string | null;
  owner: string | null;
  readonly dependencies: Set<number>;
  /** Where its data lies; empty for entries without. */
  readonly ranges: ByteRange[];
  /** Names that statements behind it may use for it: see entry-forms.ts. */
  readonly names: readonly string[];
  /** Statements of the same type, tag and schema right behind it belong to it. */
  readonly joins: boolean;
}

/** A draft without what its section gives it. */
export type NewEntry = Omit<DraftEntry, "dumpId" | "dependencies" | "ranges"> & {
  readonly dependencies: readonly number[];
  readonly ranges?: ByteRange[];
};

/** What every draft that says nothing else has. */
export const EMPTY = {
  defn: null,
  dropStmt: null,
  copyStmt: null,
  tablespace: null,
  tableam: null,
  owner: null,
  names: [],
  joins: false,
} as const;

/** Not as stored in an archive: nothing is. */
const NOT_STORED = Buffer.alloc(0);

export function finished(draft: DraftEntry): TocEntry {
  return {
    dumpId: draft.dumpId,
    hasData: draft.ranges.length > 0,
    catalogOid: 0,
    oid: 0,
    tag: draft.tag,
    desc: draft.desc,
    section: draft.section,
    defn: draft.defn,
    dropStmt: draft.dropStmt,
    copyStmt: draft.copyStmt,
    namespace: draft.namespace,
    tablespace: draft.tablespace,
    tableam: draft.tableam,
    relkind: null,
    owner: draft.owner,
    withOids: draft.copyStmt?.includes(" WITH OIDS FROM stdin;") === true,
    dependencies: [...draft.dependencies],
    offset: draft.ranges[0]?.start ?? null,
    raw: NOT_STORED,
  };
}
