/**
 * node:zlib's engines as async generators: zlib streams (RFC 1950), one per block of a custom archive, and gzip files
 * (RFC 1952), which directories hold and which lie around whole archives.
 *
 * Invariants: back-pressure reaches the input; when the consumer stops, the input has been ended by the time the
 * generator's `return` resolves, so that the reader below may go on; every byte of the input belongs to the stream, but
 * for zeros behind a gzip file's last member.
 */

import { once } from "node:events";
import {
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  type Deflate,
  type Gunzip,
  type Gzip,
  type Inflate,
  type ZlibOptions,
} from "node:zlib";
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
  yield* decoded(engine, feed, "zlib", where);
  if (feed.bytes > engine.bytesWritten) {
    throw damagedStream("bad_stream", "bytes after the zlib stream", where);
  }
}

/**
 * Unpacks a gzip file: all its members, and zeros behind the last one, as tapes and block devices leave them. `where`
 * names the file for errors. @throws ArchiveDamaged
 */
export async function* gunzipDecode(
  input: AsyncIterable<Buffer>,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  const engine = createGunzip(ENGINE_OPTIONS);
  const feed = new GunzipFeed(input, engine);
  yield* decoded(engine, feed, "gzip", where);
  if (feed.rest === "other") {
    throw damagedStream("bad_stream", "bytes after the gzip stream", where);
  }
}

async function* decoded(
  engine: Inflate | Gunzip,
  feed: Feed,
  what: string,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* outputs(engine, feed);
  } catch (error) {
    throw zlibCode(error) === null ? error : decodeFailure(error, what, where);
  }
  if (feed.bytes === 0) {
    throw damagedStream("truncated", `${what} stream is empty`, where);
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

/** Packs into one gzip member; `level` is zlib's, -1 for its default. */
export async function* gzipEncode(
  input: AsyncIterable<Buffer>,
  level: number,
): AsyncGenerator<Buffer, void, undefined> {
  const engine = createGzip({ ...ENGINE_OPTIONS, level });
  yield* outputs(engine, new Feed(input, engine));
}

type Engine = Inflate | Gunzip | Deflate | Gzip;

async function* outputs(engine: Engine, feed: Feed): AsyncGenerator<Buffer, void, undefined> {
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
  readonly #engine: Engine;
  /** Bytes taken from the input. */
  bytes = 0;
  failure: { readonly error: unknown } | null = null;

  constructor(input: AsyncIterable<Buffer>, engine: Engine) {
    this.#input = input;
    this.#engine = engine;
  }

  /** Never rejects: the input's failure is kept and ends the engine. */
  async run(): Promise<void> {
    try {
      for await (const bytes of this.#input) {
        this.bytes += bytes.length;
        if (!this.wants(bytes)) {
          break;
        }
        if (this.#engine.readableEnded) {
          continue;
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

  /** Whether the input is to be read on after these bytes: not when the engine has ended. */
  protected wants(_bytes: Buffer): boolean {
    return !this.#engine.readableEnded && !this.#engine.destroyed;
  }
}

/** Reads on behind the last member, where the engine has no more interest: only zeros may stand there. */
class GunzipFeed extends Feed {
  readonly #gunzip: Gunzip;
  /** Given to the engine, which may not have taken all of it; with the offset of each one's end. */
  #untaken: Array<{ readonly bytes: Buffer; readonly end: number }> = [];

  constructor(input: AsyncIterable<Buffer>, engine: Gunzip) {
    super(input, engine);
    this.#gunzip = engine;
  }

  /** What the engine left. */
  get rest(): "nothing" | "zeros" | "other" {
    const taken = this.#gunzip.bytesWritten;
    let rest: "nothing" | "zeros" = "nothing";
    for (const { bytes, end } of this.#untaken) {
      if (end > taken) {
        rest = "zeros";
        if (!isZeros(bytes.subarray(Math.max(0, taken - (end - bytes.length))))) {
          return "other";
        }
      }
    }
    return rest;
  }

  protected override wants(bytes: Buffer): boolean {
    const taken = this.#gunzip.bytesWritten;
    this.#untaken = this.#untaken.filter(({ end }) => end > taken);
    if (!this.#gunzip.readableEnded) {
      this.#untaken.push({ bytes, end: this.bytes });
      return !this.#gunzip.destroyed;
    }
    if (!isZeros(bytes)) {
      this.#untaken.push({ bytes, end: this.bytes });
      return false;
    }
    return true;
  }
}

function isZeros(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Resolves when the engine takes more, or never will. */
async function drained(engine: Engine): Promise<void> {
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

function decodeFailure(error: unknown, what: string, where: string): Error {
  return zlibCode(error) === "Z_BUF_ERROR"
    ? damagedStream("truncated", `${what} stream ends early`, where, error)
    : damagedStream("bad_stream", `${what} cannot decode (${zlibCode(error)})`, where, error);
}
