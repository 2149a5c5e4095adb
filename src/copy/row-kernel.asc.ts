// The row scan kernel, in AssemblyScript; `npm run kernel` compiles it into row-kernel.wasm.ts.
//
// One call looks at a run of whole COPY text rows in linear memory: it finds row ends, counts fields, and asks of every
// key column whether its value may be a tombstone. "May": a hit is a candidate that JavaScript decides exactly, and a value
// that needs more than ASCII arithmetic to be brought into canonical form (escapes, other scripts, odd spellings) is a
// candidate too. A miss is final, so each fast path below must agree with src/ledger/canonical.ts to the byte:
// row-kernel.property.test.ts compares them over generated values.
//
// Why WebAssembly: SipHash wants 64-bit integers, and 16 bytes are searched for separators at once.

const TAB: u8 = 9;
const NEWLINE: u8 = 10;
const BACKSLASH: u8 = 0x5c;

// Fields of a probe, as 32-bit words; src/copy/row-kernel.ts writes them.
const PROBE_BYTES: usize = 32;
const P_COLUMN: usize = 0;
const P_FORM: usize = 4;
const P_KEY: usize = 8;
const P_TABLE: usize = 12;
const P_MASK: usize = 16;
const P_BIT: usize = 20;
const P_HAS_ZERO: usize = 24;

const FORM_EXACT: u32 = 0;
const FORM_TEXT: u32 = 1;
const FORM_ACCOUNT_ID: u32 = 2;
const FORM_EMAIL: u32 = 3;
const FORM_PHONE: u32 = 4;
// FORM_PRESENT (5): every value that is not NULL is a candidate.

const MISS: i32 = 0;
const HIT: i32 = 1;

const PHONE_DIGITS: u32 = 7;
/** Room for one canonical value; longer ones go to JavaScript. */
const SCRATCH_BYTES: u32 = 512;
const scratch: usize = memory.data(512);
const results: usize = memory.data(32);

// A table of a million tags lies outside the caches: asked one by one, every value would wait for memory. So tags are
// first collected, then a run of them is touched without looking (the loads overlap), then looked up.
const PENDING_BYTES: usize = 12;
const PENDING_LIMIT: u32 = 128;
const pending: usize = memory.data(1536);
let pendingCount: u32 = 0;
let touched: u32 = 0;

/** Address of: rows, consumed bytes, candidates, error (0 none, 1 short, 2 long), start of the faulty row, 1 after `\.`. */
export function resultsAddress(): usize {
  return results;
}

export function heapBase(): usize {
  return __heap_base;
}

// @ts-ignore: decorator
@inline
function rotl(value: u64, by: u64): u64 {
  return (value << by) | (value >> (64 - by));
}

/** SipHash-2-4 (Aumasson and Bernstein), low 32 bits. */
export function tag(at: usize, length: u32, key: usize): u32 {
  const k0 = load<u64>(key);
  const k1 = load<u64>(key + 8);
  let v0: u64 = k0 ^ 0x736f6d6570736575;
  let v1: u64 = k1 ^ 0x646f72616e646f6d;
  let v2: u64 = k0 ^ 0x6c7967656e657261;
  let v3: u64 = k1 ^ 0x7465646279746573;
  const whole = at + (length & ~7);
  let m: u64 = 0;
  for (; at < whole; at += 8) {
    m = load<u64>(at);
    v3 ^= m;
    for (let round = 0; round < 2; round++) {
      v0 += v1; v1 = rotl(v1, 13); v1 ^= v0; v0 = rotl(v0, 32);
      v2 += v3; v3 = rotl(v3, 16); v3 ^= v2;
      v0 += v3; v3 = rotl(v3, 21); v3 ^= v0;
      v2 += v1; v1 = rotl(v1, 17); v1 ^= v2; v2 = rotl(v2, 32);
    }
    v0 ^= m;
  }
  m = (<u64>length) << 56;
  const rest = length & 7;
  for (let i: u32 = 0; i < rest; i++) m |= (<u64>load<u8>(at + i)) << (i << 3);
  v3 ^= m;
  for (let round = 0; round < 2; round++) {
    v0 += v1; v1 = rotl(v1, 13); v1 ^= v0; v0 = rotl(v0, 32);
    v2 += v3; v3 = rotl(v3, 16); v3 ^= v2;
    v0 += v3; v3 = rotl(v3, 21); v3 ^= v0;
    v2 += v1; v1 = rotl(v1, 17); v1 ^= v2; v2 = rotl(v2, 32);
  }
  v0 ^= m;
  v2 ^= 0xff;
  for (let round = 0; round < 4; round++) {
    v0 += v1; v1 = rotl(v1, 13); v1 ^= v0; v0 = rotl(v0, 32);
    v2 += v3; v3 = rotl(v3, 16); v3 ^= v2;
    v0 += v3; v3 = rotl(v3, 21); v3 ^= v0;
    v2 += v1; v1 = rotl(v1, 17); v1 ^= v2; v2 = rotl(v2, 32);
  }
  return <u32>(v0 ^ v1 ^ v2 ^ v3);
}

