/**
 * The scan kernel's JavaScript side: owns the WebAssembly memory, the tag tables in it, and the shape of a scan's result.
 * One kernel serves all tables of a thread; a scan is synchronous, so its input and output areas are shared.
 */
import { kernelBase64 } from "./row-kernel.wasm.ts";

/** How a field is brought into canonical form before its tag is taken; numbers are the kernel's FORM constants. */
export const fieldForm = { exact: 0, text: 1, account_id: 2, email: 3, phone: 4, present: 5 } as const;
export type FieldForm = keyof typeof fieldForm;

/** Bytes of one scan's input at most; a run of rows longer than this is scanned in several calls. */
export const maxScanBytes = 2 * 1024 * 1024;
/** Rows of one scan at most. */
const maxScanRows = 65_536;
const probeWords = 8;
/** Probes of one table at most: each has a bit of a 32-bit mask. */
export const maxProbes = 31;

interface KernelExports {
  readonly memory: WebAssembly.Memory;
  readonly heapBase: () => number;
  readonly resultsAddress: () => number;
  readonly tag: (at: number, length: number, key: number) => number;
  readonly scan: (
    at: number,
    length: number,
    columns: number,
    probes: number,
    probeCount: number,
    ends: number,
    candidates: number,
    rowBits: number,
    limit: number,
  ) => void;
}

/** A set of 32-bit tags in kernel memory. May grow between scans. */
export interface TagTable {
  readonly size: number;
  add(tag: number): void;
}

/** One question asked of every row: may the value in `column` have one of `table`'s tags? */
export interface Probe {
  /** Index of the field, from 0. */
  readonly column: number;
  readonly form: FieldForm;
  /** 16 bytes; ignored by `present`. */
  readonly tagKey: Uint8Array;
  /** `null` for `present`. */
  readonly table: TagTable | null;
}

/** Rows that the kernel could not rule out: four numbers each. */
export const candidateWords = 4;

export interface ScanResult {
  readonly rows: number;
  /** Bytes up to the end of the last whole row scanned (or of the `\.` line). */
  readonly consumed: number;
  /** Offset behind each row's newline. A copy: stays valid. */
  readonly ends: Uint32Array;
  /** (row, start, end, bits) for each candidate; bit n belongs to the n-th probe given. A copy. */
  readonly candidates: Uint32Array;
  readonly fault: "short" | "long" | null;
  /** The `\.` line was met; `consumed` is behind it. */
  readonly ended: boolean;
}

let compiled: WebAssembly.Module | undefined;

class TagTableInMemory implements TagTable {
  size = 0;
  hasZero = 0;
  address = 0;
  private slots = 0;
  private readonly kernel: RowKernel;

  constructor(kernel: RowKernel, expected: number) {
    this.kernel = kernel;
    this.resize(expected);
  }

  get mask(): number {
    return this.slots - 1;
  }

  add(tag: number): void {
    if (tag === 0) {
      this.hasZero = 1;
      return;
    }
    // at most half full, so that a miss costs little more than one probe
    if ((this.size + 1) * 2 > this.slots) this.grow();
    if (insert(this.kernel.words(this.address, this.slots), this.mask, tag)) this.size++;
  }

  private grow(): void {
    const old = this.kernel.words(this.address, this.slots).slice();
    this.resize(old.length);
    const words = this.kernel.words(this.address, this.slots);
    for (const tag of old) if (tag !== 0) insert(words, this.mask, tag);
  }

  private resize(expected: number): void {
    let slots = 64;
    while (slots < expected * 2) slots *= 2;
    // an outgrown table's memory is not used again: doubling wastes at most as much as it holds
    this.address = this.kernel.allocate(slots * 4);
    this.slots = slots;
  }
}

/** Puts a tag into an open-addressing table; false when it was there. Mirrors `look` of the kernel. */
function insert(words: Uint32Array, mask: number, tag: number): boolean {
  for (let slot = (tag & mask) >>> 0; ; slot = (slot + 1) & mask) {
    const found = words[slot]!;
    if (found === tag) return false;
    if (found === 0) {
      words[slot] = tag;
      return true;
    }
  }
}

