/**
 * Finds the members of a tar, one after the other, and looks at what stands behind the last one.
 *
 * Invariants: nothing is allocated by a declared length; a member that would lead out of its folder, and whatever is no
 * plain file or directory, is refused; between two calls nothing is kept open; a call that fails changes nothing.
 */

import type { ArchiveDamaged } from "../../errors.ts";
import { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt, unsupported } from "../damage.ts";
import type { ByteSource } from "../model.ts";
import { type PaxRecords, parsePaxRecords, parseTarHeader, TAR_BLOCK_BYTES, type TarHeader } from "./tar-header.ts";

/** A plain file in a tar. */
export interface TarMember {
  /** Parts with `/` between them; no `.`, no `..`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Absolute offset of the content's first byte. */
  readonly start: number;
  readonly byPgDump: boolean;
}

/** First request of a seekable source; the ones after it double, for small members come in rows. */
const READ_BYTES = 64 * 1024;
const LARGEST_READ_BYTES = 1024 * 1024;
/** Content up to this size is read over: on S3 that costs less than another request. */
const HOP_BYTES = 1024 * 1024;
/** Records and long names are a few hundred bytes. */
const LARGEST_RECORDS_BYTES = 1024 * 1024;

export class TarScan {
  /** What the operator should know of the file; `null` when it is as any tar. */
  remark: string | null = null;
  readonly #source: ByteSource;
  /** Where the next header stands. */
  #next = 0;
  #members = 0;
  #ended = false;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The end was reached and looked at. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next plain file; `null` behind the last one. @throws ArchiveDamaged (`bad_member`, `truncated`, `appended`) */
  async next(signal?: AbortSignal): Promise<TarMember | null> {
    const cursor = this.#cursor(signal);
    try {
      return await this.#nextWith(cursor);
    } finally {
      await cursor.close();
    }
  }

  /** All that are left, in one reading. `met` may read the content it is handed, during its call only. */
  async rest(met: (member: TarMember, content: ByteReader) => Promise<void>, signal?: AbortSignal): Promise<void> {
    const cursor = this.#cursor(signal);
    try {
      for (;;) {
        const member = await this.#nextWith(cursor);
        if (member === null) {
          return;
        }
        await met(member, cursor.reader);
      }
    } finally {
      await cursor.close();
    }
  }

  #cursor(signal: AbortSignal | undefined): TarCursor {
    return new TarCursor(this.#source, this.#next, signal);
  }

  async #nextWith(cursor: TarCursor): Promise<TarMember | null> {
    if (this.#ended) {
      return null;
    }
    let records: PaxRecords = { path: null, size: null, sparse: false };
    let longName: string | null = null;
    for (let at = this.#next; ; ) {
      const block = await cursor.header(at, at !== this.#next);
      if (block === null || isZero(block)) {
        this.remark = await this.#checkEnd(cursor, at);
        this.#ended = true;
        return null;
      }
      const header = parseTarHeader(block, at);
      const start = at + TAR_BLOCK_BYTES;
      const size = records.size ?? header.size;
      const end = start + Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
      if (end > (this.#source.size ?? Number.POSITIVE_INFINITY)) {
        throw truncatedAt("a tar member's data", this.#source.size ?? start);
      }
      switch (header.kind) {
        case "records":
          records = parsePaxRecords(await cursor.small(start, header), at);
          break;
        case "common-records":
          refuseCommon(parsePaxRecords(await cursor.small(start, header), at), at);
          break;
        case "long-name":
          longName = (await cursor.small(start, header)).toString("utf8").replace(/\0.*$/s, "");
          break;
        case "long-link":
          break;
        default: {
          const name = safeName(records.path ?? longName ?? header.name, at);
          refuseUnusual(header, records, name, at);
          this.#next = end;
          this.#members++;
          if (header.kind === "file") {
            return { name, size, start, byPgDump: header.byPgDump };
          }
          records = { path: null, size: null, sparse: false };
          longName = null;
        }
      }
      at = end;
    }
  }

  /** `at` is behind the last member. @returns what the operator should know. */
  async #checkEnd(cursor: TarCursor, at: number): Promise<string | null> {
    if (at !== this.#next) {
      throw truncatedAt("a tar member's header", at);
    }
    if (this.#members === 0) {
      throw unsupported("unsupported_format", "a tar without any files in it", "look at how the backup was made");
    }
    const { reader } = cursor;
    let zeros = 0;
    for (; await reader.fill(1); reader.consume(reader.window.length)) {
      if (!isZero(reader.window)) {
        throw damagedAt("appended", "something else than zeros follows the tar's last member", at);
      }
      zeros += reader.window.length;
    }
    return zeros < 2 * TAR_BLOCK_BYTES ? "the tar's end mark is missing, behind a whole last file" : null;
  }
}

/** Reads headers where they stand; over small gaps within one stream, over large ones by a new request. */
class TarCursor {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  #reader: ByteReader;

