/**
 * An age file (age-encryption.org/v1), binary or armored, as the byte source of what it holds.
 *
 * Where any range of the stored file can be read, so can any range of the content: only the chunks it lies in are read and
 * opened. Invariants: no byte is given out that its chunk's tag does not vouch for; the last chunk is checked when the
 * file is opened, so that a cut shows before anything is done with the rest.
 */

import { throwIfAborted } from "../../errors.ts";
import { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt } from "../damage.ts";
import type { ByteSource, OpenOptions } from "../model.ts";
import { dearmored } from "./age-armor.ts";
import { fileKeyOf, LONGEST_HEADER_BYTES, readAgeHeader } from "./age-header.ts";
import { AGE_MAGIC } from "./age-magic.ts";
import { AgeStream, CHUNK_BYTES, PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES } from "./age-stream.ts";
import { releaseSource, SequentialSource } from "./sequential-source.ts";

/**
 * Opens the age file in `stored` with the keys that `options.keys` gives.
 * @throws UsageError with code `encrypted` where they do not open it; ArchiveDamaged with the byte offset.
 */
export async function openAge(stored: ByteSource, options: OpenOptions): Promise<ByteSource> {
  const { signal, keys } = options;
  const armored = !(await startOf(stored, AGE_MAGIC.length, signal)).equals(Buffer.from(AGE_MAGIC));
  const binary = armored ? dearmored(stored) : stored;
  try {
    return await openBinary(binary, signal, keys);
  } catch (error) {
    await releaseSource(binary);
    throw error;
  }
}

async function openBinary(
  binary: ByteSource,
  signal: AbortSignal | undefined,
  keys: OpenOptions["keys"],
): Promise<ByteSource> {
  const most = LONGEST_HEADER_BYTES + PAYLOAD_NONCE_BYTES;
  const reader = new ByteReader(binary.read(0, Math.min(most, binary.size ?? most), signal), 0, signal);
  let stream: AgeStream;
  let start: number;
  try {
    const header = await readAgeHeader(reader);
    if (!(await reader.fill(PAYLOAD_NONCE_BYTES))) {
      throw truncatedAt("its age header", reader.offset + reader.window.length);
    }
    const nonce = Buffer.from(reader.window.subarray(0, PAYLOAD_NONCE_BYTES));
    stream = new AgeStream(await fileKeyOf(header, keys), nonce);
    start = reader.offset + PAYLOAD_NONCE_BYTES;
  } finally {
    await reader.close();
  }
  if (binary.size === null || binary.sequential === true) {
    return new SequentialSource(binary, (bytes) => opened(bytes, stream, start));
  }
  const source = new AgeSource(binary, binary.size, stream, start);
  await source.checkEnd(signal);
  return source;
}

async function startOf(source: ByteSource, count: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const reader = new ByteReader(source.read(0, Math.min(count, source.size ?? count), signal), 0, signal);
  try {
    await reader.fill(count);
    return Buffer.from(reader.window.subarray(0, count));
  } finally {
    await reader.close();
  }
}

/** The content of a stored file in which any range can be read. */
class AgeSource implements ByteSource {
  readonly size: number;
  readonly #stored: ByteSource;
  readonly #storedSize: number;
  readonly #stream: AgeStream;
  /** Of the first chunk. */
  readonly #start: number;
  readonly #chunks: number;

  constructor(stored: ByteSource, storedSize: number, stream: AgeStream, start: number) {
    this.#stored = stored;
    this.#storedSize = storedSize;
    this.#stream = stream;
    this.#start = start;
    this.#chunks = Math.ceil((storedSize - start) / SEALED_CHUNK_BYTES);
    this.size = storedSize - start - this.#chunks * TAG_BYTES;
  }

  /** @throws ArchiveDamaged when the last chunk is not the one that was written last. */
  async checkEnd(signal: AbortSignal | undefined): Promise<void> {
    const last = this.#chunks - 1;
    // A chunk without content is written only where there is no content at all.
    if (last < 0 || this.size < last * CHUNK_BYTES + (last === 0 ? 0 : 1)) {
      throw truncatedAt("its age payload", this.#storedSize);
    }
    for await (const _bytes of this.#open(last, last + 1, signal)) {
      // opening it is the check
    }
  }

  async *read(start: number, end = this.size, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const stop = Math.min(end, this.size);
    if (start >= stop) {
      return;
    }
    const first = Math.floor(start / CHUNK_BYTES);
    let at = first * CHUNK_BYTES;
    for await (const plain of this.#open(first, Math.ceil(stop / CHUNK_BYTES), signal)) {
      const bytes = plain.subarray(Math.max(0, start - at), Math.min(plain.length, stop - at));
      at += plain.length;
      yield bytes;
    }
  }

  /** Chunks `[first, end)`, from one reading of where they lie. */
  async *#open(first: number, end: number, signal: AbortSignal | undefined): AsyncGenerator<Buffer, void, undefined> {
    const from = this.#start + first * SEALED_CHUNK_BYTES;
    const to = Math.min(this.#storedSize, this.#start + end * SEALED_CHUNK_BYTES);
    const reader = new ByteReader(this.#stored.read(from, to, signal), from, signal);
    try {
      for (let index = first; index < end; index++) {
        throwIfAborted(signal);
        const length = Math.min(SEALED_CHUNK_BYTES, to - reader.offset);
        if (!(await reader.fill(length))) {
          throw truncatedAt("its age payload", reader.offset + reader.window.length);
        }
        const plain = openChunk(this.#stream, index, index === this.#chunks - 1, reader, length);
        reader.consume(length);
        yield plain;
      }
    } finally {
      await reader.close();
    }
  }
}

/** All chunks of a payload that begins at `start` of `stored`, whose end only reading tells. */
async function* opened(
  stored: AsyncIterable<Buffer>,
  stream: AgeStream,
  start: number,
): AsyncGenerator<Buffer, void, undefined> {
  const reader = new ByteReader(stored);
  try {
    await reader.skip(start);
    for (let index = 0, more = true; more; index++) {
      more = await reader.fill(SEALED_CHUNK_BYTES + 1);
      const length = Math.min(SEALED_CHUNK_BYTES, reader.window.length);
      if (length < TAG_BYTES + (index === 0 ? 0 : 1)) {
        throw truncatedAt("its age payload", reader.offset + length);
      }
      const plain = openChunk(stream, index, !more, reader, length);
      reader.consume(length);
      if (plain.length > 0) {
        yield plain;
      }
    }
  } finally {
    await reader.close();
  }
}

/** Opens the chunk that `reader` stands at. @throws ArchiveDamaged */
function openChunk(stream: AgeStream, index: number, last: boolean, reader: ByteReader, length: number): Buffer {
  const sealed = reader.window.subarray(0, length);
  const plain = stream.open(index, last, sealed);
  if (plain !== null) {
    return plain;
  }
  if (last && (length < SEALED_CHUNK_BYTES || stream.open(index, false, sealed) !== null)) {
    throw truncatedAt("its age payload, or was changed there", reader.offset + length);
  }
  throw damagedAt("bad_checksum", `age chunk ${index} was changed or its key is another`, reader.offset);
}
