/** Tars changed at random: reading ends, with an error of ours or with the same content. */

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SanitizeError } from "../../errors.ts";
import { openArchive } from "../open-archive.ts";
import { sealHeader } from "../testing/directories.ts";
import { digests, memorySource, sampleBytes, walkAll } from "../testing/sources.ts";

const NAMES = ["pg15.tar", "pg15-dir.tar"] as const;
const samples = new Map(NAMES.map((name) => [name, sampleBytes(name)]));

/** Offsets of all headers. */
function headers(tar: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    found.push(at);
    at += 512 + Math.ceil(Number.parseInt(tar.toString("latin1", at + 124, at + 135), 8) / 512) * 512;
  }
  return found;
}

const read = async (bytes: Buffer, step = 65_536) =>
  digests(await walkAll(await openArchive(memorySource(bytes, step))));

const wholes = new Map(
  await Promise.all([...samples].map(async ([name, bytes]) => [name, await read(bytes)] as const)),
);

const change = fc.record({
  name: fc.constantFrom(...NAMES),
  header: fc.nat(),
  // Beyond 345 there are only unused bytes.
  at: fc.nat({ max: 400 }),
  byte: fc.nat({ max: 255 }),
  packed: fc.boolean(),
});

function changed(what: typeof change extends fc.Arbitrary<infer T> ? T : never): { bytes: Buffer; header: Buffer } {
  const bytes = Buffer.from(samples.get(what.name)!);
  const found = headers(bytes);
  const at = found[what.header % found.length]!;
  bytes[at + what.at] = what.byte;
  return { bytes, header: bytes.subarray(at, at + 512) };
}

it("a changed byte in a header is noticed, or changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(change, async (what) => {
      const { bytes } = changed(what);
      const got = await read(what.packed ? gzipSync(bytes, { level: 1 }) : bytes).catch((error: unknown) => error);
      if (got instanceof Error) {
        expect(got).toBeInstanceOf(SanitizeError);
      } else {
        expect(got).toEqual(wholes.get(what.name));
      }
    }),
    { numRuns: 60 },
  );
});

it("a changed header with its checksum put right ends, and loses no file without saying so", async () => {
  await fc.assert(
    fc.asyncProperty(change, async (what) => {
      const { bytes, header } = changed(what);
      sealHeader(header);
      const got = await read(what.packed ? gzipSync(bytes, { level: 1 }) : bytes).catch((error: unknown) => error);
      if (got instanceof Error) {
        expect(got).toBeInstanceOf(SanitizeError);
      } else {
        expect(Object.keys(got as object)).toEqual(Object.keys(wholes.get(what.name)!));
      }
    }),
    { numRuns: 60 },
  );
});

it("a run of bytes changed anywhere, or taken out, ends", async () => {
  const at = fc.double({ min: 0, max: 1, noNaN: true });
  const bytes = fc.uint8Array({ maxLength: 600 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...NAMES), at, bytes, fc.boolean(), async (name, where, run, cutOut) => {
      const sample = samples.get(name)!;
      const start = Math.floor(where * sample.length);
      const rest = sample.subarray(Math.min(sample.length, start + (cutOut ? 0 : run.length) + (cutOut ? 512 : 0)));
      const got = await read(Buffer.concat([sample.subarray(0, start), cutOut ? Buffer.alloc(0) : run, rest])).catch(
        (error: unknown) => error,
      );
      if (got instanceof Error) {
        expect(got).toBeInstanceOf(SanitizeError);
      }
    }),
    { numRuns: 60 },
  );
});