  constructor(source: ByteSource, start: number, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
    this.#reader = this.#readerAt(start);
  }

  get reader(): ByteReader {
    return this.#reader;
  }

  /** The 512 bytes at `at`; `null` where the file ends, unless `expected`. They are left unread when all are zeros. */
  async header(at: number, expected: boolean): Promise<Buffer | null> {
    await this.#moveTo(at);
    const whole = await this.#reader.fill(TAR_BLOCK_BYTES);
    const block = this.#reader.window.subarray(0, TAR_BLOCK_BYTES);
    if (!whole && (expected || !isZero(block))) {
      throw truncatedAt("a tar member's header", at + block.length);
    }
    if (!whole) {
      return null;
    }
    if (!isZero(block)) {
      this.#reader.consume(TAR_BLOCK_BYTES);
    }
    return block;
  }

  /** The content of a member that describes the one behind it. */
  async small(start: number, { size }: TarHeader): Promise<Buffer> {
    if (size > LARGEST_RECORDS_BYTES) {
      throw damagedAt("bad_member", "impossible size of a tar member's records", start);
    }
    if (!(await this.#reader.fill(size))) {
      throw truncatedAt("a tar member's records", start + this.#reader.window.length);
    }
    return Buffer.from(this.#reader.window.subarray(0, size));
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  async #moveTo(at: number): Promise<void> {
    const gap = at - this.#reader.offset;
    if (this.#source.sequential !== true && gap > HOP_BYTES + this.#reader.window.length) {
      await this.#reader.close();
      this.#reader = this.#readerAt(at);
    } else if (!(await this.#reader.skip(gap))) {
      throw truncatedAt("a tar member's data", this.#reader.offset);
    }
  }

  #readerAt(start: number): ByteReader {
    return new ByteReader(growingReads(this.#source, start, this.#signal), start, this.#signal);
  }
}

async function* growingReads(
  source: ByteSource,
  start: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const { size } = source;
  if (size === null || source.sequential === true) {
    yield* source.read(start, size ?? undefined, signal);
    return;
  }
  let count = READ_BYTES;
  for (let at = start; at < size; at += count, count = Math.min(2 * count, LARGEST_READ_BYTES)) {
    yield* source.read(at, Math.min(at + count, size), signal);
  }
}

/** @throws ArchiveDamaged for a name that leads out of the folder into which the tar is unpacked. */
function safeName(name: string, offset: number): string {
  const parts = name.split("/");
  if (name.startsWith("/") || parts.includes("..")) {
    throw damagedAt("bad_member", "a tar member whose name leads out of the archive", offset);
  }
  return parts.filter((part) => part !== "" && part !== ".").join("/");
}

function refuseUnusual(header: TarHeader, records: PaxRecords, name: string, offset: number): void {
  if (records.sparse) {
    throw refused("a sparse file", offset);
  }
  if (header.kind === "other") {
    throw refused("a link, a device or something else that is no file", offset);
  }
  if (header.kind === "file" && name === "") {
    throw damagedAt("bad_member", "a tar member without a name", offset);
  }
}

function refuseCommon(records: PaxRecords, offset: number): void {
  if (records.path !== null || records.size !== null || records.sparse) {
    throw damagedAt("bad_member", "records that give all tar members one name or size", offset);
  }
}

function refused(what: string, offset: number): ArchiveDamaged {
  return unsupported(
    "bad_member",
    `a tar that holds ${what}, at byte ${offset}`,
    "make the tar anew, of the plain files of the directory that pg_dump wrote",
  );
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
