/**
 * Writes an age file (age-encryption.org/v1, binary) around a stream, also around one whose beginning is known last.
 *
 * A late head is sealed in whole chunks, for a chunk's bytes depend on all of its content: bytes of the body that share the
 * head's last chunk (less than 64 KiB) are held until then. Invariants: the head's length is known before the body is
 * given out; the body flows at its taker's pace; every file gets keys of its own.
 */

import { randomBytes } from "node:crypto";
import { UsageError } from "../../errors.ts";
import type { LateHead } from "../../storage/contract.ts";
import { ByteReader } from "../byte-reader.ts";
import { AgeStream, CHUNK_BYTES, PAYLOAD_NONCE_BYTES, TAG_BYTES } from "./age-stream.ts";

/** For whom to encrypt: keys, or a passphrase instead of them. */
export interface AgeRecipients {
  /** `age1…` as age-keygen prints them. */
  readonly recipients: readonly string[];
  readonly passphrase?: string;
}

export interface Encrypted {
  /** There when the plain stream has one. */
  readonly head?: LateHead;
  readonly body: AsyncIterable<Buffer>;
}

/**
 * Encrypts `head` and `body`, one behind the other. Takes up to 64 KiB from `body` at once when there is a head.
 * @throws UsageError with code `bad_age_recipient` for a recipient that is none.
 */
export async function ageEncrypt(body: AsyncIterable<Buffer>, to: AgeRecipients, head?: LateHead): Promise<Encrypted> {
  const { header, fileKey } = await newHeader(to);
  const nonce = randomBytes(PAYLOAD_NONCE_BYTES);
  const stream = new AgeStream(fileKey, nonce);
  const start = Buffer.concat([header, nonce]);
  const reader = new ByteReader(body);
  if (head === undefined || head.length === 0) {
    return { body: sealedBody(reader, stream, 0, start) };
  }
  try {
    return await withLateHead(head, reader, stream, start);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function withLateHead(head: LateHead, reader: ByteReader, stream: AgeStream, start: Buffer): Promise<Encrypted> {
  const shared = (CHUNK_BYTES - (head.length % CHUNK_BYTES)) % CHUNK_BYTES;
  const more = await reader.fill(shared + 1);
  const held = Buffer.from(reader.window.subarray(0, shared));
  reader.consume(held.length);
  const plainLength = head.length + held.length;
  const chunks = Math.ceil(plainLength / CHUNK_BYTES);
  const bytes = (): Buffer => {
    const plain = Buffer.concat([head.bytes(), held]);
    if (plain.length !== plainLength) {
      throw new RangeError(`a late head of ${plain.length - held.length} bytes instead of ${head.length}`);
    }
    const sealed = Array.from({ length: chunks }, (_, index) =>
      stream.seal(index, !more && index === chunks - 1, chunkOf(plain, index)),
    );
    return Buffer.concat([start, ...sealed]);
  };
  return {
    head: { length: start.length + plainLength + chunks * TAG_BYTES, bytes },
    body: more ? sealedBody(reader, stream, chunks, null) : NOTHING,
  };
}

function chunkOf(plain: Buffer, index: number): Buffer {
  return plain.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
}

/** What `reader` still gives, sealed as the chunks from `first` on, `start` in front of them. */
async function* sealedBody(
  reader: ByteReader,
  stream: AgeStream,
  first: number,
  start: Buffer | null,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    if (start !== null) {
      yield start;
    }
    for (let index = first, more = true; more; index++) {
      more = await reader.fill(CHUNK_BYTES + 1);
      const plain = reader.window.subarray(0, CHUNK_BYTES);
      const sealed = stream.seal(index, !more, plain);
      reader.consume(plain.length);
      yield sealed;
    }
  } finally {
    await reader.close();
  }
}

/** What is left of a body that ended inside the head's last chunk. */
const NOTHING: AsyncIterable<Buffer> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};

/** A header for these recipients, and the file key that it wraps. */
async function newHeader(to: AgeRecipients): Promise<{ readonly header: Buffer; readonly fileKey: Uint8Array }> {
  const { Decrypter, Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  let fileKey: Uint8Array | null = null;
  if (to.passphrase !== undefined) {
    if (to.recipients.length > 0) {
      throw refused("age encrypts for recipients or with a passphrase, not both", "leave one of them out");
    }
    encrypter.setPassphrase(to.passphrase);
  } else {
    if (to.recipients.length === 0) {
      throw refused("no age recipient to encrypt for", "name at least one key that begins with age1");
    }
    for (const [index, recipient] of to.recipients.entries()) {
      addRecipient(encrypter, recipient, index + 1);
    }
    // One more that adds nothing to the header, and hears the key.
    encrypter.addRecipient({
      wrapFileKey: (key) => {
        fileKey = Uint8Array.from(key);
        return [];
      },
    });
  }
  const file = Buffer.from(await encrypter.encrypt(new Uint8Array(0)));
  const header = file.subarray(0, file.length - PAYLOAD_NONCE_BYTES - TAG_BYTES);
  if (to.passphrase !== undefined) {
    const decrypter = new Decrypter();
    decrypter.addPassphrase(to.passphrase);
    fileKey = await decrypter.decryptHeader(header);
  }
  if (fileKey === null) {
    throw new Error("age made a header without a file key");
  }
  return { header, fileKey };
}

function addRecipient(encrypter: { addRecipient(recipient: string): void }, recipient: string, number: number): void {
  try {
    if (!/^age1[a-z0-9]{58}$/.test(recipient)) {
      throw new RangeError("another kind of recipient");
    }
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw refused(`age recipient number ${number} is not one that age-keygen prints`, "age1 and 58 letters", cause);
  }
}

function refused(fact: string, hint: string, cause?: unknown): UsageError {
  return new UsageError(fact, { code: "bad_age_recipient", hint, cause });
}
