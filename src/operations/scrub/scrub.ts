/**
 * Writes a sanitised copy of a backup that stock tools read, as a recipe. Its promise: a copy that is told of has been read
 * back whole and found right; whatever stops the recipe, no copy is left and the original is as it was.
 */
import { finishArchive } from "../../archive/open-archive.ts";
import { UsageError } from "../../errors.ts";
import type { ScrubEvidence } from "../../evidence/document.ts";
import type { ObjectInfo } from "../../storage/contract.ts";
import type { Journal } from "../journal.ts";
import { type Prepared, prepare } from "../prepare.ts";
import { type RunResult, withEvidence } from "../run-evidence.ts";
import type { RunContext } from "../settings.ts";
import { largeObjectEvidence, readingEvidence, requestEvidence, tableEvidence } from "../summaries.ts";
import { planOnly } from "../verify.ts";
import { ScrubContent } from "./scrub-content.ts";
import { type Encryption, type EncryptionChoice, encryptionFor } from "./scrub-encryption.ts";
import { type CopyLabels, copyLabels, openOut, ScrubPlace } from "./scrub-place.ts";
import { readBack } from "./scrub-read-back.ts";
import { besideOriginal, putInPlace, removeOlderVersions } from "./scrub-replace.ts";
import { headerClock, type ScrubShape, type ShapeChoice, scrubShape } from "./scrub-shape.ts";
import { writeCopy } from "./scrub-write.ts";

export interface ScrubOptions extends ShapeChoice, EncryptionChoice {
  /** URL or path of the copy; `null` with `replace`. */
  readonly out: string | null;
  /** Put the copy in the place of the original and remove the original's versions. */
  readonly replace: boolean;
}

/** The dry run: everything is read and judged, nothing is written. */
export async function planScrub(run: RunContext, backup: string): Promise<RunResult> {
  return await planOnly(run, backup, "scrub --dry-run");
}

/** Writes a copy of a backup without the erased. Never throws for a run that failed: the result carries the error. */
export async function scrubBackup(run: RunContext, backup: string, options: ScrubOptions): Promise<RunResult> {
  return await withEvidence(run, "scrub", "scrubbed", async (journal) => {
    checkDestination(options);
    const prepared = await prepare(run, backup, journal);
    try {
      await writeAndKeep(run, journal, prepared, options);
    } finally {
      await prepared.backup.close();
    }
  });
}

function checkDestination({ out, replace }: ScrubOptions): void {
  if ((out !== null) !== replace) return;
  throw new UsageError(replace ? "a copy goes to one place" : "there is no place for the copy", {
    code: "usage",
    hint: "give --out with a URL or path, or --replace",
  });
}

async function writeAndKeep(
  run: RunContext,
  journal: Journal,
  prepared: Prepared,
  options: ScrubOptions,
): Promise<void> {
  const { backup } = prepared;
  if (options.replace && backup.kind === "directory") {
    throw new UsageError("a directory cannot be put in the place of another at once", {
      code: "usage",
      hint: "write the copy to a place of its own with --out, then remove the original",
    });
  }
  if (options.replace && backup.archive.wrapping.includes("pg_dumpall")) {
    throw new UsageError("one database cannot take the place of a script that holds a whole cluster", {
      code: "usage",
      hint: "write the copy to a place of its own with --out",
    });
  }
  const shape = scrubShape(backup.archive, options);
  const encryption = await encryptionFor(options, shape.format, backup.archive.wrapping);
  const labels = await copyLabels(journal.runId, backup);
  const original = backup.object.info;
  const at =
    options.out === null
      ? { store: backup.store, key: besideOriginal(original.key, journal.runId) }
      : await openOut(run, options.out, shape.format, original.key);
  const place = new ScrubPlace(run, at.store, at.key, labels);
  try {
    await place.checkEmpty();
    const written = await write(run, journal, prepared, { shape, encryption, place });
    const evidence = scrubEvidence(place, written, shape, encryption);
    if (options.replace) await replace(run, journal, place, { original, labels, evidence });
    else journal.add({ scrub: evidence });
  } catch (error) {
    await place.remove();
    throw error;
  } finally {
    if (at.store !== backup.store) at.store.close();
  }
}

interface Copy {
  readonly shape: ScrubShape;
  readonly encryption: Encryption | null;
  readonly place: ScrubPlace;
}

/** Writes the copy, tells what became of rows, and reads the copy back. Gives what is known of the copy as a whole. */
async function write(run: RunContext, journal: Journal, prepared: Prepared, copy: Copy): Promise<ObjectInfo> {
  const { backup, plan } = prepared;
  const { archive } = backup;
  const content = new ScrubContent(run, archive, plan, copy.shape.format);
  const createdAt = headerClock(archive.header, backup.snapshot, run.settings.source.timezone);
  await journal.phase("writing copy", async () => {
    const tables = archive.toc.filter((entry) => entry.desc === "TABLE DATA" && entry.hasData).length;
    run.onEvent({ type: "size", tables, bytes: backup.object.size });
    await writeCopy({ ...copy, content, createdAt, startedAt: backup.snapshot.at }, copy.place);
    await finishArchive(archive, run.signal);
  });
  journal.add({
    backup: readingEvidence(backup, plan),
    tables: tableEvidence(plan, content.tally),
    requests: requestEvidence(plan, content.tally),
    large_objects: largeObjectEvidence(plan, content.tally, content.largeObjects.count),
  });
  return await journal.phase("reading copy back", async () => {
    run.onEvent({ type: "size", tables: content.tables.size, bytes: copy.place.size });
    return await readBack(run, copy.place, content, { keys: copy.encryption?.keys, original: backup.snapshot.at });
  });
}

/** From here on the original goes: what fails after it was replaced leaves the copy in its place, and says so. */
async function replace(
  run: RunContext,
  journal: Journal,
  place: ScrubPlace,
  { original, labels, evidence }: { original: ObjectInfo; labels: CopyLabels; evidence: ScrubEvidence },
): Promise<void> {
  await journal.phase("replacing original", async () => {
    const { store } = place;
    const placed = await putInPlace(run, place, original, labels);
    const location = `${store.url}${placed.key}`;
    const replaced = { ...evidence, location, version: placed.version ?? placed.etag, replaced: true };
    journal.add({ scrub: replaced });
    const { removed, failure } = await removeOlderVersions(store, placed);
    journal.add({ scrub: { ...replaced, versions_removed: removed } });
    if (failure !== undefined) throw failure;
    await place.remove();
  });
}

function scrubEvidence(
  place: ScrubPlace,
  written: ObjectInfo,
  { format, compression }: ScrubShape,
  encryption: Encryption | null,
): ScrubEvidence {
  const sha256 = place.key === null ? null : (place.put[0]?.sha256 ?? null);
  return {
    location: place.location,
    version: written.version ?? written.etag,
    size: written.size,
    format,
    compression: compression.by,
    encrypted: encryption !== null,
    ...(sha256 === null ? {} : { sha256 }),
    replaced: false,
    versions_removed: 0,
  };
}
