import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileKernel } from "../../../scripts/build-kernel.ts";
import { decodeLz4Block } from "./lz4-block.ts";
import { kernelBase64 } from "./lz4-kernel.wasm.ts";

/** Some bytes as they are, then some that repeat what lies `distance` back (reduced to what there is). */
interface Sequence {
  readonly literals: Uint8Array;
  readonly distance: number;
  readonly length: number;
}

const sequence: fc.Arbitrary<Sequence> = fc.record({
  literals: fc.uint8Array({ maxLength: 300 }),
  distance: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 65_535 })),
  length: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 3000 })),
});

function lengthBytes(rest: number): number[] {
  const bytes: number[] = [];
  for (let left = rest; left >= 0; left -= 255) {
    bytes.push(Math.min(left, 255));
    if (left < 255) break;
  }
  return bytes;
}

/** A block of these sequences, and its content by the plainest means, behind `before`. */
function blockOf(before: Buffer, sequences: readonly Sequence[], last: Uint8Array): { block: Buffer; content: Buffer } {
  const block: number[] = [];
  const content: number[] = [...before];
  for (const { literals, distance, length } of sequences) {
    content.push(...literals);
    const back = Math.min(distance, content.length);
    const match = back === 0 ? 0 : length - 4;
    block.push((Math.min(literals.length, 15) << 4) | Math.min(match, 15));
    if (literals.length >= 15) block.push(...lengthBytes(literals.length - 15));
    block.push(...literals);
    if (back === 0) {
      // nothing to repeat yet: one byte of its own first
      return blockOf(before, [{ literals: new Uint8Array([65]), distance, length }, ...sequences], last);
    }
    block.push(back & 0xff, back >> 8);
    if (match >= 15) block.push(...lengthBytes(match - 15));
    for (let n = 0; n < length; n++) content.push(content[content.length - back]!);
  }
  block.push(Math.min(last.length, 15) << 4);
  if (last.length >= 15) block.push(...lengthBytes(last.length - 15));
  block.push(...last);
  content.push(...last);
  return { block: Buffer.from(block), content: Buffer.from(content.slice(before.length)) };
}

describe("the LZ4 kernel", () => {
  it("is what the committed source compiles to", async () => {
    expect(Buffer.from(await compileKernel("archive/compression/lz4-kernel")).toString("base64")).toBe(kernelBase64);
  });

  it("decodes any sequences, for several streams in turn", () => {
    const streams = fc.array(
      fc.array(fc.tuple(fc.array(sequence, { maxLength: 12 }), fc.uint8Array({ minLength: 1, maxLength: 40 })), {
        minLength: 1,
        maxLength: 4,
      }),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(streams, fc.boolean(), (plans, linked) => {
        const states = plans.map((plan) => ({ plan, target: Buffer.alloc(2_000_000), end: 0 }));
        for (let turn = 0; states.some(({ plan }) => plan.length > turn); turn++) {
          for (const state of states) {
            const next = state.plan[turn];
            if (next === undefined) continue;
            const floor = linked ? 0 : state.end;
            const before = state.target.subarray(Math.max(floor, state.end - 65_535), state.end);
            const { block, content } = blockOf(before, ...next);
            const behind = state.end + content.length;
            expect(decodeLz4Block(block, state.target, state.end, behind, floor)).toBe(behind);
            expect(state.target.subarray(state.end, behind).equals(content)).toBe(true);
            // nothing is written behind the limit
            expect(state.target[behind]).toBe(0);
            state.end = behind;
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("never reads or writes where it may not, whatever the block holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 0, max: 500 }), (block, room) => {
        const target = Buffer.alloc(1000, 1);
        try {
          expect(decodeLz4Block(block, target, 100, 100 + room, 50)).toBeLessThanOrEqual(100 + room);
        } catch (error) {
          expect(error).toHaveProperty("message", expect.stringMatching(/^(block|literals|match) [a-z ]+$/));
        }
        expect(target.subarray(0, 100).every((byte) => byte === 1)).toBe(true);
        expect(target.subarray(100 + room).every((byte) => byte === 1)).toBe(true);
      }),
    );
  });

  it.each([
    ["block ends inside a length", [0xf0, 255]],
    ["block ends inside a length", [0x1f, 65, 1, 0, 255]],
    ["literals beyond the block", [0x50, 1, 2]],
    ["literals beyond the block", [0xf0, 255, 255, 255, 0, 1]],
    ["block ends inside an offset", [0x10, 65, 1]],
    ["match before the content", [0x10, 65, 9, 0]],
    ["match before the content", [0x10, 65, 0, 0]],
    ["match beyond the block", [0x1f, 65, 1, 0, 255, 255, 0]],
    ["block ends without literals", [0x10, 65, 1, 0]],
    ["block ends without literals", []],
  ])("refuses what is damaged: %s", (message, bytes) => {
    expect(() => decodeLz4Block(Buffer.from(bytes), Buffer.alloc(300), 0, 300, 0)).toThrow(message);
  });

  it("forgets what a failed block may have written over", () => {
    const target = Buffer.alloc(1000);
    const first = blockOf(Buffer.alloc(0), [], Buffer.from("abcdefgh"));
    const end = decodeLz4Block(first.block, target, 0, 500, 0);
    expect(() => decodeLz4Block(Buffer.from([0x40, 1, 2, 3, 4, 0]), target, end, 500, 0)).toThrow();
    const { block, content } = blockOf(
      first.content,
      [{ literals: new Uint8Array(0), distance: 8, length: 8 }],
      Buffer.from("z"),
    );
    const behind = decodeLz4Block(block, target, end, 500, 0);
    expect(target.subarray(end, behind).equals(content)).toBe(true);
  });

  it("takes blocks of 4 MiB after small ones", () => {
    const large = Buffer.alloc(4 * 1024 * 1024, "0123456789");
    const target = Buffer.alloc(large.length + 10);
    const { block } = blockOf(Buffer.alloc(0), [], large.subarray(0, 10));
    const end = decodeLz4Block(block, target, 0, 10, 0);
    const length = large.length - 11 - 19;
    const rest = Buffer.from([0x0f, 10, 0, ...Array(Math.floor(length / 255)).fill(255), length % 255, 0x10, 33]);
    const behind = decodeLz4Block(rest, target, end, end + 4 * 1024 * 1024, 0);
    expect(behind).toBe(large.length);
    expect(target.subarray(0, behind - 1).equals(large.subarray(0, -1))).toBe(true);
    expect(target[behind - 1]).toBe(33);
  });
});