/** Row whose fields are being read, and where each row's bits are kept. */
let currentRow: u32 = 0;
let rowBits: usize = 0;

/** Takes the value's tag and leaves the question for later. */
function look(probe: usize, at: usize, length: u32): i32 {
  const out = pending + <usize>pendingCount * PENDING_BYTES;
  store<u32>(out, tag(at, length, load<u32>(probe + P_KEY)));
  store<u32>(out + 4, currentRow);
  store<u32>(out + 8, <u32>probe);
  pendingCount++;
  if (pendingCount == PENDING_LIMIT) answer();
  return MISS;
}

/** Answers all questions left: sets the bits of the rows whose tags are in their tables. */
function answer(): void {
  const end = pending + <usize>pendingCount * PENDING_BYTES;
  let sum: u32 = 0;
  for (let at = pending; at < end; at += PENDING_BYTES) {
    const probe = <usize>load<u32>(at + 8);
    sum += load<u32>(<usize>load<u32>(probe + P_TABLE) + (<usize>(load<u32>(at) & load<u32>(probe + P_MASK)) << 2));
  }
  touched = sum;
  for (let at = pending; at < end; at += PENDING_BYTES) {
    const probe = <usize>load<u32>(at + 8);
    if (holds(probe, load<u32>(at)) == MISS) continue;
    const bits = rowBits + (<usize>load<u32>(at + 4) << 2);
    store<u32>(bits, load<u32>(bits) | load<u32>(probe + P_BIT));
  }
  pendingCount = 0;
}

/** Looks a tag up in the probe's table: open addressing, 0 marks a free slot. */
function holds(probe: usize, t: u32): i32 {
  if (t == 0) return load<i32>(probe + P_HAS_ZERO);
  const table = <usize>load<u32>(probe + P_TABLE);
  const mask = load<u32>(probe + P_MASK);
  let slot = t & mask;
  while (true) {
    const found = load<u32>(table + (<usize>slot << 2));
    if (found == t) return HIT;
    if (found == 0) return MISS;
    slot = (slot + 1) & mask;
  }
}

/** Printable ASCII without backslash all through, no space at either end: trimming and NFC change nothing. */
function plain(at: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    const c = load<u8>(at + i);
    if (c < 0x20 || c > 0x7e || c == BACKSLASH) return false;
  }
  return load<u8>(at) != 0x20 && load<u8>(at + length - 1) != 0x20;
}

function probeText(probe: usize, at: usize, length: u32): i32 {
  return plain(at, length) ? look(probe, at, length) : HIT;
}

/** Integers without sign or leading zero, lower-case hyphenated UUIDs, and plain words that cannot be either. */
function probeAccountId(probe: usize, at: usize, length: u32): i32 {
  let digits = true;
  let letters = false;
  let upper = false;
  for (let i: u32 = 0; i < length; i++) {
    const c = load<u8>(at + i);
    if (c >= 0x30 && c <= 0x39) continue;
    digits = false;
    if (c >= 0x41 && c <= 0x5a) upper = true;
    else if (!((c >= 0x61 && c <= 0x7a) || c == 0x5f || c == 0x2d || c == 0x2e)) return HIT;
    else if (c >= 0x67 && c <= 0x7a || c == 0x5f) letters = true;
  }
  const first = load<u8>(at);
  if (digits) return first != 0x30 && length <= 19 ? look(probe, at, length) : HIT;
  // a sign in front of digits, or anything that may be a UUID in another spelling: let JavaScript look
  if (first == 0x2d || first == 0x30) return length == 36 && !upper && first == 0x30 && hyphenated(at) ? look(probe, at, length) : HIT;
  if (length == 36 && !upper && hyphenated(at)) return look(probe, at, length);
  return length >= 32 && !letters ? HIT : look(probe, at, length);
}

function hyphenated(at: usize): bool {
  for (let i: u32 = 0; i < 36; i++) {
    const c = load<u8>(at + i);
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != 0x2d) return false;
    } else if (!((c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66))) return false;
  }
  return true;
}

/**
 * Lower-cases into scratch, 16 bytes at a time, and keeps a 64-bit map of each kind of byte. The fast path is a domain of
 * letters, digits, single dots and single hyphens (so no xn--) whose last label starts with a letter (so no IPv4 address).
 */
