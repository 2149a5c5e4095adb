/**
 * The payload of an age file (age-encryption.org/v1, "Payload"): STREAM with ChaCha20-Poly1305 over chunks of 64 KiB, each
 * with its number and a mark on the last one, so that a cut or a changed order shows. The header is the age-encryption
 * package's; its payload code is seventeen times slower than node:crypto and cannot begin in the middle.
 */

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";

/** Bytes of content in each chunk but the last. */
export const CHUNK_BYTES = 64 * 1024;
export const TAG_BYTES = 16;
/** Stands between the header and the first chunk. */
export const PAYLOAD_NONCE_BYTES = 16;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

const CIPHER = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG_BYTES } as const;

export class AgeStream {
  readonly #key: Buffer;

  /** `nonce` is the payload's, 16 bytes. */
  constructor(fileKey: Uint8Array, nonce: Uint8Array) {
    this.#key = Buffer.from(hkdfSync("sha256", fileKey, nonce, "payload", 32));
  }

  seal(index: number, last: boolean, plain: Buffer): Buffer {
    const cipher = createCipheriv(CIPHER, this.#key, chunkNonce(index, last), OPTIONS);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** The content of a chunk, or `null` when it is not what was sealed under this number and mark. */
  open(index: number, last: boolean, sealed: Buffer): Buffer | null {
    const end = sealed.length - TAG_BYTES;
    if (end < 0) {
      return null;
    }
    const decipher = createDecipheriv(CIPHER, this.#key, chunkNonce(index, last), OPTIONS);
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
    } catch {
      return null; // the one thing that final() checks is the tag
    }
    return plain;
  }
}

/** Eleven bytes of number, big-endian, and one that marks the last chunk. */
function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(index), 3);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
