/**
 * Decodes a stream in another thread, so that decoding and scanning rows overlap. The same decoders as in this thread,
 * the same bytes, the same errors in the same place.
 *
 * Invariants: at most {@link AHEAD_OUTPUTS} outputs and {@link AHEAD_INPUT_BYTES} of input (and one piece) are under way;
 * what the consumer takes is memory of its own; when the consumer stops, the input has been ended by the time `return`
 * resolves; a stream nobody reads on keeps neither the process nor a thread busy.
 */

import { ArchiveDamaged } from "../../errors.ts";
import type { DecodeFailure, DecodeOrder, FromDecoder } from "./decode-messages.ts";
import { type DecodeLine, type DecodeListener, openDecodeLine } from "./decode-threads.ts";

/** Outputs of 256 KiB that may wait for the consumer. */
const AHEAD_OUTPUTS = 4;
/** Leave for more is given for two at once: half as many messages. */
const LEAVE_OUTPUTS = 2;
const AHEAD_INPUT_BYTES = 512 * 1024;
/** Larger pieces are sent in parts, so that one does not take all the room. */
const PIECE_BYTES = 256 * 1024;

/** Decodes `input` as `order` says, in a thread of the pool. @throws ArchiveDamaged as the decoder itself does */
export async function* decodeBeside(
  order: DecodeOrder,
  input: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  const stream = new DecodeStream(order);
  const fed = stream.feed(input);
  try {
    for (;;) {
      const bytes = await stream.next();
      if (bytes === null) {
        return;
      }
      yield bytes;
    }
  } finally {
    stream.stop();
    await fed;
  }
}

class DecodeStream implements DecodeListener {
  readonly #line: DecodeLine;
  readonly #stream: number;
  readonly #ready: Buffer[] = [];
  #untold = 0;
  #inputAhead = 0;
  #inputError: unknown;
  #failure: { readonly error: unknown } | null = null;
  #done = false;
  #wakeConsumer: () => void = () => {};
  #wakeFeed: () => void = () => {};

  constructor(order: DecodeOrder) {
    const { line, stream } = openDecodeLine(this);
    this.#line = line;
    this.#stream = stream;
    line.tell({ kind: "open", stream, order, outputs: AHEAD_OUTPUTS });
  }

  /** Sends the input at the decoder's pace. Never rejects: what the input throws is met where the decoder meets it. */
  async feed(input: AsyncIterable<Buffer>): Promise<void> {
    const stream = this.#stream;
    try {
      for await (const piece of input) {
        for (let at = 0; at < piece.length && !this.#done; at += PIECE_BYTES) {
          this.#send(piece.subarray(at, at + PIECE_BYTES));
          while (this.#inputAhead >= AHEAD_INPUT_BYTES && !this.#done) {
            await new Promise<void>((resolve) => {
              this.#wakeFeed = resolve;
            });
          }
        }
        if (this.#done) {
          return;
        }
      }
      this.#line.tell({ kind: "end", stream });
    } catch (error) {
      this.#inputError = error;
      this.#line.tell({ kind: "input_failed", stream });
    }
  }

  /** The next output, `null` behind the last one. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.#ready.shift();
      if (bytes !== undefined) {
        if (++this.#untold === LEAVE_OUTPUTS && !this.#done) {
          this.#line.tell({ kind: "more", stream: this.#stream, outputs: this.#untold });
          this.#untold = 0;
        }
        return bytes;
      }
      if (this.#failure !== null) {
        throw this.#failure.error;
      }
      if (this.#done) {
        return null;
      }
      await this.#line.awaited(
        new Promise<void>((resolve) => {
          this.#wakeConsumer = resolve;
        }),
      );
    }
  }

  /** Ends the stream, whatever is left of it. */
  stop(): void {
    if (!this.#done) {
      this.#line.tell({ kind: "stop", stream: this.#stream });
      this.#finish();
    }
    this.#ready.length = 0;
  }

  hear(message: FromDecoder): void {
    switch (message.kind) {
      case "output": {
        const { buffer, byteOffset, byteLength } = message.bytes;
        this.#ready.push(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
        this.#wakeConsumer();
        break;
      }
      case "taken":
        this.#inputAhead -= message.bytes;
        this.#wakeFeed();
        break;
      case "done":
        this.#finish();
        break;
      case "failed":
        this.#failure = { error: this.#errorOf(message.failure) };
        this.#finish();
        break;
    }
  }

  lost(cause: unknown): void {
    if (!this.#done) {
      this.#failure = { error: new Error("a decoding thread ended before its stream", { cause }) };
      this.#finish();
    }
  }

  #finish(): void {
    this.#done = true;
    this.#line.close();
    this.#wakeConsumer();
    this.#wakeFeed();
  }

  /** Copied, for the piece may be part of a buffer that others go on reading; the copy is then moved. */
  #send(piece: Buffer): void {
    const bytes = new Uint8Array(piece);
    this.#inputAhead += bytes.length;
    this.#line.tell({ kind: "input", stream: this.#stream, bytes }, bytes.buffer as ArrayBuffer);
  }

  #errorOf(failure: DecodeFailure): unknown {
    switch (failure.kind) {
      case "input":
        return this.#inputError;
      case "damaged":
        return new ArchiveDamaged(failure.message, failure.details);
      case "defect":
        return new Error("a decoding thread failed", { cause: failure.error });
    }
  }
}
