/**
 * A hash table from tags to (MAC, controller, request ordinal): chained, in typed arrays, growing by half.
 *
 * Chains rather than open addressing, because tags repeat (phone tags cover seven digits; one address may stand in many
 * requests), and a run of equal tags must not slow down its neighbours.
 *
 * Per entry: 32 bytes MAC, 4 tag, 4 ordinal, 4 controller, 4 next, and 8 to 16 for the heads.
 */
import { MAC_BYTES } from "./mac.ts";

/** Ends a chain; also an empty head. */
const END = -1;
const MIN_CAPACITY = 16;

export class TombstoneTable {
  private size = 0;
  private tags: Uint32Array;
  private ordinals: Int32Array;
  private controllerOf: Int32Array;
  private next: Int32Array;
  private macs: Buffer;
  /** First entry of each chain; a power of two, at least twice the capacity, so that most misses end here. */
  private heads: Int32Array;
  private readonly controllers: string[] = [];
  private readonly controllerNumbers = new Map<string, number>();

  /** @param capacity entries to make room for ahead of time. */
  constructor(capacity: number) {
    const room = Math.max(MIN_CAPACITY, capacity);
    this.tags = new Uint32Array(room);
    this.ordinals = new Int32Array(room);
    this.controllerOf = new Int32Array(room);
    this.next = new Int32Array(room);
    this.macs = Buffer.allocUnsafeSlow(room * MAC_BYTES);
    this.heads = emptyHeads(room);
  }

  /** Adds an entry as the ledger writes it: 8 and 64 hex digits. */
  addHex(tag: string, mac: string, controller: string, ordinal: number): void {
    const entry = this.append(Number.parseInt(tag, 16), controller, ordinal);
    this.macs.write(mac, entry * MAC_BYTES, "hex");
  }

  /** Adds an entry unless the same request has the same MAC already; true when it was added. */
  add(tag: number, mac: Buffer, controller: string, ordinal: number): boolean {
    for (let entry = this.heads[tag & (this.heads.length - 1)]!; entry !== END; entry = this.next[entry]!) {
      if (this.tags[entry] === tag && this.ordinals[entry] === ordinal && this.hasMac(entry, mac)) {
        return false;
      }
    }
    // In this order: making room replaces the buffer.
    const entry = this.append(tag, controller, ordinal);
    mac.copy(this.macs, entry * MAC_BYTES);
    return true;
  }

  /** A copy of all tags, in the order in which they came. */
  copyTags(): Uint32Array {
    return this.tags.slice(0, this.size);
  }

  /**
   * Ordinals of the entries with this tag whose MAC is what `macFor` gives for their controller; `macFor` is asked once a
   * controller, and only when the tag is there.
   */
  find(tag: number, macFor: (controller: string) => Buffer): number[] {
    const found: number[] = [];
    let computed: Map<number, Buffer> | undefined;
    for (let entry = this.heads[tag & (this.heads.length - 1)]!; entry !== END; entry = this.next[entry]!) {
      if (this.tags[entry] !== tag) {
        continue;
      }
      computed ??= new Map();
      const controller = this.controllerOf[entry]!;
      let mac = computed.get(controller);
      if (mac === undefined) {
        mac = macFor(this.controllers[controller]!);
        computed.set(controller, mac);
      }
      if (this.hasMac(entry, mac)) {
        found.push(this.ordinals[entry]!);
      }
    }
    return found;
  }

  private hasMac(entry: number, mac: Buffer): boolean {
    const at = entry * MAC_BYTES;
    return this.macs.compare(mac, 0, MAC_BYTES, at, at + MAC_BYTES) === 0;
  }

  /** A new entry at the front of its chain, its MAC still to be written. */
  private append(tag: number, controller: string, ordinal: number): number {
    if (this.size === this.tags.length) {
      this.grow();
    }
    const entry = this.size++;
    const head = tag & (this.heads.length - 1);
    this.tags[entry] = tag;
    this.ordinals[entry] = ordinal;
    this.controllerOf[entry] = this.controllerNumber(controller);
    this.next[entry] = this.heads[head]!;
    this.heads[head] = entry;
    return entry;
  }

  private controllerNumber(controller: string): number {
    let number = this.controllerNumbers.get(controller);
    if (number === undefined) {
      number = this.controllers.push(controller) - 1;
      this.controllerNumbers.set(controller, number);
    }
    return number;
  }

  private grow(): void {
    const room = Math.ceil(this.tags.length * 1.5);
    const grown = <T extends Uint32Array | Int32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.tags = grown(this.tags, new Uint32Array(room));
    this.ordinals = grown(this.ordinals, new Int32Array(room));
    this.controllerOf = grown(this.controllerOf, new Int32Array(room));
    this.next = grown(this.next, new Int32Array(room));
    const macs = Buffer.allocUnsafeSlow(room * MAC_BYTES);
    this.macs.copy(macs);
    this.macs = macs;
    if (this.heads.length < room * 2) {
      this.rehash(room);
    }
  }

  private rehash(room: number): void {
    this.heads = emptyHeads(room);
    for (let entry = 0; entry < this.size; entry++) {
      const head = this.tags[entry]! & (this.heads.length - 1);
      this.next[entry] = this.heads[head]!;
      this.heads[head] = entry;
    }
  }
}

function emptyHeads(capacity: number): Int32Array {
  return new Int32Array(2 ** Math.ceil(Math.log2(capacity * 2))).fill(END);
}
