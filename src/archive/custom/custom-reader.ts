/**
 * A custom-format archive over a byte source: random access where positions are known, one pass where they are not.
 * Mirrors _PrintTocData of PostgreSQL 15 to 18 (pg_backup_custom.c).
 *
 * Invariant: a walk that returns has met every entry that has data.
 */

import { throwIfAborted } from "../../errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import { decompress } from "../compression/compression.ts";
import { type ContentLimit, limited } from "../compression/expansion.ts";
import type { Archive, ArchiveHeader, ByteSource, LargeObject, StoredSize, TocEntry, WalkHandlers } from "../model.ts";
import type { Contents } from "../toc/read-contents.ts";
import { BlockMap, type OpenBlock } from "./block-map.ts";
import { BLOCK_LARGE_OBJECTS, type BlockHeader, ChunkStream, readBlockHeader } from "./blocks.ts";
import { LargeObjectStream } from "./large-objects.ts";
import { blockTypeOf } from "./pass.ts";

export class CustomArchive implements Archive {
  readonly header: ArchiveHeader;
  readonly toc: readonly TocEntry[];
  readonly entry: ReadonlyMap<number, TocEntry>;
  readonly encoding: string;
  readonly standardConformingStrings: boolean;
  readonly sequential: boolean;
  readonly wrapping: readonly string[];
  readonly #blocks: BlockMap;
  readonly #limit: ContentLimit | undefined;

  /** `limit`: on what all blocks together may expand to. */
  constructor(source: ByteSource, contents: Contents, wrapping: readonly string[], limit?: ContentLimit) {
    this.#limit = limit;
    this.sequential = source.sequential === true;
    this.wrapping = wrapping;
    this.header = contents.header;
    this.toc = contents.toc;
    this.entry = new Map(contents.toc.map((entry) => [entry.dumpId, entry]));
    this.encoding = contents.encoding;
    this.standardConformingStrings = contents.standardConformingStrings;
    this.#blocks = new BlockMap(source, { header: contents.header, entry: this.entry, dataStart: contents.end });
  }

  get dataOrder(): readonly TocEntry[] {
    return this.#blocks.inFileOrder();
  }

  get remarks(): readonly string[] {
    return this.#blocks.remarks;
  }

  get randomAccess(): boolean {
    return this.#blocks.complete;
  }

  storedSize(entry: TocEntry): StoredSize {
    return this.#blocks.storedSize(entry);
  }

  async *tableData(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const { reader, offset } = await this.#open(entry, signal, false);
    try {
      const chunks = new ChunkStream(reader, this.header);
      yield* this.#content(chunks, whereOf(entry, offset));
      await this.#blocks.wasRead(entry, offset, reader);
    } finally {
      await reader.close();
    }
  }

  async *largeObjects(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<LargeObject, void, undefined> {
    const { reader, offset } = await this.#open(entry, signal, true);
    try {
      yield* new LargeObjectStream(reader, this.header, whereOf(entry, offset), this.#limit).objects();
      await this.#blocks.wasRead(entry, offset, reader);
    } finally {
      await reader.close();
    }
  }

  async walk(handlers: WalkHandlers, signal?: AbortSignal): Promise<void> {
    const reader = this.#blocks.readFrom(this.#blocks.dataStart, null, signal);
    try {
      const pass = this.#blocks.newPass();
      while (!pass.done) {
        throwIfAborted(signal);
        const block = await readBlockHeader(reader, this.header);
        if (block === null) {
          throw pass.missing(reader.offset);
        }
        const entry = pass.met(block);
        await this.#visit(reader, block, entry, handlers);
        pass.ended(entry, reader.offset);
      }
      await this.#blocks.checkEnd(reader);
    } finally {
      await reader.close();
    }
  }

  async #open(entry: TocEntry, signal: AbortSignal | undefined, largeObjects: boolean): Promise<OpenBlock> {
    if ((blockTypeOf(entry) === BLOCK_LARGE_OBJECTS) !== largeObjects) {
      throw new RangeError(`dump ID ${entry.dumpId} holds ${largeObjects ? "no" : ""} large objects`);
    }
    return this.#blocks.open(entry, signal);
  }

  async #visit(reader: ByteReader, block: BlockHeader, entry: TocEntry, handlers: WalkHandlers): Promise<void> {
    if (block.type === BLOCK_LARGE_OBJECTS) {
      const stream = new LargeObjectStream(reader, this.header, whereOf(entry, block.offset), this.#limit);
      if (handlers.largeObjects !== undefined) {
        const objects = stream.objects();
        try {
          await handlers.largeObjects(entry, objects);
        } finally {
          await objects.return();
        }
      }
      await stream.skipRest();
      return;
    }
    const chunks = new ChunkStream(reader, this.header);
    if (handlers.tableData !== undefined) {
      const data = this.#content(chunks, whereOf(entry, block.offset));
      try {
        await handlers.tableData(entry, data);
      } finally {
        await data.return();
      }
    }
    await chunks.skipRest();
  }

  #content(chunks: ChunkStream, where: string): AsyncGenerator<Buffer, void, undefined> {
    return limited(decompress(this.header.compression, chunks.payload(), where), this.#limit, where);
  }
}

function whereOf(entry: TocEntry, offset: number): string {
  return `block of dump ID ${entry.dumpId} at byte ${offset}`;
}
