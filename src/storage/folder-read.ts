/**
 * A range of a file, pinned: by its etag when it is opened and again before the last chunk is given out.
 *
 * A file replaced meanwhile (renamed over) is read on as it was: the open file is the old content, whole.
 */

import { type FileHandle, open } from "node:fs/promises";
import { throwIfAborted } from "../errors.ts";
import type { ObjectInfo } from "./contract.ts";
import { diskFailure, isAbsent } from "./folder-errors.ts";
import { infoOfFile } from "./folder-list.ts";
import { objectChanged } from "./pinned.ts";
import { CHUNK_BYTES } from "./resuming-read.ts";

export interface FileRange {
  readonly path: string;
  /** Of the store, for messages. */
  readonly url: string;
  readonly info: ObjectInfo;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws SourceFailed `object_changed`; Interrupted. */
export async function* readRange(range: FileRange): AsyncGenerator<Buffer, void, undefined> {
  throwIfAborted(range.signal);
  const file = await openUnchanged(range);
  try {
    let position = range.start;
    while (position < range.end) {
      throwIfAborted(range.signal);
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, range.end - position));
      await fill(file, chunk, position, range);
      position += chunk.length;
      if (position === range.end) {
        await checkUnchanged(file, range);
      }
      yield chunk;
    }
  } finally {
    await file.close();
  }
}

async function openUnchanged(range: FileRange): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(range.path, "r");
  } catch (error) {
    throw isAbsent(error) ? objectChanged(range.url, range.info.key, error) : diskFailure(error, "opening", range.path);
  }
  try {
    await checkUnchanged(file, range);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function fill(file: FileHandle, chunk: Buffer, position: number, range: FileRange): Promise<void> {
  let filled = 0;
  while (filled < chunk.length) {
    let bytesRead: number;
    try {
      ({ bytesRead } = await file.read(chunk, filled, chunk.length - filled, position + filled));
    } catch (error) {
      throw diskFailure(error, `reading at byte ${position + filled} of`, range.path);
    }
    if (bytesRead === 0) {
      throw objectChanged(range.url, range.info.key);
    }
    filled += bytesRead;
  }
}

async function checkUnchanged(file: FileHandle, range: FileRange): Promise<void> {
  const now = infoOfFile(range.info.key, await file.stat({ bigint: true }));
  if (now.etag !== range.info.etag) {
    throw objectChanged(range.url, range.info.key);
  }
}
