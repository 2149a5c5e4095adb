// Tags in the scan kernel (AssemblyScript): SipHash, and looking a tag up in a table that may be far larger than the caches.

// Fields of a probe, as 32-bit words; src/copy/row-kernel.ts writes them.
export const PROBE_BYTES: usize = 32;
export const P_COLUMN: usize = 0;
export const P_FORM: usize = 4;
const P_KEY: usize = 8;
const P_TABLE: usize = 12;
const P_MASK: usize = 16;
export const P_BIT: usize = 20;
const P_HAS_ZERO: usize = 24;

/** The value cannot be a tombstone, or the question is left for later. */
export const MISS: i32 = 0;
/** The value may be a tombstone: JavaScript decides. */
export const HIT: i32 = 1;

// A table of a million tags lies outside the caches: asked one by one, every value would wait for memory. So tags are
// first collected, then a run of them is touched without looking (the loads overlap), then looked up.
const PENDING_BYTES: usize = 12;
const PENDING_LIMIT: u32 = 128;
const pending: usize = memory.data(1536);
let pendingCount: u32 = 0;
let touched: u32 = 0;

/** Row whose fields are being read, and where each row's bits are kept. */
let currentRow: u32 = 0;
let rowBits: usize = 0;

/** Says whose bits the coming questions are about. */
export function atRow(row: u32, bits: usize): void {
  currentRow = row;
  rowBits = bits;
}

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

/** Takes the value's tag and leaves the question for later. */
export function look(probe: usize, at: usize, length: u32): i32 {
  const out = pending + <usize>pendingCount * PENDING_BYTES;
  store<u32>(out, tag(at, length, load<u32>(probe + P_KEY)));
  store<u32>(out + 4, currentRow);
  store<u32>(out + 8, <u32>probe);
  pendingCount++;
  if (pendingCount == PENDING_LIMIT) answer();
  return MISS;
}

/** Answers all questions left: sets the bits of the rows whose tags are in their tables. */
export function answer(): void {
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

