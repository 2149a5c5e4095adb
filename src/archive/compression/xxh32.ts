/**
 * XXH32, the checksum of LZ4 frames (xxHash specification 0.1.1). Streaming, seed 0.
 */

const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;
const STRIPE = 16;

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function round(lane: number, input: number): number {
  return Math.imul(rotate((lane + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

export class Xxh32 {
  readonly #lanes = new Int32Array([PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1]);
  readonly #held = new Uint8Array(STRIPE);
  #heldLength = 0;
  /** Modulo 2^32, as the specification has it. */
  #length = 0;
  #long = false;

  update(bytes: Uint8Array): void {
    this.#length = (this.#length + bytes.length) >>> 0;
    let at = 0;
    if (this.#heldLength > 0) {
      at = Math.min(STRIPE - this.#heldLength, bytes.length);
      this.#held.set(bytes.subarray(0, at), this.#heldLength);
      this.#heldLength += at;
      if (this.#heldLength < STRIPE) {
        return;
      }
      this.#stripes(this.#held, 0, STRIPE);
      this.#heldLength = 0;
    }
    const end = at + (bytes.length - at - ((bytes.length - at) % STRIPE));
    this.#stripes(bytes, at, end);
    this.#held.set(bytes.subarray(end), 0);
    this.#heldLength = bytes.length - end;
  }

  /** The hash of all bytes so far, 0 to 2^32-1. */
  digest(): number {
    const lanes = this.#lanes;
    let hash = this.#long
      ? rotate(lanes[0]!, 1) + rotate(lanes[1]!, 7) + rotate(lanes[2]!, 12) + rotate(lanes[3]!, 18)
      : PRIME_5;
    hash = (hash + this.#length) | 0;
    let at = 0;
    for (; at + 4 <= this.#heldLength; at += 4) {
      hash = Math.imul(rotate((hash + Math.imul(wordAt(this.#held, at), PRIME_3)) | 0, 17), PRIME_4);
    }
    for (; at < this.#heldLength; at++) {
      hash = Math.imul(rotate((hash + Math.imul(this.#held[at]!, PRIME_5)) | 0, 11), PRIME_1);
    }
    hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
    hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #stripes(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) {
      return;
    }
    this.#long = true;
    let [one, two, three, four] = this.#lanes as unknown as [number, number, number, number];
    for (let at = start; at < end; at += STRIPE) {
      one = round(one, wordAt(bytes, at));
      two = round(two, wordAt(bytes, at + 4));
      three = round(three, wordAt(bytes, at + 8));
      four = round(four, wordAt(bytes, at + 12));
    }
    this.#lanes.set([one, two, three, four]);
  }
}

/** XXH32 of one buffer. */
export function xxh32(bytes: Uint8Array): number {
  const hash = new Xxh32();
  hash.update(bytes);
  return hash.digest();
}
