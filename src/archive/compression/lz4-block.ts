/**
 * One LZ4 block: sequences of literals and matches (LZ4 block format). Synchronous, bounds-checked, decoded by a kernel in
 * WebAssembly (lz4-kernel.asc.ts) that all streams of a thread share.
 *
 * Invariant: what the kernel's memory holds is only ever a copy of what stands in the target before the block.
 */

import { kernelBase64 } from "./lz4-kernel.wasm.ts";

/** Farther back no match can reach. */
const HISTORY_BYTES = 64 * 1024;
/** Content that fits behind the history before it is laid out anew: four blocks as pg_dump writes them. */
const LEAST_ROOM_BYTES = 256 * 1024;
/** The kernel copies 16 bytes at once, beyond the end of what it was told to read and write. */
const SLACK_BYTES = 16;
const PAGE_BYTES = 65_536;

/** What the kernel returns in place of an end, negated, from 1. */
const FAULTS: readonly string[] = [
  "block ends inside a length",
  "literals beyond the block",
  "block ends inside an offset",
  "match before the content",
  "match beyond the block",
  "block ends without literals",
];

/** A block that cannot be decoded. The message is a fact without bytes. */
export class Lz4BlockError extends Error {}

interface KernelExports {
  readonly memory: WebAssembly.Memory;
  readonly heapBase: () => number;
  readonly decode: (from: number, to: number, at: number, limit: number, floor: number) => number;
}

let kernel: BlockKernel | undefined;

/**
 * Decodes `block` into `target` at `at`, never past `limit`, and returns the end of what was written. Matches may reach back
 * to `floor`, so that a linked block finds the content before it.
 * @throws Lz4BlockError
 */
export function decodeLz4Block(
  block: Uint8Array,
  target: Uint8Array,
  at: number,
  limit: number,
  floor: number,
): number {
  kernel ??= new BlockKernel();
  return kernel.decode(block, target, at, limit, floor);
}

class BlockKernel {
  readonly #exports: KernelExports;
  readonly #window: number;
  #windowEnd = 0;
  #input = 0;
  #bytes = new Uint8Array(0);
  /** Whose content the window holds: `#held` bytes before `#top` are those before `#end` of the target. */
  #target: WeakRef<Uint8Array> | null = null;
  #end = 0;
  #top = 0;
  #held = 0;

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(kernelBase64, "base64"));
    this.#exports = new WebAssembly.Instance(module, {}).exports as unknown as KernelExports;
    this.#window = (this.#exports.heapBase() + 15) & ~15;
  }

  decode(block: Uint8Array, target: Uint8Array, at: number, limit: number, floor: number): number {
    this.#reserve(block.length, limit - at);
    const history = Math.min(HISTORY_BYTES, at - floor);
    const follows = this.#end === at && this.#held >= history && this.#target?.deref() === target;
    if (!follows || this.#top + limit - at > this.#windowEnd) {
      this.#bytes.set(target.subarray(at - history, at), this.#window);
      this.#target = new WeakRef(target);
      this.#top = this.#window + history;
      this.#held = history;
    }
    this.#bytes.set(block, this.#input);
    const top = this.#top;
    const input = this.#input;
    const result = this.#exports.decode(input, input + block.length, top, top + limit - at, top - history);
    if (result < 0) {
      this.#target = null;
      throw new Lz4BlockError(FAULTS[-result - 1] ?? "block cannot be decoded");
    }
    target.set(this.#bytes.subarray(top, result), at);
    this.#held += result - top;
    this.#top = result;
    this.#end = at + result - top;
    return this.#end;
  }

  /** Makes room for a block and for what it may decode to. */
  #reserve(blockBytes: number, contentBytes: number): void {
    const room = Math.max(LEAST_ROOM_BYTES, contentBytes);
    const inputEnd = this.#input + blockBytes + SLACK_BYTES;
    if (this.#windowEnd - this.#window >= HISTORY_BYTES + room && inputEnd <= this.#bytes.length) {
      return;
    }
    this.#windowEnd = Math.max(this.#windowEnd, this.#window + HISTORY_BYTES + room);
    this.#input = this.#windowEnd + SLACK_BYTES;
    const { memory } = this.#exports;
    const missing = this.#input + Math.max(blockBytes, room) + SLACK_BYTES - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / PAGE_BYTES));
    }
    this.#bytes = new Uint8Array(memory.buffer);
    this.#target = null;
  }
}
