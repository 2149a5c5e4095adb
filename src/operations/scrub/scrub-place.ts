/** Where a sanitised copy goes, what is kept beside it as metadata, and taking away again what did not come to an end. */
import { basename, dirname, resolve } from "node:path";
import { SanitizeError, SourceFailed } from "../../errors.ts";
import type { LateHead, ObjectStore, UploadedObject } from "../../storage/contract.ts";
import { openStore } from "../../storage/open-store.ts";
import { checkSourceRegion } from "../gates.ts";
import type { OpenBackup } from "../open-backup.ts";
import type { RunContext } from "../settings.ts";
import type { ScrubFormat } from "./scrub-shape.ts";

/** Tag and metadata that name the run a copy comes from. */
const SANITIZED = "sanitized";
/** S3 keeps no more tags of an object. */
const MOST_TAGS = 10;

/** What is put beside every file of a copy. */
export interface CopyLabels {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** The snapshot's true time goes with the copy, so that it is never taken for younger; the original's tags go along. */
export async function copyLabels(run: string, backup: OpenBackup): Promise<CopyLabels> {
  const { key, version } = backup.object.labelled;
  const tags = backup.store.kind === "s3" ? await backup.store.tags(key, version) : {};
  const full = Object.keys(tags).length >= MOST_TAGS && tags[SANITIZED] === undefined;
  return {
    metadata: { "snapshot-at": backup.snapshot.at.toISOString(), [SANITIZED]: run },
    tags: full ? tags : { ...tags, [SANITIZED]: run },
  };
}

/** The place of one copy: puts files into it, and knows all that were put. */
export class ScrubPlace {
  readonly store: ObjectStore;
  /** The copy's key; `null`: a directory, which is the whole store. */
  readonly key: string | null;
  readonly put: UploadedObject[] = [];
  readonly #labels: CopyLabels;
  readonly #run: RunContext;

  constructor(run: RunContext, store: ObjectStore, key: string | null, labels: CopyLabels) {
    this.#run = run;
    this.store = store;
    this.key = key;
    this.#labels = labels;
  }

  get location(): string {
    return `${this.store.url}${this.key ?? ""}`;
  }

  get size(): number {
    return this.put.reduce((sum, { size }) => sum + size, 0);
  }

  /** @throws SourceFailed `exists` when something is there already. */
  async checkEmpty(): Promise<void> {
    const { signal } = this.#run;
    if (this.key !== null) {
      if ((await this.store.head(this.key)) !== null) throw exists(this.location);
      return;
    }
    for await (const object of this.store.list({ signal })) throw exists(`${this.store.url}${object.key}`);
  }

  /** Streams one file. @throws SourceFailed `exists`; Interrupted; what the body throws. */
  async upload(name: string, body: AsyncIterable<Buffer>, head?: LateHead): Promise<UploadedObject> {
    const { signal } = this.#run;
    const options = { ...this.#labels, ifAbsent: true, signal, ...(head === undefined ? {} : { head }) };
    const object = await this.store.upload(name, body, options);
    this.put.push(object);
    return object;
  }

  /** From here on what was put stays, whatever comes: it may be all there is. */
  keep(): void {
    this.put.length = 0;
  }

  /** Takes away all that was put. That this fails too must not hide why it is done. */
  async remove(): Promise<void> {
    for (const { key, version } of this.put.splice(0).reverse()) {
      try {
        await this.store.delete(key, version);
      } catch (error) {
        const why = error instanceof SanitizeError ? error.message : "an unexpected error";
        this.#run.onEvent({ type: "note", text: `${this.store.url}${key} could not be removed (${why}): remove it` });
      }
    }
  }
}

function exists(location: string): SourceFailed {
  return new SourceFailed(`${location} is there already`, {
    code: "exists",
    hint: "a copy never replaces anything: name another place, or take --replace to put it in the original's",
  });
}

/** The store and key that `--out` names. The store is to be closed by the caller. @throws BackupRefused `source_region`. */
export async function openOut(
  run: RunContext,
  out: string,
  format: ScrubFormat,
  originalKey: string,
): Promise<{ readonly store: ObjectStore; readonly key: string | null }> {
  const { source } = run.settings;
  const remote = out.startsWith("s3://");
  const whole = remote ? out : resolve(out);
  // a name that ends in a slash is a folder to put the copy into
  const named = out.endsWith("/") ? `${whole.replace(/\/$/, "")}/${basename(originalKey)}` : whole;
  const folder = format === "directory" ? whole : remote ? named.slice(0, named.lastIndexOf("/") + 1) : dirname(named);
  const location = remote ? { ...source.location, url: folder } : { url: folder, baseDirectory: folder };
  const store = await openStore(location);
  try {
    await checkSourceRegion(store, source);
    return { store, key: format === "directory" ? null : basename(named) };
  } catch (error) {
    store.close();
    throw error;
  }
}
