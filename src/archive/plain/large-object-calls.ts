/**
 * Large objects in scripts: `lo_open`, `lowrite` with a literal, `lo_close`. Mirrors StartRestoreLO, dump_lo_buf and
 * appendByteaLiteralAHX of pg_backup_archiver.c, read backwards.
 *
 * Invariant: holds one literal, of 16 KiB as pg_dump writes them.
 */

import { ByteReader } from "../byte-reader.ts";
import { damagedAt } from "../damage.ts";
import type { ByteSource, LargeObject } from "../model.ts";
import type { ByteRange } from "./draft-entry.ts";
import { ScriptLexer } from "./lexer.ts";

const CALL = /^SELECT (?:pg_catalog\.)?(lo_open|lowrite|lo_close)\(/;
const OLD_OPEN = /^SELECT (?:pg_catalog\.)?lo_open\((?:pg_catalog\.)?lo_create\('?(\d{1,10})'?\),/;
const OPEN = /^SELECT (?:pg_catalog\.)?lo_open\((?:(?:pg_catalog\.)?lo_create\()?'?(\d{1,10})'?\)?, *\d+\);$/;
const LARGEST_OID = 0xffff_ffff;
/** `\x` as a string holds it; its backslash doubled where backslashes escape. */
const HEX = Buffer.from("\\x");

export function isLargeObjectCall(front: string): boolean {
  return CALL.test(front);
}

/** Before PostgreSQL 9.0 the data's own statements made the object: its OID. */
export function oldLargeObject(front: string): string | null {
  return OLD_OPEN.exec(front)?.[1] ?? null;
}

/** The objects that the statements in `range` fill. @throws ArchiveDamaged (`large_object_statement`) */
export async function* largeObjectsIn(
  source: ByteSource,
  range: ByteRange,
  backslashes: boolean,
  signal?: AbortSignal,
): AsyncGenerator<LargeObject, void, undefined> {
  const reader = new ByteReader(source.read(range.start, range.end, signal), range.start, signal);
  try {
    const calls = new Calls(reader, backslashes);
    for (let oid = await calls.opened(); oid !== null; oid = await calls.opened()) {
      const data = calls.written();
      yield { oid, data };
      for await (const bytes of data) void bytes;
      await calls.closed();
    }
  } finally {
    await reader.close();
  }
}

interface Call {
  readonly name: string;
  readonly bytes: Buffer;
  readonly offset: number;
}

class Calls {
  readonly #lexer: ScriptLexer;
  #next: Call | null = null;

  constructor(reader: ByteReader, backslashes: boolean) {
    this.#lexer = new ScriptLexer(reader);
    this.#lexer.configure(null, backslashes);
  }

  /** The OID of the object that is filled next. */
  async opened(): Promise<number | null> {
    const call = await this.#peek();
    if (call === null) return null;
    const oid = call.name === "lo_open" ? Number(OPEN.exec(call.bytes.toString("latin1"))?.[1] ?? 0) : 0;
    if (oid < 1 || oid > LARGEST_OID) throw odd(call.offset);
    this.#next = null;
    return oid;
  }

  async *written(): AsyncGenerator<Buffer, void, undefined> {
    for (let call = await this.#peek(); call?.name === "lowrite"; call = await this.#peek()) {
      this.#next = null;
      yield literal(call);
    }
  }

  async closed(): Promise<void> {
    const left = this.written();
    for await (const bytes of left) void bytes;
    const call = await this.#peek();
    if (call === null || call.name !== "lo_close") throw odd(call?.offset ?? 0);
    this.#next = null;
  }

  /** BEGIN and COMMIT stand between objects, and comments anywhere. */
  async #peek(): Promise<Call | null> {
    while (this.#next === null) {
      const item = await this.#lexer.next();
      if (item === null) return null;
      if (item.kind !== "statement") continue;
      const name = CALL.exec(item.bytes.toString("latin1", 0, 40))?.[1];
      if (name !== undefined) this.#next = { name, bytes: item.bytes, offset: item.start };
    }
    return this.#next;
  }
}

function literal({ bytes, offset }: Call): Buffer {
  const start = bytes.indexOf(HEX);
  const end = bytes.lastIndexOf(0x27);
  const digits = end - start - HEX.length;
  const front = bytes.toString("latin1", 0, Math.max(0, start));
  if (start < 0 || digits < 0 || !/lowrite\(\d+, *'\\?$/.test(front)) throw odd(offset);
  const decoded = Buffer.from(bytes.toString("latin1", start + HEX.length, end), "hex");
  if (decoded.length * 2 !== digits) throw odd(offset);
  return decoded;
}

function odd(offset: number): Error {
  return damagedAt("large_object_statement", "a large object's data is not written as pg_dump writes it", offset);
}
