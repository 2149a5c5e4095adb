/** The decoders that work synchronously, by the name of their codec: the same for this thread and for any other. */

import type { BlockingCodec, DecodeOrder } from "./decode-messages.ts";
import { lz4Decode } from "./lz4.ts";
import { zstdDecode, zstdImplementation } from "./zstd.ts";

/** Decodes `input` in the thread that calls. @throws ArchiveDamaged */
export function decodeHere(order: DecodeOrder, input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  switch (order.codec) {
    case "lz4":
      return lz4Decode(input, order.where);
    case "zstd":
      return zstdDecode(input, order.where);
  }
}

/** Whether each output's memory is that output's alone, so that it can be given away. fzstd does not promise it. */
export function givesOwnMemory(codec: BlockingCodec): boolean {
  return codec === "lz4" || zstdImplementation() === "native";
}
