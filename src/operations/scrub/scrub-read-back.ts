/**
 * Reads a sanitised copy from where it lies, whole, as if it were any backup, and compares it with what was written. Only a
 * copy that passes here is told of.
 *
 * What is proven: every table's COPY text is to the byte what the filter let through; put through the same filter again,
 * nothing is erased and nothing changes; the large objects are the ones that stay; no entry names one that goes; no entry
 * holds statistics; the copy is not younger than the snapshot.
 */
import { createHash } from "node:crypto";
import type { Archive, DecryptionKeys, TocEntry } from "../../archive/model.ts";
import { openArchive } from "../../archive/open-archive.ts";
import { openArchiveFiles } from "../../archive/open-files.ts";
import { sanitiseRows } from "../../erasure/sanitise-rows.ts";
import { Tally } from "../../erasure/tally.ts";
import { VerificationFailed } from "../../errors.ts";
import type { ObjectInfo } from "../../storage/contract.ts";
import { directoryFiles } from "../directory-files.ts";
import { snapshotTime } from "../gates.ts";
import type { RunContext } from "../settings.ts";
import { erasedLargeObjects } from "../summaries.ts";
import { CLOSING, LargeObjectSet, TableSet, withoutClosing } from "./fingerprint.ts";
import type { ScrubContent } from "./scrub-content.ts";
import type { ScrubPlace } from "./scrub-place.ts";

/** What reading back needs to know beside the content. */
export interface ReadBackOptions {
  /** Open the copy where it is encrypted. */
  readonly keys: (() => Promise<DecryptionKeys>) | undefined;
  /** The original's snapshot. */
  readonly original: Date;
}

/**
 * Opens the copy where it lies and reads all of it. Gives what is known of it as a whole.
 * @throws VerificationFailed with code `copy_differs`, `copy_younger` or `survivor`; ArchiveDamaged when it cannot be read.
 */
export async function readBack(
  run: RunContext,
  place: ScrubPlace,
  content: ScrubContent,
  { keys, original }: ReadBackOptions,
): Promise<ObjectInfo> {
  const { info, archive } = await openCopy(run, place, keys);
  await compareAll(run, archive, content);
  checkNotYounger(snapshotTime(archive.header, info, run.settings.source, run.now()).at, original);
  if (info.size !== place.size || (place.key !== null && info.etag !== place.put[0]?.etag)) {
    throw differs("another file lies in its place");
  }
  return info;
}

async function openCopy(
  { settings, signal }: RunContext,
  { store, key }: ScrubPlace,
  keys: ReadBackOptions["keys"],
): Promise<{ readonly info: ObjectInfo; readonly archive: Archive }> {
  const options = { signal, keys, maxExpansion: settings.limits.maxExpansion };
  if (key === null) {
    const { info, files } = await directoryFiles(store, "", signal);
    return { info, archive: await openArchiveFiles(files, options) };
  }
  const object = await store.open(key);
  return { info: object.info, archive: await openArchive(object, options) };
}

async function compareAll(run: RunContext, copy: Archive, content: ScrubContent): Promise<void> {
  const tables = new TableSet();
  const objects = new LargeObjectSet();
  await copy.walk(
    {
      tableData: async (entry, data) => await readTable(run, entry, data, { content, tables }),
      largeObjects: async (_entry, found) => {
        for await (const object of found) for await (const bytes of objects.watch(object).data) void bytes;
      },
    },
    run.signal,
  );
  const difference = content.tables.difference(tables);
  if (difference !== null) throw differs(`${difference.what} of ${labelOf(difference.dumpId, content)}`);
  if (!objects.equals(content.largeObjects)) {
    throw differs(`large objects (${objects.count} instead of ${content.largeObjects.count}, or their contents)`);
  }
  checkEntries(copy, content);
}

/** Evidence that would let the copy pass for younger than its original. */
function checkNotYounger(copy: Date, original: Date): void {
  if (copy <= original) return;
  throw new VerificationFailed(
    `the copy would be taken for a backup of ${copy.toISOString()}, later than its original`,
    {
      code: "copy_younger",
      hint: "set source.timezone to the zone of the machine that makes the dumps",
    },
  );
}

interface Reading {
  readonly content: ScrubContent;
  /** As they are read. */
  readonly tables: TableSet;
}

/** Reads a table's rows and puts them through the filter again, which must find nothing to do. */
async function readTable(
  run: RunContext,
  entry: TocEntry,
  data: AsyncIterable<Buffer>,
  { content, tables }: Reading,
): Promise<void> {
  const key = content.keyOf(entry);
  const dumpId = content.tables.dumpIdOf(key);
  if (dumpId === undefined) throw differs(`dump ID ${entry.dumpId} was not written`);
  const table = content.plan.tables.get(dumpId)!;
  const read = tables.table(key, dumpId);
  const stored = createHash("sha256");
  const filtered = createHash("sha256");
  const tally = new Tally();
  const watched = async function* (): AsyncGenerator<Buffer> {
    for await (const bytes of withoutClosing(data)) {
      stored.update(bytes);
      read.hash.update(bytes);
      yield bytes;
    }
    yield CLOSING;
  };
  for await (const bytes of sanitiseRows(watched(), table, content.plan, tally, run.signal)) filtered.update(bytes);
  const counts = tally.table(table.dumpId);
  read.rows += counts.read;
  if (counts.erased > 0 || !stored.digest().equals(filtered.digest())) {
    throw new VerificationFailed(
      `table ${table.label}: the copy still holds rows that the filter takes out or changes`,
      { code: "survivor", hint: "this is a defect of sanitize: report it; the copy was removed" },
    );
  }
}

function labelOf(dumpId: number, { plan }: ScrubContent): string {
  return `table ${plan.tables.get(dumpId)?.label ?? ""} (dump ID ${dumpId})`;
}

function checkEntries(copy: Archive, content: ScrubContent): void {
  const named = erasedLargeObjects(copy, content.plan);
  if (named > 0) throw differs(`large objects (${named} that go are still named in it)`);
  if (copy.header.format === "plain") return;
  const kept = content.entries().map(({ entry }) => entry.dumpId);
  const found = new Set(copy.toc.map(({ dumpId }) => dumpId));
  if (found.size !== kept.length || kept.some((dumpId) => !found.has(dumpId))) throw differs("entries");
}

function differs(what: string): VerificationFailed {
  return new VerificationFailed(`what was read back of the copy is not what was written: ${what}`, {
    code: "copy_differs",
    hint: "the copy was removed; check the store that it was written to",
  });
}
