/**
 * The content of something that can only be decoded from its first byte on, as a byte source: a compressed file, armor.
 *
 * One decoder is kept alive between reads, with the last MiB it gave out. A read that begins there or further on goes on
 * with it; one further back, or a second one at the same time, begins the content again.
 *
 * Invariants: a read that is ended early leaves a decoder that the next one can use; a read that is aborted, or fails,
 * leaves none; no decoder outlives `release`, or ten minutes in which nobody reads.
 */

import { Interrupted, throwIfAborted } from "../../errors.ts";
import type { ByteSource } from "../model.ts";
import { RecentBytes } from "./recent-bytes.ts";

type Bytes = AsyncGenerator<Buffer, void, undefined>;

/** Most bytes given out at once. */
const PIECE_BYTES = 256 * 1024;
/** A restore may be busy elsewhere for minutes; a socket must not stay open for hours. */
const IDLE_MILLISECONDS = 10 * 60 * 1000;

export class SequentialSource implements ByteSource {
  readonly size = null;
  readonly sequential = true;
  readonly #below: ByteSource;
  readonly #decode: (stored: Bytes) => Bytes;
  #held: Decoding | null = null;
  #passes = 0;
  #idle: NodeJS.Timeout | undefined;

  /** `decode` turns all bytes of `below` into the content; ending it early ends its input. */
  constructor(below: ByteSource, decode: (stored: Bytes) => Bytes) {
    this.#below = below;
    this.#decode = decode;
  }

  /** How often the content was begun. */
  get passes(): number {
    return this.#passes;
  }

  async *read(start: number, end = Number.POSITIVE_INFINITY, signal?: AbortSignal): Bytes {
    throwIfAborted(signal);
    const decoding = await this.#take(start);
    const disobey = decoding.obey(signal);
    try {
      for (let at = start; at < end; ) {
        throwIfAborted(signal);
        const bytes = await decoding.next(at, end);
        if (bytes === null) {
          break;
        }
        at += bytes.length;
        yield bytes;
      }
    } finally {
      disobey();
      await this.#giveBack(decoding);
    }
  }

  /** Reads on to the end of the content, so that what proves it (a checksum, the last frame's end) has been looked at. */
  async finish(signal?: AbortSignal): Promise<void> {
    for await (const bytes of this.read(this.#held?.position ?? 0, undefined, signal)) void bytes;
  }

  /** Ends the decoder that is kept, and those of the sources below. The next read begins the content again. */
  async release(): Promise<void> {
    clearTimeout(this.#idle);
    const held = this.#held;
    this.#held = null;
    await held?.close();
    await releaseSource(this.#below);
  }

  async #take(start: number): Promise<Decoding> {
    clearTimeout(this.#idle);
    const held = this.#held;
    this.#held = null;
    if (held !== null) {
      if (held.reaches(start)) {
        return held;
      }
      await held.close();
    }
    this.#passes++;
    return new Decoding(this.#below, this.#decode);
  }

  /** Of two that were read from at the same time, the one given back last is kept. */
  async #giveBack(decoding: Decoding): Promise<void> {
    if (!decoding.usable) {
      await decoding.close();
      return;
    }
    const other = this.#held;
    this.#held = decoding;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.release(), IDLE_MILLISECONDS).unref();
    await other?.close();
  }
}

/** Ends what a source keeps open between reads, if it is of those that do. */
export async function releaseSource(source: ByteSource): Promise<void> {
  if (source instanceof SequentialSource) {
    await source.release();
  }
}

/** Reads on to the end of a source that is read forwards, if it is one. @throws ArchiveDamaged, SourceFailed, Interrupted */
export async function finishSource(source: ByteSource, signal?: AbortSignal): Promise<void> {
  if (source instanceof SequentialSource) {
    await source.finish(signal);
  }
}

/** One decoder with its position. */
class Decoding {
  readonly #content: Bytes;
  readonly #stop = new AbortController();
  readonly #recent = new RecentBytes();
  /** Decoded, not given out; its first byte stands at `#position` of the content. */
  #pending: Buffer = Buffer.alloc(0);
  #position = 0;
  #failed = false;

  constructor(below: ByteSource, decode: (stored: Bytes) => Bytes) {
    const { signal } = this.#stop;
    // A signal of its own: that of a read would end the decoder for all reads after it.
    this.#content = decode(piecesOf(below.read(0, below.size ?? undefined, signal)));
  }

  get position(): number {
    return this.#position;
  }

  get usable(): boolean {
    return !this.#failed && !this.#stop.signal.aborted;
  }

  /** Whether the content from `start` on can be had without beginning again. */
  reaches(start: number): boolean {
    return start >= this.#position - this.#recent.length;
  }

  /** Ends with `signal`, until the returned function is called. */
  obey(signal: AbortSignal | undefined): () => void {
    const stop = (): void => this.#stop.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    return () => signal?.removeEventListener("abort", stop);
  }

  /** Some bytes from `at` on, none from `end` on; `null` behind the content's end. */
  async next(at: number, end: number): Promise<Buffer | null> {
    const back = this.#position - at;
    if (back > 0) {
      return this.#recent.copy(back, Math.min(back, end - at, PIECE_BYTES));
    }
    while (this.#position + this.#pending.length <= at) {
      this.#pass(this.#pending.length);
      if (!(await this.#more())) {
        return null;
      }
    }
    this.#pass(at - this.#position);
    const bytes = this.#pending.subarray(0, Math.min(end - at, PIECE_BYTES));
    this.#pass(bytes.length);
    return bytes;
  }

  /** Also while the decoder waits for bytes: they are not waited for. */
  async close(): Promise<void> {
    this.#stop.abort(new Interrupted("reading was given up"));
    // What fails while it is given up is nobody's concern any more.
    await this.#content.return().catch(() => undefined);
  }

  async #more(): Promise<boolean> {
    try {
      const next = await this.#content.next();
      this.#pending = next.done === true ? this.#pending : next.value;
      return next.done !== true;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  #pass(count: number): void {
    this.#recent.add(this.#pending.subarray(0, count));
    this.#position += count;
    this.#pending = this.#pending.subarray(count);
  }
}

async function* piecesOf(bytes: AsyncIterable<Buffer>): Bytes {
  yield* bytes;
}
