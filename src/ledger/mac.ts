/**
 * How an identifier becomes 32 bytes that say nothing without the key: ERASURE §2.4.
 *
 * Invariant: every part is length-prefixed, so that no two different (type, controller, value) give the same message.
 * Keys travel as KeyObject only: they cannot be printed or serialised by accident.
 */
import { createHmac, type KeyObject } from "node:crypto";

/** Domain of the MACs; a change of the message's layout needs a new one. */
const MAC_DOMAIN = "sanitize/1";

/** Bytes of a MAC. */
export const MAC_BYTES = 32;

/** A 4-byte big-endian length, then the text's UTF-8 bytes. */
export function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const out = Buffer.allocUnsafe(4 + bytes);
  out.writeUInt32BE(bytes, 0);
  out.write(text, 4);
  return out;
}

/** HMAC-SHA-256 of an identifier in canonical form, for one controller, under one epoch's key. 32 bytes. */
export function macOf(epochKey: KeyObject, type: string, controller: string, canonicalValue: string): Buffer {
  return createHmac("sha256", epochKey)
    .update(lengthPrefixed(MAC_DOMAIN))
    .update(lengthPrefixed(type))
    .update(lengthPrefixed(controller))
    .update(lengthPrefixed(canonicalValue))
    .digest();
}
