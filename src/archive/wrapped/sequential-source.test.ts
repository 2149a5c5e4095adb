import { describe, expect, it } from "vitest";
import { Interrupted } from "../../errors.ts";
import type { ByteSource } from "../model.ts";
import { joined, memorySource } from "../testing/sources.ts";
import { RECENT_BYTES } from "./recent-bytes.ts";
import { releaseSource, SequentialSource } from "./sequential-source.ts";

const content = Buffer.from(Array.from({ length: 5_000_011 }, (_, index) => (index * 7919) >>> 3));
const END = content.length;

interface Watched {
  readonly source: SequentialSource;
  /** Decoders that were begun and not ended. */
  readonly live: () => number;
}

/** A source whose decoder passes on what it gets. */
function watched(below: ByteSource = memorySource(content, 100_003)): Watched {
  let live = 0;
  const source = new SequentialSource(below, async function* (stored) {
    live++;
    try {
      yield* stored;
    } finally {
      live--;
    }
  });
  return { source, live: () => live };
}

const range = (source: ByteSource, start: number, end?: number) => joined(source.read(start, end));

/** Takes one piece and stops. */
async function peek(source: ByteSource, start: number): Promise<Buffer> {
  for await (const bytes of source.read(start)) {
    return bytes;
  }
  return Buffer.alloc(0);
}

describe("reading forwards", () => {
  it("goes on with one decoder, over gaps, and to the end", async () => {
    const { source, live } = watched();
    let at = 0;
    for (const length of [10, 1, 65_536, 1_000_000, 3, 300_000]) {
      expect((await range(source, at, at + length)).equals(content.subarray(at, at + length))).toBe(true);
      at += length + 1000;
    }
    expect((await range(source, at)).equals(content.subarray(at))).toBe(true);
    expect(source.passes).toBe(1);
    expect(live()).toBe(0);
  });

  it("goes back a little without beginning again, also behind the end", async () => {
    const { source } = watched();
    await range(source, 0, 2_000_000);
    for (const back of [1, 100_000, RECENT_BYTES, 50]) {
      const start = 2_000_000 - back;
      expect((await range(source, start, 2_000_000)).equals(content.subarray(start, 2_000_000)), `${back}`).toBe(true);
    }
    expect((await range(source, 2_000_000 - 9)).equals(content.subarray(2_000_000 - 9))).toBe(true);
    expect((await range(source, END - 5000)).equals(content.subarray(END - 5000))).toBe(true);
    expect(source.passes).toBe(1);
  });

  it("begins again further back", async () => {
    const { source, live } = watched();
    await range(source, 0, 2_000_000);
    expect((await range(source, 2_000_000 - RECENT_BYTES - 1, 1_000_000)).length).toBeGreaterThan(0);
    expect(source.passes).toBe(2);
    expect(live()).toBe(1);
  });

  it("gives nothing behind the end", async () => {
    const { source } = watched();
    expect((await range(source, END, END + 10)).length).toBe(0);
    expect((await range(source, END + 10)).length).toBe(0);
    expect((await range(source, 10, 10)).length).toBe(0);
  });

  it("gives out bytes that their taker may change", async () => {
    const { source } = watched();
    for await (const bytes of source.read(0, 500_000)) {
      bytes.fill(0);
    }
    expect((await range(source, 400_000, 600_000)).equals(content.subarray(400_000, 600_000))).toBe(true);
    expect(source.passes).toBe(1);
  });
});

describe("a decoder", () => {
  it("is given back when a read is ended early", async () => {
    const { source, live } = watched();
    const first = await peek(source, 0);
    expect((await range(source, first.length)).equals(content.subarray(first.length))).toBe(true);
    expect(source.passes).toBe(1);
    expect(live()).toBe(0);
  });

  it("is given to one read at a time", async () => {
    const { source, live } = watched();
    const one = source.read(0);
    const other = source.read(0);
    const heads = [await one.next(), await other.next()].map((next) => next.value as Buffer);
    expect(heads.every((head) => head.equals(content.subarray(0, head.length)))).toBe(true);
    expect(source.passes).toBe(2);
    const [rest, otherRest] = await Promise.all([joined(one), joined(other)]);
    expect(rest.equals(content.subarray(heads[0]!.length))).toBe(true);
    expect(otherRest.equals(rest)).toBe(true);
    expect(live()).toBe(0);
  });

  it("is kept once when two were given back, and none after release", async () => {
    const { source, live } = watched();
    const one = source.read(0);
    const other = source.read(0);
    await one.next();
    await other.next();
    await one.return();
    await other.return();
    expect(live()).toBe(1);
    await source.release();
    expect(live()).toBe(0);
    expect((await peek(source, 0)).length).toBeGreaterThan(0);
    expect(source.passes).toBe(3);
    await releaseSource(source);
    expect(live()).toBe(0);
  });

  it("is not poisoned by the signal of the read that began it", async () => {
    const seen: Array<AbortSignal | undefined> = [];
    const below = memorySource(content, 100_003);
    const { source } = watched({
      size: END,
      read: (start, end, signal) => {
        seen.push(signal);
        return below.read(start, end);
      },
    });
    const control = new AbortController();
    for await (const _bytes of source.read(0, END, control.signal)) {
      break;
    }
    control.abort();
    expect(seen[0]?.aborted).toBe(false);
    expect((await range(source, 100, 300_000)).equals(content.subarray(100, 300_000))).toBe(true);
    expect(source.passes).toBe(1);
    await source.release();
    expect(seen[0]?.aborted).toBe(true);
  });

  it("ends with the signal of the read that uses it, also while it waits for bytes", async () => {
    const { source, live } = watched({
      size: END,
      async *read(_start, _end, signal) {
        yield content.subarray(0, 1000);
        await new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(new Interrupted()), { once: true });
        });
      },
    });
    const control = new AbortController();
    const reading = joined(source.read(0, END, control.signal));
    setImmediate(() => control.abort());
    await expect(reading).rejects.toBeInstanceOf(Interrupted);
    expect(live()).toBe(0);
    expect((await peek(source, 0)).length).toBe(1000);
    expect(source.passes).toBe(2);
  });

  it("that failed is not used again", async () => {
    let readings = 0;
    const { source, live } = watched({
      size: END,
      async *read() {
        yield content.subarray(0, 1000);
        if (readings++ === 0) {
          throw new RangeError("from below");
        }
        yield content.subarray(1000);
      },
    });
    await expect(range(source, 0)).rejects.toThrow("from below");
    expect(live()).toBe(0);
    expect((await range(source, 10)).equals(content.subarray(10))).toBe(true);
  });
});

describe("layers", () => {
  it("read forwards begin each layer once; release ends them all", async () => {
    const inner = watched();
    const outer = watched(inner.source);
    expect((await range(outer.source, 0, 50_000)).equals(content.subarray(0, 50_000))).toBe(true);
    expect((await range(outer.source, 40_000, 900_000)).equals(content.subarray(40_000, 900_000))).toBe(true);
    expect([outer.source.passes, inner.source.passes]).toEqual([1, 1]);
    await outer.source.release();
    expect([outer.live(), inner.live()]).toEqual([0, 0]);
    expect((await range(outer.source, 0)).equals(content)).toBe(true);
    expect([outer.source.passes, inner.source.passes]).toEqual([2, 2]);
  });
});
