/** How a stream of unknown length is cut into the parts of an upload, of which there may be 10,000. */

/** Bytes of the first part. */
const FIRST_PART_BYTES = 16 * 1024 * 1024;
/** After so many parts their size doubles: 10,000 of them hold 968 GiB. */
const PARTS_OF_ONE_SIZE = 2000;

/** Bytes of the part of this number, from 1. */
export function partBytes(number: number): number {
  return FIRST_PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_OF_ONE_SIZE);
}

/**
 * Cuts the body into parts, leaving room for `headLength` bytes in the first one, which is empty where the head fills it.
 * The first comes always; the last may be shorter than its size, and is never empty unless it is the first.
 * `sizeOf` is for tests.
 */
export async function* cutIntoParts(
  body: AsyncIterable<Uint8Array>,
  headLength: number,
  sizeOf: (number: number) => number = partBytes,
): AsyncGenerator<Buffer, void, undefined> {
  let number = 1;
  let part = Buffer.allocUnsafe(Math.max(0, sizeOf(1) - headLength));
  let used = 0;
  for await (const piece of body) {
    for (let taken = 0; taken < piece.byteLength; ) {
      if (used === part.length) {
        yield part;
        number += 1;
        part = Buffer.allocUnsafe(sizeOf(number));
        used = 0;
      }
      const fitting = piece.subarray(taken, taken + part.length - used);
      part.set(fitting, used);
      used += fitting.byteLength;
      taken += fitting.byteLength;
    }
  }
  yield part.subarray(0, used);
}
