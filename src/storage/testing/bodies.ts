/** Bodies to write, and what came of reading. */

import type { ObjectInfo, ObjectStore } from "../contract.ts";

export async function listed(store: ObjectStore, prefix?: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of store.list(prefix === undefined ? {} : { prefix })) {
    found.push(object);
  }
  return found;
}

export async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text);
}
