/**
 * node:zlib's engines as async generators: zlib streams (RFC 1950, not gzip), one per block.
 *
 * Invariants: back-pressure reaches the input; when the consumer stops, the input has been ended by the time the
 * generator's `return` resolves, so that the reader below may go on; every byte of the input belongs to the stream.
 */

import { once } from "node:events";
import { createDeflate, createInflate, type Deflate, type Inflate, type ZlibOptions } from "node:zlib";
import { damagedStream } from "../damage.ts";

/** Twice zlib's default speed comes from this size alone. */
const CHUNK_BYTES = 256 * 1024;
/** Two outputs are held, so that zlib's thread works while the consumer does. */
const HELD_BYTES = 2 * CHUNK_BYTES;
const ENGINE_OPTIONS: ZlibOptions & { readonly readableHighWaterMark: number } = {
  chunkSize: CHUNK_BYTES,
  readableHighWaterMark: HELD_BYTES,
};

/** Inflates the one zlib stream of `input`. `where` names the block for errors. @throws ArchiveDamaged */
export async function* zlibDecode(
  input: AsyncIterable<Buffer>,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  const engine = createInflate(ENGINE_OPTIONS);
  const feed = new Feed(input, engine);
  try {
    yield* outputs(engine, feed);
  } catch (error) {
    throw zlibCode(error) === null ? error : decodeFailure(error, where);
  }
  if (feed.bytes === 0) {
    throw damagedStream("truncated", "zlib stream is empty", where);
  }
  if (feed.bytes > engine.bytesWritten) {
    throw damagedStream("bad_stream", "bytes after the zlib stream", where);
  }
}

/** Deflates to one zlib stream; `level` is zlib's, -1 for its default. */
export async function* zlibEncode(
  input: AsyncIterable<Buffer>,
  level: number,
): AsyncGenerator<Buffer, void, undefined> {
  const engine = createDeflate({ ...ENGINE_OPTIONS, level });
  yield* outputs(engine, new Feed(input, engine));
}

async function* outputs(engine: Inflate | Deflate, feed: Feed): AsyncGenerator<Buffer, void, undefined> {
  const fed = feed.run();
  try {
    for await (const bytes of engine as AsyncIterable<Buffer>) {
      yield bytes;
    }
  } finally {
    engine.destroy();
    await fed;
  }
  if (feed.failure !== null) {
    throw feed.failure.error;
  }
}

/** Writes the input into the engine at the pace it asks for. */
class Feed {
  readonly #input: AsyncIterable<Buffer>;
  readonly #engine: Inflate | Deflate;
  /** Bytes taken from the input. */
  bytes = 0;
  failure: { readonly error: unknown } | null = null;

  constructor(input: AsyncIterable<Buffer>, engine: Inflate | Deflate) {
    this.#input = input;
    this.#engine = engine;
  }

  /** Never rejects: the input's failure is kept and ends the engine. */
  async run(): Promise<void> {
    try {
      for await (const bytes of this.#input) {
        this.bytes += bytes.length;
        if (this.#engine.readableEnded || this.#engine.destroyed) {
          break;
        }
        if (!this.#engine.write(bytes)) {
          await drained(this.#engine);
        }
      }
      this.#engine.end();
    } catch (error) {
      this.failure = { error };
      this.#engine.destroy(error instanceof Error ? error : new Error("input failed"));
    }
  }
}

/** Resolves when the engine takes more, or never will. */
async function drained(engine: Inflate | Deflate): Promise<void> {
  if (engine.destroyed || !engine.writableNeedDrain) {
    return;
  }
  const stop = new AbortController();
  try {
    await Promise.race(["drain", "close", "end"].map((event) => once(engine, event, { signal: stop.signal })));
  } finally {
    stop.abort();
  }
}

function zlibCode(error: unknown): string | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" && code.startsWith("Z_") ? code : null;
}

function decodeFailure(error: unknown, where: string): Error {
  return zlibCode(error) === "Z_BUF_ERROR"
    ? damagedStream("truncated", "zlib stream ends early", where, error)
    : damagedStream("bad_stream", `zlib cannot decode (${zlibCode(error)})`, where, error);
}
