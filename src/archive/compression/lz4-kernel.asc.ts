// The LZ4 block decoder, in AssemblyScript; `npm run kernel` compiles it into lz4-kernel.wasm.ts.
//
// Why WebAssembly: copies of 16 bytes at once, which JavaScript does not have for short matches. The copies may write up to
// 15 bytes behind what they are to write and read as much behind the block: the caller leaves that much room.

const MIN_MATCH: u32 = 4;

const ENDS_IN_LENGTH: i32 = -1;
const LITERALS_BEYOND: i32 = -2;
const ENDS_IN_OFFSET: i32 = -3;
const MATCH_BEFORE: i32 = -4;
const MATCH_BEYOND: i32 = -5;
const NO_LITERALS: i32 = -6;

export function heapBase(): usize {
  return __heap_base;
}

/**
 * Decodes the block at `from` up to `to` into memory at `at`, never past `limit`; matches reach back to `floor` at most.
 * Returns the end of what was written, or one of the negative numbers above.
 */
export function decode(from: usize, to: usize, at: usize, limit: usize, floor: usize): i32 {
  let input = from;
  let output = at;
  while (input < to) {
    const token: u32 = load<u8>(input);
    input++;
    let literals: usize = token >> 4;
    if (literals == 15) {
      let more: u32 = 255;
      while (more == 255) {
        if (input >= to) return ENDS_IN_LENGTH;
        more = load<u8>(input);
        input++;
        literals += more;
      }
    }
    if (literals > to - input || literals > limit - output) return LITERALS_BEYOND;
    for (let done: usize = 0; done < literals; done += 16) {
      v128.store(output + done, v128.load(input + done));
    }
    input += literals;
    output += literals;
    // The last sequence has literals only.
    if (input == to) return <i32>output;
    if (to - input < 2) return ENDS_IN_OFFSET;
    const distance: usize = load<u16>(input);
    input += 2;
    if (distance == 0 || distance > output - floor) return MATCH_BEFORE;
    let length: usize = (token & 15) + MIN_MATCH;
    if (length == 15 + MIN_MATCH) {
      let more: u32 = 255;
      while (more == 255) {
        if (input >= to) return ENDS_IN_LENGTH;
        more = load<u8>(input);
        input++;
        length += more;
      }
    }
    if (length > limit - output) return MATCH_BEYOND;
    copyMatch(output, distance, length);
    output += length;
  }
  return NO_LITERALS;
}

/** Copies what lies `distance` bytes back; where it overlaps itself, the copy repeats it. */
// @ts-ignore: decorator
@inline
function copyMatch(output: usize, distance: usize, length: usize): void {
  const match = output - distance;
  if (distance >= 16) {
    for (let done: usize = 0; done < length; done += 16) {
      v128.store(output + done, v128.load(match + done));
    }
  } else if (distance >= 8) {
    for (let done: usize = 0; done < length; done += 8) {
      store<u64>(output + done, load<u64>(match + done));
    }
  } else if (distance == 1) {
    memory.fill(output, load<u8>(match), length);
  } else {
    for (let done: usize = 0; done < length; done++) {
      store<u8>(output + done, load<u8>(match + done));
    }
  }
}
