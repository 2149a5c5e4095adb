/**
 * Walks over the frames of a zstd stream (RFC 8878, 3.1) without decoding them, and refuses what fzstd would take and
 * should not: checksums, which it does not check, and windows, for which it allocates whatever a frame declares.
 *
 * Invariant: what is no frame is left for the decoder to say.
 */

import type { ArchiveDamaged } from "../../errors.ts";
import { unsupported } from "../damage.ts";

/** As libzstd allows unless told otherwise: windowLog 27. */
const LARGEST_WINDOW = 128 * 1024 * 1024;
const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const NATIVE_HINT = "install the optional package zstd-napi (npm install, with a C++ compiler at hand)";
const WINDOW_HINT = "compress it again without --long, or with --long=27 at most";

/** What the walk wants next: bytes to look at, or bytes to pass over. */
type Wish = { readonly look: number } | { readonly pass: number };
type Walk = Generator<Wish, void, Buffer>;

export class ZstdFrames {
  readonly #walk: Walk;
  #wish: IteratorResult<Wish, void>;
  #looked: Buffer = Buffer.alloc(0);
  #left = 0;

  constructor(where: string) {
    this.#walk = frames(where);
    this.#wish = this.#walk.next();
  }

  /** Goes on over the stream's next bytes. @throws ArchiveDamaged (`unsupported_compression`) */
  follow(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0 && this.#wish.done !== true) {
      const wish = this.#wish.value;
      if ("pass" in wish) {
        const passed = Math.min(rest.length, wish.pass - this.#left);
        rest = rest.subarray(passed);
        this.#left += passed;
        if (this.#left === wish.pass) {
          this.#next(Buffer.alloc(0));
        }
      } else {
        const taken = rest.subarray(0, wish.look - this.#looked.length);
        rest = rest.subarray(taken.length);
        this.#looked = Buffer.concat([this.#looked, taken]);
        if (this.#looked.length === wish.look) {
          this.#next(this.#looked);
        }
      }
    }
  }

  #next(looked: Buffer): void {
    this.#looked = Buffer.alloc(0);
    this.#left = 0;
    this.#wish = this.#walk.next(looked);
  }
}

function* frames(where: string): Walk {
  for (;;) {
    const magic = (yield { look: 4 }).readUInt32LE(0);
    if (magic >>> 4 === SKIPPABLE_MAGIC >>> 4) {
      yield* pass((yield { look: 4 }).readUInt32LE(0));
    } else if (magic === FRAME_MAGIC) {
      yield* header(where);
      yield* blocks();
    } else {
      return;
    }
  }
}

function* pass(count: number): Walk {
  if (count > 0) {
    yield { pass: count };
  }
}

function* header(where: string): Walk {
  const descriptor = (yield { look: 1 })[0]!;
  if ((descriptor & 0x04) !== 0) {
    throw refused("has a checksum that cannot be checked", NATIVE_HINT, where);
  }
  const single = (descriptor & 0x20) !== 0;
  let window = 0;
  if (!single) {
    const byte = (yield { look: 1 })[0]!;
    const base = 2 ** (10 + (byte >> 3));
    window = base + (base / 8) * (byte & 7);
  }
  yield* pass([0, 1, 2, 4][descriptor & 3]!);
  const sizeBytes = descriptor >> 6 === 0 ? Number(single) : 2 ** (descriptor >> 6);
  if (sizeBytes > 0) {
    const bytes = yield { look: sizeBytes };
    const size = sizeBytes === 8 ? Number(bytes.readBigUInt64LE(0)) : bytes.readUIntLE(0, sizeBytes);
    // Without a window of its own, a frame's content is its window.
    window = single ? size : window;
  }
  if (window > LARGEST_WINDOW) {
    throw refused("needs a window of more than 128 MiB", WINDOW_HINT, where);
  }
}

function* blocks(): Walk {
  for (let last = false; !last; ) {
    const word = (yield { look: 3 }).readUIntLE(0, 3);
    last = (word & 1) !== 0;
    // A block of one repeated byte holds it once.
    yield* pass(((word >> 1) & 3) === 1 ? 1 : word >> 3);
  }
}

function refused(fact: string, hint: string, where: string): ArchiveDamaged {
  return unsupported("unsupported_compression", `zstd stream ${fact} in ${where}`, hint);
}
