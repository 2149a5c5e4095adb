/**
 * The large objects of one block of a custom archive: OIDs, each with a stream of its own, ended by OID 0. Mirrors
 * _LoadLOs and _skipLOs of PostgreSQL 15 to 18 (pg_backup_custom.c).
 *
 * Invariant: whatever a consumer leaves unread is read over before the next object, and by `skipRest`.
 */

import type { ByteReader } from "../byte-reader.ts";
import { decompress } from "../compression/compression.ts";
import { type ContentLimit, limited } from "../compression/expansion.ts";
import type { ArchiveCompression, LargeObject } from "../model.ts";
import type { NumberSizes } from "../toc/cursor.ts";
import { ChunkStream, readInt } from "./blocks.ts";

interface Current {
  readonly chunks: ChunkStream;
  readonly data: AsyncGenerator<Buffer, void, undefined>;
}

export class LargeObjectStream {
  readonly #reader: ByteReader;
  readonly #header: NumberSizes & { readonly compression: ArchiveCompression };
  readonly #where: string;
  readonly #limit: ContentLimit | undefined;
  #current: Current | null = null;
  #ended = false;

  constructor(
    reader: ByteReader,
    header: NumberSizes & { readonly compression: ArchiveCompression },
    where: string,
    limit?: ContentLimit,
  ) {
    this.#limit = limit;
    this.#reader = reader;
    this.#header = header;
    this.#where = where;
  }

  async *objects(): AsyncGenerator<LargeObject, void, undefined> {
    for (;;) {
      const next = await this.#next();
      if (next === null) {
        return;
      }
      yield next;
    }
  }

  /** Reads over what is left of the block. */
  async skipRest(): Promise<void> {
    let next = await this.#next();
    while (next !== null) {
      next = await this.#next();
    }
  }

  async #next(): Promise<LargeObject | null> {
    if (this.#ended) {
      return null;
    }
    if (this.#current !== null) {
      await this.#current.data.return();
      await this.#current.chunks.skipRest();
      this.#current = null;
    }
    // OIDs from 2^31 on are stored as negative numbers.
    const oid = (await readInt(this.#reader, this.#header, "a large object's OID")) >>> 0;
    if (oid === 0) {
      this.#ended = true;
      return null;
    }
    const chunks = new ChunkStream(this.#reader, this.#header);
    const where = `large object ${oid} of the ${this.#where}`;
    const data = limited(decompress(this.#header.compression, chunks.payload(), where), this.#limit, where);
    this.#current = { chunks, data };
    return { oid, data };
  }
}
