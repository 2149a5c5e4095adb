/**
 * Writes custom-format archives that stock pg_restore reads. Mirrors WriteHead, WriteToc, _WriteData and _EndLO of
 * PostgreSQL 15 to 18 (pg_backup_archiver.c, pg_backup_custom.c).
 *
 * Invariants: one compressed stream per block and per large object; never a chunk of length 0; blocks in TOC order unless
 * told otherwise; a stream has offsets of state 1, what is finished by its head has state 2. Memory holds the TOC and one
 * chunk.
 */

import { open, rm } from "node:fs/promises";
import type { LateHead } from "../../storage/contract.ts";
import { compress } from "../compression/compression.ts";
import { FORMAT_CUSTOM } from "../toc/header.ts";
import { intBytes, offsetBytes } from "../toc/primitives.ts";
import {
  type ArchiveToWrite,
  checkLargeObject,
  type EntryToWrite,
  entriesWithData,
  hasData,
  headToWrite,
} from "../toc/toc-to-write.ts";
import { BLOCK_DATA, BLOCK_LARGE_OBJECTS } from "./blocks.ts";

/** Of every chunk but a stream's last. pg_dump 19 buffers up to twice as much. */
const CHUNK_BYTES = 64 * 1024;

export type { ArchiveToWrite, EntryToWrite, LargeObjectToWrite } from "../toc/toc-to-write.ts";

/** Streams an archive, as pg_dump writes one into a pipe. @throws UsageError for what cannot be written. */
export async function* writeCustomArchive(options: ArchiveToWrite): AsyncGenerator<Buffer, void, undefined> {
  yield layout(options).head;
  for (const entry of entriesWithData(options)) {
    yield* block(entry, options);
  }
}

/** An archive in two parts: its body as a stream, and in front of it the head, which has the position of every block. */
export interface CustomArchiveParts {
  /** Its bytes are complete when the body has ended. */
  readonly head: LateHead;
  readonly body: AsyncGenerator<Buffer, void, undefined>;
}

/** An archive with offsets for a sink that takes the head last. @throws UsageError for what cannot be written. */
export function customArchive(options: ArchiveToWrite): CustomArchiveParts {
  const { head, tails } = layout(options);
  let ended = false;
  async function* body(): AsyncGenerator<Buffer, void, undefined> {
    let position = head.length;
    for (const entry of entriesWithData(options)) {
      offsetBytes(2, position).copy(head, tails.get(entry.dumpId)!);
      for await (const bytes of block(entry, options)) {
        position += bytes.length;
        yield bytes;
      }
    }
    ended = true;
  }
  const bytes = () => {
    if (!ended) throw new RangeError("an archive's head is known only when its body has ended");
    return head;
  };
  return { head: { length: head.length, bytes }, body: body() };
}

/**
 * Writes an archive to a local file, with offsets. A failed write leaves no file.
 * @throws UsageError for what cannot be written.
 */
export async function writeCustomArchiveFile(path: string, options: ArchiveToWrite): Promise<void> {
  const { head, body } = customArchive(options);
  const file = await open(path, "w");
  try {
    let position = head.length;
    for await (const bytes of body) {
      position = await append(file, bytes, position);
    }
    await append(file, head.bytes(), 0);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function append(file: Awaited<ReturnType<typeof open>>, bytes: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  return position + bytes.length;
}

/** Header and TOC, and where in them the offset of each entry with data stands. */
function layout(options: ArchiveToWrite): { head: Buffer; tails: ReadonlyMap<number, number> } {
  return headToWrite(options, {
    formatByte: FORMAT_CUSTOM,
    tail: (entry) => offsetBytes(hasData(entry) ? 1 : 3, 0),
  });
}

async function* block(entry: EntryToWrite, options: ArchiveToWrite): AsyncGenerator<Buffer, void, undefined> {
  if (entry.largeObjects === undefined) {
    yield Buffer.concat([Buffer.from([BLOCK_DATA]), intBytes(entry.dumpId)]);
    yield* stream(entry.data!(), options);
    return;
  }
  yield Buffer.concat([Buffer.from([BLOCK_LARGE_OBJECTS]), intBytes(entry.dumpId)]);
  for await (const object of entry.largeObjects()) {
    checkLargeObject(entry, object);
    yield intBytes(object.oid);
    yield* stream(object.data, options);
  }
  yield intBytes(0);
}

/** One compressed stream as chunks of one size, the last one shorter, terminator included: however the stream came. */
async function* stream(data: AsyncIterable<Buffer>, options: ArchiveToWrite): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const bytes of compress(options.compression, data, options.level)) {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES - length);
      held.push(piece);
      length += piece.length;
      at += piece.length;
      if (length === CHUNK_BYTES) {
        yield Buffer.concat([intBytes(length), ...held]);
        held = [];
        length = 0;
      }
    }
  }
  if (length > 0) {
    yield Buffer.concat([intBytes(length), ...held]);
  }
  yield intBytes(0);
}