function probeEmail(probe: usize, at: usize, length: u32): i32 {
  if (length > 64) return HIT;
  let other: u64 = 0;
  let signs: u64 = 0;
  let dots: u64 = 0;
  let hyphens: u64 = 0;
  let words: u64 = 0;
  for (let block: u32 = 0; block < length; block += 16) {
    const raw = v128.load(at + block);
    const upper = v128.and(i8x16.ge_u(raw, i8x16.splat(0x41)), i8x16.le_u(raw, i8x16.splat(0x5a)));
    const v = v128.or(raw, v128.and(upper, i8x16.splat(0x20)));
    v128.store(scratch + block, v);
    const odd = v128.or(
      v128.or(i8x16.le_u(v, i8x16.splat(0x20)), i8x16.gt_u(v, i8x16.splat(0x7e))),
      i8x16.eq(v, i8x16.splat(BACKSLASH)),
    );
    const letters = v128.and(i8x16.ge_u(v, i8x16.splat(0x61)), i8x16.le_u(v, i8x16.splat(0x7a)));
    const digits = v128.and(i8x16.ge_u(v, i8x16.splat(0x30)), i8x16.le_u(v, i8x16.splat(0x39)));
    other |= (<u64>(<u32>i8x16.bitmask(odd))) << block;
    signs |= (<u64>(<u32>i8x16.bitmask(i8x16.eq(v, i8x16.splat(0x40))))) << block;
    dots |= (<u64>(<u32>i8x16.bitmask(i8x16.eq(v, i8x16.splat(0x2e))))) << block;
    hyphens |= (<u64>(<u32>i8x16.bitmask(i8x16.eq(v, i8x16.splat(0x2d))))) << block;
    words |= (<u64>(<u32>i8x16.bitmask(v128.or(letters, digits)))) << block;
  }
  const all: u64 = u64.MAX_VALUE >> (64 - <u64>length);
  if ((other & all) != 0) return HIT;
  signs &= all;
  if (signs == 0) return MISS;
  const sign = 63 - clz(signs);
  const last = <u64>length - 1;
  if (sign == 0 || sign == last) return HIT;
  const domain: u64 = all & (u64.MAX_VALUE << (sign + 1));
  if ((domain & ~(words | dots | hyphens)) != 0) return HIT;
  dots &= domain;
  hyphens &= domain;
  if (((dots & (dots << 1)) | (hyphens & (hyphens << 1))) != 0) return HIT;
  if (((dots >> (sign + 1)) & 1) != 0 || ((dots >> last) & 1) != 0) return HIT;
  const label = dots == 0 ? sign : 63 - clz(dots);
  return load<u8>(scratch + <usize>label + 1) < 0x61 ? HIT : look(probe, scratch, length);
}

/**
 * The tag of a telephone number is that of its last seven digits. Only what is surely a Dutch number takes the fast path:
 * phoneTagDigits of src/ledger/tag.ts says which spellings those are and why.
 */
function probePhone(probe: usize, at: usize, length: u32): i32 {
  if (length > SCRATCH_BYTES) return HIT;
  let digits: u32 = 0;
  let plus = false;
  for (let i: u32 = 0; i < length; i++) {
    const c = load<u8>(at + i);
    if (c >= 0x30 && c <= 0x39) {
      store<u8>(scratch + digits, c);
      digits++;
    } else if (c == 0x2b) {
      if (plus || digits > 0) return HIT;
      plus = true;
    } else if (!(c == 0x20 || c == 0x28 || c == 0x29 || (c >= 0x2d && c <= 0x2f))) return HIT;
  }
  if (digits < 8) return HIT;
  const first = load<u8>(scratch);
  const second = load<u8>(scratch + 1);
  let dutch: bool;
  if (plus) dutch = digits >= 11 && first == 0x33 && second == 0x31;
  else if (first != 0x30) dutch = true;
  else if (second != 0x30) dutch = digits >= 9;
  else dutch = digits >= 13 && load<u16>(scratch + 2) == 0x3133;
  return dutch ? look(probe, scratch + (digits - PHONE_DIGITS), PHONE_DIGITS) : HIT;
}

function examine(probe: usize, at: usize, length: u32): i32 {
  if (length == 2 && load<u16>(at) == 0x4e5c) return MISS; // NULL
  const form = load<u32>(probe + P_FORM);
  if (form == FORM_EXACT) return look(probe, at, length);
  if (length == 0) return MISS;
  if (form == FORM_TEXT) return probeText(probe, at, length);
  if (form == FORM_ACCOUNT_ID) return probeAccountId(probe, at, length);
  if (form == FORM_EMAIL) return probeEmail(probe, at, length);
  if (form == FORM_PHONE) return probePhone(probe, at, length);
  return HIT;
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
  rowBits = bitsOfRows;
  currentRow = 0;

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
      const bitsAt = rowBits + (<usize>currentRow << 2);
      store<u32>(bitsAt, load<u32>(bitsAt) | bits);
      bits = 0;
      store<u32>(ends + (<usize>currentRow << 2), here + 1);
      currentRow++;
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
  store<u32>(results + 8, probeCount > 0 ? gather(ends, candidates) : 0);
  store<u32>(results + 12, error);
  store<u32>(results + 16, ended);
}

/** Writes the rows with any bit set to `candidates`, clears the bits, returns how many there are. */
function gather(ends: usize, candidates: usize): u32 {
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
