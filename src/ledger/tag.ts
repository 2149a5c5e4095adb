/**
 * The short keyed tag beside every MAC: a scan compares tags and computes an HMAC only where one is found.
 *
 * SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) in 32-bit halves, because BigInt is
 * an order of magnitude too slow here. The kernel of `src/copy` computes the same in WebAssembly; this is the
 * independent reference it is tested against.
 *
 * Invariant: equal canonical values give equal tags. The reverse does not hold: a tag is a hint, the MAC decides.
 */
import { createHmac, type KeyObject } from "node:crypto";
import { lengthPrefixed } from "./mac.ts";

/** Domain of the tag keys; not length-prefixed, so it can be no prefix of a MAC's message. */
const TAG_DOMAIN = "sanitize/tag/1";

/** Bytes of a SipHash key. */
export const TAG_KEY_BYTES = 16;

/** Digits of a phone number that its tag covers. */
const PHONE_TAG_DIGITS = 7;

/** The key under which tags of `type` are computed in one epoch: 16 bytes. */
export function deriveTagKey(epochKey: KeyObject, type: string): Buffer {
  const digest = createHmac("sha256", epochKey).update(TAG_DOMAIN).update(lengthPrefixed(type)).digest();
  return digest.subarray(0, TAG_KEY_BYTES);
}

/**
 * What the tag covers, as text whose UTF-8 bytes are hashed: the canonical value, or of a phone number its last seven
 * digits, so that a scan can mostly take them from the text as it stands ({@link phoneTagDigits}).
 */
export function tagMaterial(type: string, canonicalValue: string): string {
  if (type !== "phone") {
    return canonicalValue;
  }
  const digits = canonicalValue.startsWith("+") ? canonicalValue.slice(1) : canonicalValue;
  return digits.slice(-PHONE_TAG_DIGITS);
}

const PHONE_PUNCTUATION = /[ ().\-/]/g;
/** Written with the code of the Netherlands and at least nine digits, or without any code and at least eight. */
const DUTCH_SPELLING = /^(?:(?:\+|00)31\d{9,}|0?[1-9]\d{7,})$/;

/**
 * The tag material of a phone number as it is written, without parsing it; `null` when it has to be parsed.
 *
 * The reference of the scan kernel's short way, for default region NL. Not every spelling ends in the digits of its
 * E.164 form: an extension follows them ("x12"), a short number reaches back into a trunk zero ("+49 (0)30 1234"), and
 * some countries move digits about (Argentina's 15). Hence only what is surely Dutch takes the short way.
 */
export function phoneTagDigits(raw: string): string | null {
  const digits = raw.replace(PHONE_PUNCTUATION, "");
  return DUTCH_SPELLING.test(digits) ? digits.slice(-PHONE_TAG_DIGITS) : null;
}

/** The tag of the first `length` bytes: low 32 bits of their SipHash-2-4, as an unsigned number. */
export function tagOf(tagKey: Uint8Array, bytes: Uint8Array, length = bytes.length): number {
  return sipHashHalf(tagKey, bytes, length, false);
}

/** SipHash-2-4 of bytes under a 16-byte key, as two unsigned 32-bit halves. */
export function sipHash24(key: Uint8Array, bytes: Uint8Array): { readonly high: number; readonly low: number } {
  return {
    high: sipHashHalf(key, bytes, bytes.length, true),
    low: sipHashHalf(key, bytes, bytes.length, false),
  };
}

function uint32At(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Up to four bytes at `at`, little-endian; bytes at or behind `end` count as zero. */
function tailAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let index = 0; index < 4 && at + index < end; index++) {
    word |= bytes[at + index]! << (8 * index);
  }
  return word;
}

/**
 * All rounds in one loop: two for each 8-byte word of the message (the last one carries its length), four to finish.
 * Longer than a screen would like: the sixteen half-words of state must be locals to stay in registers.
 */
function sipHashHalf(key: Uint8Array, bytes: Uint8Array, length: number, high: boolean): number {
  const k0l = uint32At(key, 0);
  const k0h = uint32At(key, 4);
  const k1l = uint32At(key, 8);
  const k1h = uint32At(key, 12);
  let [v0h, v0l, v1h, v1l] = [0x736f6d65 ^ k0h, 0x70736575 ^ k0l, 0x646f7261 ^ k1h, 0x6e646f6d ^ k1l];
  let [v2h, v2l, v3h, v3l] = [0x6c796765 ^ k0h, 0x6e657261 ^ k0l, 0x74656462 ^ k1h, 0x79746573 ^ k1l];
  let [mh, ml, carried] = [0, 0, 0];
  const whole = length & ~7;
  const messageRounds = (length >>> 3) * 2 + 2;
  for (let round = 0; round < messageRounds + 4; round++) {
    if (round < messageRounds && (round & 1) === 0) {
      const at = round * 4;
      const last = at === whole;
      ml = last ? tailAt(bytes, at, length) : uint32At(bytes, at);
      mh = last ? tailAt(bytes, at + 4, length) | (length << 24) : uint32At(bytes, at + 4);
      v3h ^= mh;
      v3l ^= ml;
    }
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    v0l = (v0l + v1l) | 0;
    v0h = (v0h + v1h + (v0l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
    carried = v1h;
    v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
    v1l = ((v1l << 13) | (carried >>> 19)) ^ v0l;
    carried = v0h;
    v0h = v0l;
    v0l = carried;
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    v2l = (v2l + v3l) | 0;
    v2h = (v2h + v3h + (v2l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
    carried = v3h;
    v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
    v3l = ((v3l << 16) | (carried >>> 16)) ^ v2l;
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    v0l = (v0l + v3l) | 0;
    v0h = (v0h + v3h + (v0l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
    carried = v3h;
    v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
    v3l = ((v3l << 21) | (carried >>> 11)) ^ v0l;
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    v2l = (v2l + v1l) | 0;
    v2h = (v2h + v1h + (v2l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
    carried = v1h;
    v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
    v1l = ((v1l << 17) | (carried >>> 15)) ^ v2l;
    carried = v2h;
    v2h = v2l;
    v2l = carried;
    if (round < messageRounds && (round & 1) === 1) {
      v0h ^= mh;
      v0l ^= ml;
      if (round === messageRounds - 1) {
        v2l ^= 0xff;
      }
    }
  }
  return (high ? v0h ^ v1h ^ v2h ^ v3h : v0l ^ v1l ^ v2l ^ v3l) >>> 0;
}
