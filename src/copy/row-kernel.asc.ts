// The row scan kernel, in AssemblyScript; `npm run kernel` compiles it into row-kernel.wasm.ts.
//
// One call looks at a run of whole COPY text rows in linear memory: it finds row ends, counts fields, and asks of every
// key column whether its value may be a tombstone. "May": a hit is a candidate that JavaScript decides exactly.
//
// Why WebAssembly: SipHash wants 64-bit integers, and 16 bytes are searched for separators at once.

import { examine } from "./row-kernel-forms.asc";
import { answer, atRow, MISS, P_BIT, P_COLUMN, PROBE_BYTES } from "./row-kernel-tags.asc";

export { tag } from "./row-kernel-tags.asc";

const TAB: u8 = 9;
const NEWLINE: u8 = 10;
const results: usize = memory.data(32);

/** Address of: rows, consumed bytes, candidates, error (0 none, 1 short, 2 long), 1 after the closing line. */
export function resultsAddress(): usize {
  return results;
}

export function heapBase(): usize {
  return __heap_base;
}

/**
 * Scans `length` bytes of whole rows at `at` (16 readable bytes must follow them).
 * Writes row ends (offset behind the newline, u32) to `ends` and candidates (row, start, end, bits: u32 each) to
 * `candidates`; `bitsOfRows` is room for one u32 a row. Stops early after `limit` rows, at a row of the wrong shape, or
 * behind the closing line.
 */
export function scan(
  at: usize, length: u32, columns: u32, probes: usize, probeCount: u32, ends: usize, candidates: usize, bitsOfRows: usize, limit: u32,
): void {
  const base = at;
  const tabs = i8x16.splat(TAB);
  const newlines = i8x16.splat(NEWLINE);
  const lastProbe = probes + <usize>probeCount * PROBE_BYTES;
  const firstWanted: u32 = probeCount > 0 ? load<u32>(probes + P_COLUMN) : u32.MAX_VALUE;
  let rowStart: u32 = 0;
  let fieldStart: u32 = 0;
  let field: u32 = 0;
  let bits: u32 = 0;
  let probe = probes;
  let wanted = firstWanted;
  let error: u32 = 0;
  let ended: u32 = 0;
  let currentRow: u32 = 0;
  atRow(0, bitsOfRows);

  for (let block: u32 = 0; block < length && error == 0 && ended == 0 && currentRow < limit; block += 16) {
    const bytes = v128.load(base + block);
    let tabBits = <u32>i8x16.bitmask(i8x16.eq(bytes, tabs));
    let newlineBits = <u32>i8x16.bitmask(i8x16.eq(bytes, newlines));
    if (length - block < 16) {
      const valid = (<u32>1 << (length - block)) - 1;
      tabBits &= valid;
      newlineBits &= valid;
    }
    while ((tabBits | newlineBits) != 0) {
      let separator: u32;
      if (wanted == u32.MAX_VALUE) {
        // no key column left in this row: only its end matters
        if (newlineBits == 0) {
          field += popcnt(tabBits);
          break;
        }
        separator = ctz(newlineBits);
        const upTo = (<u32>1 << separator) - 1;
        field += popcnt(tabBits & upTo);
        tabBits &= ~upTo;
      } else {
        separator = ctz(tabBits | newlineBits);
      }
      const here = block + separator;
      while (field == wanted) {
        if (examine(probe, base + fieldStart, here - fieldStart) != MISS) bits |= load<u32>(probe + P_BIT);
        probe += PROBE_BYTES;
        wanted = probe < lastProbe ? load<u32>(probe + P_COLUMN) : u32.MAX_VALUE;
      }
      const bit = <u32>1 << separator;
      if ((tabBits & bit) != 0) {
        tabBits &= ~bit;
        field++;
        fieldStart = here + 1;
        continue;
      }
      newlineBits &= ~bit;
      if (here - rowStart == 2 && load<u16>(base + rowStart) == 0x2e5c) {
        ended = 1;
        rowStart = here + 1;
        break;
      }
      if (columns == 0 ? here != rowStart : field + 1 != columns) {
        error = columns != 0 && field + 1 < columns ? 1 : 2;
        break;
      }
      const bitsAt = bitsOfRows + (<usize>currentRow << 2);
      store<u32>(bitsAt, load<u32>(bitsAt) | bits);
      bits = 0;
      store<u32>(ends + (<usize>currentRow << 2), here + 1);
      currentRow++;
      atRow(currentRow, bitsOfRows);
      rowStart = here + 1;
      fieldStart = rowStart;
      field = 0;
      probe = probes;
      wanted = firstWanted;
      if (currentRow >= limit) break;
    }
  }
  answer();
  store<u32>(results, currentRow);
  store<u32>(results + 4, rowStart);
  store<u32>(results + 8, probeCount > 0 ? gather(ends, candidates, bitsOfRows, currentRow) : 0);
  store<u32>(results + 12, error);
  store<u32>(results + 16, ended);
}

/** Writes the rows with any bit set to `candidates`, clears the bits, returns how many there are. */
function gather(ends: usize, candidates: usize, rowBits: usize, currentRow: u32): u32 {
  let found: u32 = 0;
  let start: u32 = 0;
  for (let row: u32 = 0; row < currentRow; row++) {
    const end = load<u32>(ends + (<usize>row << 2));
    const bitsAt = rowBits + (<usize>row << 2);
    const bits = load<u32>(bitsAt);
    if (bits != 0) {
      const out = candidates + (<usize>found << 4);
      store<u32>(out, row);
      store<u32>(out + 4, start);
      store<u32>(out + 8, end);
      store<u32>(out + 12, bits);
      found++;
      store<u32>(bitsAt, 0);
    }
    start = end;
  }
  // a row that broke off may have left bits behind
  store<u32>(rowBits + (<usize>currentRow << 2), 0);
  return found;
}
