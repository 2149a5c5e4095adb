/**
 * What a decoding thread and the main thread say to each other. One thread serves several streams at once, told apart by
 * number; each direction has its own limit, so that neither side holds more than it was allowed.
 */

import type { ErrorDetails } from "../../errors.ts";

/** Codecs whose decoders work synchronously and would hold up the thread that scans rows. node:zlib has threads of its own. */
export type BlockingCodec = "lz4" | "zstd";

/** What is to be decoded, as one thread tells another. */
export interface DecodeOrder {
  readonly codec: BlockingCodec;
  /** Names the stream for errors. */
  readonly where: string;
}

export type ToDecoder =
  /** Begins a stream; `outputs` may come back before more are asked for. */
  | { readonly kind: "open"; readonly stream: number; readonly order: DecodeOrder; readonly outputs: number }
  | { readonly kind: "input"; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly stream: number }
  /** The input failed behind what was given: the decoder must not take that for the end. */
  | { readonly kind: "input_failed"; readonly stream: number }
  | { readonly kind: "more"; readonly stream: number; readonly outputs: number }
  /** Nobody wants the rest. */
  | { readonly kind: "stop"; readonly stream: number };

export type FromDecoder =
  | { readonly kind: "output"; readonly stream: number; readonly bytes: Uint8Array }
  /** So many bytes of input are in the decoder's hands and wait no longer. */
  | { readonly kind: "taken"; readonly stream: number; readonly bytes: number }
  | { readonly kind: "done"; readonly stream: number }
  | { readonly kind: "failed"; readonly stream: number; readonly failure: DecodeFailure };

/** An error on its way between threads, where classes are lost. */
export type DecodeFailure =
  | { readonly kind: "input" }
  | { readonly kind: "damaged"; readonly message: string; readonly details: ErrorDetails }
  | { readonly kind: "defect"; readonly error: unknown };
