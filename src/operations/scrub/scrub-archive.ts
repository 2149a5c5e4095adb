/** A sanitised copy as an archive to write: custom or directory. Entries that did not change are the source's own bytes. */
import type { LocalTime, TocEntry } from "../../archive/model.ts";
import type { ArchiveToWrite, EntryToWrite } from "../../archive/toc/toc-to-write.ts";
import type { ScrubContent } from "./scrub-content.ts";
import type { ScrubShape } from "./scrub-shape.ts";

/** `encode` writes a text in the dump's encoding. */
export function archiveToWrite(
  content: ScrubContent,
  shape: ScrubShape,
  createdAt: LocalTime,
  encode: (text: string) => Buffer,
): ArchiveToWrite {
  const { header, sequential, dataOrder } = content.archive;
  const asStored = keepsStoredBytes(header, shape);
  return {
    minor: shape.minor,
    compression: shape.compression.by,
    level: shape.compression.level ?? undefined,
    createdAt,
    database: encode(header.database),
    serverVersion: encode(header.serverVersion),
    dumpVersion: encode(header.dumpVersion),
    // what can only be read forwards is written as it is read
    ...(sequential ? { dataOrder: dataOrder.map(({ dumpId }) => dumpId) } : {}),
    entries: content.entries().map(({ entry, texts }) => ({
      ...(texts === null && asStored && entry.raw.length > 0
        ? storedEntry(entry)
        : encodedEntry(texts === null ? entry : { ...entry, ...texts }, encode)),
      ...dataOf(entry, content),
    })),
  };
}

/** The layouts of 1.14 and 1.15 are one. */
function keepsStoredBytes(header: ScrubContent["archive"]["header"], { minor }: ScrubShape): boolean {
  const alike = header.minor === minor || (header.minor === 14 && minor === 15);
  return header.format !== "plain" && header.intSize === 4 && alike;
}

function storedEntry({ dumpId, desc, tag, section, dependencies, raw }: TocEntry): EntryToWrite {
  return { dumpId, desc, tag, section, dependencies, raw };
}

function encodedEntry(entry: TocEntry, encode: (text: string) => Buffer): EntryToWrite {
  const text = (value: string | null): Buffer | null => (value === null ? null : encode(value));
  return {
    dumpId: entry.dumpId,
    desc: entry.desc,
    tag: encode(entry.tag),
    section: entry.section,
    defn: text(entry.defn),
    dropStmt: text(entry.dropStmt),
    copyStmt: text(entry.copyStmt),
    namespace: text(entry.namespace),
    tablespace: text(entry.tablespace),
    tableam: text(entry.tableam),
    relkind: entry.relkind,
    owner: text(entry.owner),
    withOids: entry.withOids,
    dependencies: entry.dependencies,
    catalogOid: entry.catalogOid,
    oid: entry.oid,
  };
}

function dataOf(entry: TocEntry, content: ScrubContent): Pick<EntryToWrite, "data" | "largeObjects"> {
  if (!entry.hasData) return {};
  return entry.desc === "BLOBS"
    ? { largeObjects: () => content.objects(entry) }
    : { data: () => content.closedRows(entry) };
}