export class RowKernel {
  private readonly exports: KernelExports;
  private top: number;
  private readonly input: number;
  private readonly ends: number;
  private readonly candidates: number;
  private readonly rowBits: number;
  private readonly probes: number;
  private readonly keys: number;

  constructor() {
    compiled ??= new WebAssembly.Module(Buffer.from(kernelBase64, "base64"));
    const instance = new WebAssembly.Instance(compiled, {
      env: {
        abort: () => {
          throw new Error("the row scan kernel aborted");
        },
      },
    });
    this.exports = instance.exports as unknown as KernelExports;
    this.top = (this.exports.heapBase() + 15) & ~15;
    this.input = this.allocate(maxScanBytes + 16);
    this.ends = this.allocate(maxScanRows * 4);
    this.candidates = this.allocate(maxScanRows * 16);
    // one row more than the limit: the row at which a scan stops
    this.rowBits = this.allocate((maxScanRows + 1) * 4);
    this.probes = this.allocate((maxProbes + 1) * probeWords * 4);
    this.keys = this.allocate((maxProbes + 1) * 16);
  }

  /** Reserves kernel memory for good; returns its address. */
  allocate(bytes: number): number {
    const address = this.top;
    this.top = (address + bytes + 15) & ~15;
    const missing = this.top - this.exports.memory.buffer.byteLength;
    if (missing > 0) this.exports.memory.grow(Math.ceil(missing / 65_536));
    return address;
  }

  /** A view of kernel memory; valid until the next allocation. */
  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.exports.memory.buffer, address, length);
  }

  /** An empty table with room for `expected` tags before it first grows. */
  tagTable(tags: Uint32Array = new Uint32Array(0), expected = tags.length): TagTable {
    const table = new TagTableInMemory(this, expected);
    for (const tag of tags) table.add(tag);
    return table;
  }

  /** SipHash-2-4 of bytes (at most 2 MiB), low 32 bits: what the scan computes for a field. */
  tag(bytes: Uint8Array, key: Uint8Array): number {
    const memory = new Uint8Array(this.exports.memory.buffer);
    memory.set(key, this.keys);
    memory.set(bytes, this.input);
    return this.exports.tag(this.input, bytes.length, this.keys) >>> 0;
  }

  /** Scans whole rows of `columns` fields each. `bytes` is at most {@link maxScanBytes} long and ends with a newline. */
  scan(bytes: Uint8Array, columns: number, probes: readonly Probe[]): ScanResult {
    this.writeProbes(probes);
    new Uint8Array(this.exports.memory.buffer).set(bytes, this.input);
    this.exports.scan(
      this.input,
      bytes.length,
      columns,
      this.probes,
      probes.length,
      this.ends,
      this.candidates,
      this.rowBits,
      maxScanRows,
    );
    const [rows = 0, consumed = 0, candidates = 0, fault = 0, ended = 0] = this.words(this.exports.resultsAddress(), 5);
    return {
      rows,
      consumed,
      ends: this.words(this.ends, rows).slice(),
      candidates: this.words(this.candidates, candidates * candidateWords).slice(),
      fault: fault === 0 ? null : fault === 1 ? "short" : "long",
      ended: ended === 1,
    };
  }

  private writeProbes(probes: readonly Probe[]): void {
    if (probes.length > maxProbes) throw new RangeError(`a table has more than ${maxProbes} probes`);
    const words = this.words(this.probes, probes.length * probeWords);
    const memory = new Uint8Array(this.exports.memory.buffer);
    const order = probes.map((_, index) => index).sort((a, b) => probes[a]!.column - probes[b]!.column);
    for (const [slot, index] of order.entries()) {
      const probe = probes[index]!;
      const table = probe.table as TagTableInMemory | null;
      const key = this.keys + slot * 16;
      memory.set(probe.tagKey, key);
      words.set(
        [
          probe.column,
          fieldForm[probe.form],
          key,
          table?.address ?? 0,
          table?.mask ?? 0,
          1 << index,
          table?.hasZero ?? 0,
        ],
        slot * probeWords,
      );
    }
  }
}
