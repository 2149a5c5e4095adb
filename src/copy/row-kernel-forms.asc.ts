// Canonical forms in the scan kernel (AssemblyScript): the spellings that ASCII arithmetic can bring into canonical form.
//
// A miss is final, so each fast path below must agree with src/ledger/canonical.ts to the byte; everything else (escapes,
// other scripts, odd spellings) is a hit, and JavaScript decides. src/erasure/scan-forms.property.test.ts compares the two.

import { HIT, look, MISS, P_FORM } from "./row-kernel-tags.asc";

const BACKSLASH: u8 = 0x5c;
const FORM_EXACT: u32 = 0;
const FORM_TEXT: u32 = 1;
const FORM_ACCOUNT_ID: u32 = 2;
const FORM_EMAIL: u32 = 3;
const FORM_PHONE: u32 = 4;
// FORM_PRESENT (5): every value that is not NULL is a candidate.

const PHONE_DIGITS: u32 = 7;
/** Room for one canonical value; longer ones go to JavaScript. */
const SCRATCH_BYTES: u32 = 512;
const scratch: usize = memory.data(512);

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

/** Asks a probe about one field. */
export function examine(probe: usize, at: usize, length: u32): i32 {
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

