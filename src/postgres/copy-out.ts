/**
 * COPY … TO STDOUT as a stream of large buffers. The server sends a message for each row ("always one per row", Message
 * Flow, COPY operations); taking each out as an object of its own costs more than everything else that is done with it. So
 * the buffers are passed on as they come, each message's header overwritten: every row begins with five times `x`, and the
 * query's first column has to be an empty text that takes them in.
 *
 * Invariant: every byte that is not COPY data or its framing reaches pg's own parser, in order.
 */
import { Readable } from "node:stream";
import type { Connection, Submittable } from "pg";

const copyData = 0x64; // d
const copyDone = 0x63; // c
/** Messages that may come between, and are of no concern: CopyOutResponse, Notice, ParameterStatus, Notification. */
const passing: ReadonlySet<number> = new Set([0x48, 0x4e, 0x53, 0x41]);
const headerBytes = 5;
const mark = 0x78; // x
const bufferedBytes = 512 * 1024;

type DataListener = (chunk: Buffer) => void;

/** A query for {@link ServerConnection.submit}; iterate it to the end. */
export class CopyOut extends Readable implements Submittable {
  readonly #sql: string;
  #socket: NodeJS.ReadableStream | null = null;
  #parser: DataListener | null = null;
  readonly #take: DataListener = (chunk) => this.#onData(chunk);
  /** Bytes of the present message that have not come yet, and whether they are a row's. */
  #inside = 0;
  #keeps = false;
  /** A header that was cut by the end of a chunk. */
  readonly #header = Buffer.alloc(headerBytes);
  #headerLength = 0;

  constructor(sql: string) {
    super({ highWaterMark: bufferedBytes });
    this.#sql = sql;
  }

  submit(connection: Connection): void {
    const { stream } = connection as unknown as { stream: NodeJS.ReadableStream };
    const [parser] = stream.listeners("data") as DataListener[];
    if (parser) stream.off("data", parser);
    this.#parser = parser ?? null;
    this.#socket = stream;
    stream.on("data", this.#take);
    connection.query(this.#sql);
  }

  /** Called by pg's client with the server's refusal. */
  handleError(error: Error): void {
    this.destroy(error);
  }

  handleCommandComplete(): void {
    // the stream ended with CopyDone
  }

  handleReadyForQuery(): void {
    // nothing waits for it
  }

  override _read(): void {
    this.#socket?.resume();
  }

  /** Left before its end: what the server still sends is read and dropped, so that the connection goes on. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket?.resume();
    done(error);
  }

  #onData(chunk: Buffer): void {
    const kept = this.#unframe(chunk);
    if (kept > 0 && !this.destroyed && !this.push(chunk.subarray(0, kept))) this.#socket?.pause();
    else if (this.destroyed) this.#socket?.resume();
  }

  /**
   * Leaves rows and marks at the front of the chunk; returns how many bytes they are. Bytes move only where another message
   * stands between them. A header cut by the end of a chunk leaves fewer marks, which is as good.
   */
  #unframe(chunk: Buffer): number {
    let kept = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#inside > 0) {
        const end = Math.min(at + this.#inside, chunk.length);
        this.#inside -= end - at;
        if (this.#keeps) {
          if (kept !== at) chunk.copyWithin(kept, at, end);
          kept += end - at;
        }
        at = end;
        continue;
      }
      const start = at;
      at = this.#readHeader(chunk, at);
      if (this.#headerLength < headerBytes) break;
      this.#headerLength = 0;
      const code = this.#header[0]!;
      this.#inside = this.#header.readUInt32BE(1) - 4;
      this.#keeps = code === copyData;
      if (this.#keeps) for (let n = start; n < at; n++) chunk[kept++] = mark;
      else if (!passing.has(code)) {
        this.#finish(chunk, at, kept, code === copyDone);
        return 0;
      }
    }
    return kept;
  }

  #readHeader(chunk: Buffer, at: number): number {
    while (this.#headerLength < headerBytes && at < chunk.length) this.#header[this.#headerLength++] = chunk[at++]!;
    return at;
  }

  /** CopyDone, or a message that pg must see: it gets the connection back, from that message on. */
  #finish(chunk: Buffer, at: number, kept: number, isDone: boolean): void {
    const rest = Buffer.from(chunk.subarray(at));
    if (kept > 0 && !this.destroyed) this.push(chunk.subarray(0, kept));
    const socket = this.#socket;
    this.#socket = null;
    this.#inside = 0;
    socket?.off("data", this.#take);
    if (this.#parser) socket?.on("data", this.#parser);
    if (isDone && !this.destroyed) this.push(null);
    this.#parser?.(isDone ? rest : Buffer.concat([this.#header, rest]));
    socket?.resume();
  }
}
