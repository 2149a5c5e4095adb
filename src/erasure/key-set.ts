/**
 * Keys of rows that go, by which their children are found: an exact set of byte strings with a number each. Bytes lie in
 * one arena and the table holds offsets, so a key costs its own bytes and about 20 more.
 */

export type HashBytes = (bytes: Uint8Array) => number;

const free = -1;

export class KeySet {
  private readonly hash: HashBytes;
  private arena = Buffer.alloc(1024);
  private used = 0;
  /** Slot -> entry. */
  private slots = new Int32Array(64).fill(free);
  private starts = new Float64Array(32);
  private values = new Int32Array(32);
  private hashes = new Uint32Array(32);
  /** Number of keys. */
  size = 0;

  constructor(hash: HashBytes) {
    this.hash = hash;
  }

  /** The key's number, or `undefined`. */
  get(key: Uint8Array): number | undefined {
    const slot = this.find(key, this.hash(key));
    const entry = this.slots[slot]!;
    return entry === free ? undefined : this.values[entry]!;
  }

  /** Gives the key a number, adding the key where it is new. */
  set(key: Uint8Array, value: number): void {
    const hash = this.hash(key);
    const slot = this.find(key, hash);
    const known = this.slots[slot]!;
    if (known !== free) {
      this.values[known] = value;
      return;
    }
    const entry = this.append(key, hash, value);
    this.slots[slot] = entry;
    if (this.size * 2 > this.slots.length) this.rehash();
  }

  /** Every key with its number, in the order of addition. */
  *entries(): Generator<readonly [Buffer, number]> {
    for (let entry = 0; entry < this.size; entry++) yield [this.bytesOf(entry), this.values[entry]!];
  }

  private bytesOf(entry: number): Buffer {
    const end = entry + 1 < this.size ? this.starts[entry + 1]! : this.used;
    return this.arena.subarray(this.starts[entry]!, end);
  }

  private find(key: Uint8Array, hash: number): number {
    const mask = this.slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.slots[slot]!;
      if (entry === free) return slot;
      if (this.hashes[entry] === hash >>> 0 && this.bytesOf(entry).equals(key)) return slot;
    }
  }

  private append(key: Uint8Array, hash: number, value: number): number {
    if (this.used + key.length > this.arena.length) {
      const larger = Buffer.alloc(Math.max(this.arena.length * 2, this.used + key.length));
      this.arena.copy(larger, 0, 0, this.used);
      this.arena = larger;
    }
    if (this.size === this.starts.length) {
      this.starts = grown(this.starts, new Float64Array(this.size * 2));
      this.values = grown(this.values, new Int32Array(this.size * 2));
      this.hashes = grown(this.hashes, new Uint32Array(this.size * 2));
    }
    const entry = this.size++;
    this.arena.set(key, this.used);
    this.starts[entry] = this.used;
    this.values[entry] = value;
    this.hashes[entry] = hash;
    this.used += key.length;
    return entry;
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 2).fill(free);
    const mask = this.slots.length - 1;
    for (let entry = 0; entry < this.size; entry++) {
      let slot = this.hashes[entry]! & mask;
      while (this.slots[slot] !== free) slot = (slot + 1) & mask;
      this.slots[slot] = entry;
    }
  }
}

function grown<T extends { set(from: T): void }>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
