/** Random changes to a file, as transport, disks and attackers make them; all from one seed, so that a finding can be had again. */
import { gzipSync } from "node:zlib";

/** xorshift32: small, fast, and the same everywhere. */
export class Random {
  #state: number;

  /** `seed`: any number but 0. */
  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** 0 to `below` - 1. */
  below(below: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % below;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

const numbers = [
  0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
];
const words = [
  "PGDMP",
  "\\.\n",
  "\n\\.\n",
  "\\N",
  "\t",
  "\n",
  "\r\n",
  "'",
  "''",
  '"',
  '""',
  "$$",
  "$a$",
  "--",
  "/*",
  "*/",
  ";",
  "E'\\",
  "COPY ",
  " FROM stdin;\n",
  "INSERT INTO ",
  " VALUES (",
  "DEFAULT",
  "BEGIN ATOMIC",
  "END",
  "CASE",
  "\\connect ",
  "\\restrict ",
  "SET client_encoding = 'SJIS';\n",
  "SET standard_conforming_strings = off;\n",
  "-- PostgreSQL database dump\n",
  "toc.dat",
  "../",
  "/etc/passwd",
  "blobs.toc",
  "blob_1.dat",
  "\u0000",
  "\ufeff",
  "1.dat.gz",
  "LARGE OBJECT ",
  "SELECT pg_catalog.lo_open('1', 131072);\n",
].map((word) => Buffer.from(word));

type Change = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const changes: readonly Change[] = [
  (bytes, random) => {
    const at = random.below(bytes.length);
    return withByte(bytes, at, bytes[at]! ^ (1 << random.below(8)));
  },
  (bytes, random) => withByte(bytes, random.below(bytes.length), random.below(256)),
  (bytes, random) =>
    changed(bytes, (copy) => void copy.writeUInt32LE(random.of(numbers), random.below(Math.max(1, copy.length - 4)))),
  (bytes, random) =>
    changed(bytes, (copy) => void copy.writeUInt32BE(random.of(numbers), random.below(Math.max(1, copy.length - 4)))),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => bytes.subarray(random.below(Math.min(64, bytes.length))),
  (bytes, random) => without(bytes, random.below(bytes.length), 1 + random.below(64)),
  (bytes, random) => without(bytes, random.below(bytes.length), 512),
  (bytes, random) => inserted(bytes, random.below(bytes.length), random.of(words)),
  (bytes, random) => {
    const from = random.below(bytes.length);
    return inserted(bytes, random.below(bytes.length), bytes.subarray(from, from + 1 + random.below(600)));
  },
  (bytes, random) =>
    inserted(bytes, random.below(bytes.length), Buffer.alloc(1 + random.below(700), random.below(256))),
  (bytes, random, other) =>
    Buffer.concat([bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))]),
  (bytes, _random, other) => Buffer.concat([bytes, other]),
  (bytes, random) => withTarChecksums(withByte(bytes, random.below(bytes.length), random.below(256))),
  (bytes) => gzipSync(bytes, { level: 1 }),
  (bytes) => Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1"),
  (bytes) => Buffer.from(bytes.toString("utf8")),
];

/** One to four changes, one after the other. `other` is another file to take pieces from. */
export function mutate(bytes: Buffer, random: Random, other: Buffer): Buffer {
  let mutated = bytes;
  for (let left = 1 + random.below(4); left > 0; left--) {
    if (mutated.length >= 8) mutated = random.of(changes)(mutated, random, other);
  }
  return mutated;
}

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  return changed(bytes, (copy) => copy.fill(value, at, at + 1));
}

function without(bytes: Buffer, start: number, count: number): Buffer {
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + count)]);
}

function inserted(bytes: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

/** Gives every block that looks like a tar header the sum it would have: changes get past the first check. */
function withTarChecksums(bytes: Buffer): Buffer {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (bytes.toString("latin1", at + 257, at + 262) !== "ustar") continue;
    bytes.write("        ", at + 148, "latin1");
    const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
  }
  return bytes;
}
