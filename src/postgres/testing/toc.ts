/** TOC entries and archives made by hand, for tests that need no archive file. */
import type { Archive, LargeObject, TocEntry } from "../../archive/model.ts";

const NO_ENTRY: TocEntry = {
  dumpId: 1,
  hasData: false,
  catalogOid: 0,
  oid: 0,
  tag: "",
  desc: "TABLE",
  section: "pre-data",
  defn: null,
  dropStmt: null,
  copyStmt: null,
  namespace: null,
  tablespace: null,
  tableam: null,
  relkind: null,
  owner: null,
  withOids: false,
  dependencies: [],
  offset: null,
  raw: Buffer.alloc(0),
};

export function tocEntry(parts: Partial<TocEntry>): TocEntry {
  return { ...NO_ENTRY, ...parts };
}

export interface ArchiveParts {
  readonly toc: readonly TocEntry[];
  readonly minor?: number;
  /** By dump ID. */
  readonly largeObjects?: ReadonlyMap<number, readonly { readonly oid: number; readonly bytes: Buffer }[]>;
}

/** An archive whose table data is empty and whose large objects are given. */
export function archiveOf(parts: ArchiveParts): Archive {
  const minor = parts.minor ?? 14;
  return {
    header: {
      format: "custom",
      version: `1.${minor}`,
      minor,
      intSize: 4,
      offsetSize: 8,
      compression: "none",
      compressionLevel: null,
      createdAt: { year: 2026, month: 11, day: 23, hour: 6, minute: 0, second: 0, isDst: false },
      database: "made by hand",
      serverVersion: "15.18",
      dumpVersion: "15.18",
    },
    toc: parts.toc,
    entry: new Map(parts.toc.map((entry) => [entry.dumpId, entry])),
    encoding: "UTF8",
    standardConformingStrings: true,
    randomAccess: true,
    sequential: false,
    wrapping: [],
    remarks: [],
    dataOrder: parts.toc.filter((entry) => entry.hasData),
    storedSize: () => null,
    tableData: () => chunks(["\\.\n\n\n"]),
    largeObjects: (entry) => objects(parts.largeObjects?.get(entry.dumpId) ?? []),
    walk: async () => undefined,
  };
}

export async function* chunks(texts: Iterable<string | Buffer>): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.isBuffer(text) ? text : Buffer.from(text);
}

async function* objects(list: readonly { oid: number; bytes: Buffer }[]): AsyncGenerator<LargeObject> {
  for (const { oid, bytes } of list) yield { oid, data: chunks([bytes]) };
}
