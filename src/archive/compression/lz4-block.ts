/**
 * One LZ4 block: sequences of literals and matches (LZ4 block format). Synchronous, bounds-checked.
 */

const MIN_MATCH = 4;

/** A block that cannot be decoded. The message is a fact without bytes. */
export class Lz4BlockError extends Error {}

/**
 * Decodes `source[from, to)` into `target` at `at`, never past `limit`, and returns the end of what was written.
 * Matches may reach back to `floor`, so that a linked block finds the content before it.
 * A byte-state loop: it is one function because calls per sequence would halve its speed.
 * @throws Lz4BlockError
 */
export function decodeLz4Block(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
  limit: number,
  floor: number,
): number {
  let input = from;
  let output = at;
  while (input < to) {
    const token = source[input++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (input >= to) {
          throw new Lz4BlockError("block ends inside a length");
        }
        more = source[input++]!;
        literals += more;
      }
    }
    if (input + literals > to || output + literals > limit) {
      throw new Lz4BlockError("literals beyond the block");
    }
    if (literals > 32) {
      target.set(source.subarray(input, input + literals), output);
      input += literals;
      output += literals;
    } else {
      for (const end = output + literals; output < end; ) {
        target[output++] = source[input++]!;
      }
    }
    if (input === to) {
      // The last sequence has literals only.
      return output;
    }
    if (input + 2 > to) {
      throw new Lz4BlockError("block ends inside an offset");
    }
    const distance = source[input]! | (source[input + 1]! << 8);
    input += 2;
    let match = output - distance;
    if (distance === 0 || match < floor) {
      throw new Lz4BlockError("match before the content");
    }
    let length = (token & 15) + MIN_MATCH;
    if (length === 15 + MIN_MATCH) {
      let more = 255;
      while (more === 255) {
        if (input >= to) {
          throw new Lz4BlockError("block ends inside a length");
        }
        more = source[input++]!;
        length += more;
      }
    }
    if (output + length > limit) {
      throw new Lz4BlockError("match beyond the block");
    }
    if (length > 64 && distance >= length) {
      target.copyWithin(output, match, match + length);
      output += length;
    } else {
      for (const end = output + length; output < end; ) {
        target[output++] = target[match++]!;
      }
    }
  }
  throw new Lz4BlockError("block ends without literals");
}
