/**
 * The members of a tar as the files of a directory archive: of `pg_dump -Ft`, or of somebody's tar of a directory that
 * `pg_dump -Fd` wrote, whatever folder stands in front of the names and in whatever order they come.
 *
 * A tar that can only be read forwards is read once in whole to find its files, unless pg_dump made it: its order is known
 * (toc.dat first, then data as the table of contents has it), so its files are found as they come.
 *
 * Invariant: no two files have one name; all are in one folder, that of toc.dat.
 */

import { type ArchiveDamaged, throwIfAborted } from "../../errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt, unsupported } from "../damage.ts";
import type { ArchiveFile, ArchiveFiles, ByteSource } from "../model.ts";
import { isIndexFile, isTocFile } from "./file-names.ts";
import { TAR_BLOCK_BYTES } from "./tar-header.ts";
import { type TarMember, TarScan } from "./tar-scan.ts";

export interface TarFiles extends ArchiveFiles {
  /** `pg_dump -Ft` wrote it, and nobody packed it again. */
  readonly byPgDump: boolean;
  readonly remarks: readonly string[];
  /** All files are known, and the tar's end was looked at. */
  readonly complete: boolean;
  /** Reads on to the next file that is not known yet; `null` when all are. @throws ArchiveDamaged */
  advance(signal?: AbortSignal): Promise<ArchiveFile | null>;
  /** Makes all files known, in one reading. @throws ArchiveDamaged */
  finish(signal?: AbortSignal): Promise<void>;
}

const READ_ONCE = "a tar made by hand holds its files in any order: it was read once to find them";
/** Of a tar that is read once to find its files, indexes up to this size are kept: they need not be looked up again. */
const KEPT_BYTES = 16 * 1024 * 1024;

/**
 * Opens a tar: finds all its files, or the first one where the order of the others is known.
 * @throws ArchiveDamaged (`bad_member`, `truncated`, `appended`, `unsupported_format`)
 */
export async function tarFiles(source: ByteSource, signal?: AbortSignal): Promise<TarFiles> {
  const tar = new TarMembers(source);
  await tar.begin(signal);
  return tar;
}

class TarMembers implements TarFiles {
  readonly sequential: boolean;
  readonly #source: ByteSource;
  #scan: TarScan;
  #found: TarMember[] = [];
  readonly #names = new Set<string>();
  readonly #kept = new Map<string, Buffer>();
  readonly #remarks: string[] = [];
  #files: ArchiveFile[] = [];
  #members = new Map<string, TarMember>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(source: ByteSource) {
    this.#source = source;
    this.#scan = new TarScan(source);
    this.sequential = source.sequential === true;
  }

  get files(): readonly ArchiveFile[] {
    return this.#files;
  }

  get byPgDump(): boolean {
    const first = this.#found[0];
    return first?.byPgDump === true && first.name === "toc.dat";
  }

  get complete(): boolean {
    return this.#scan.ended;
  }

  get remarks(): readonly string[] {
    return this.#scan.remark === null ? this.#remarks : [...this.#remarks, this.#scan.remark];
  }

  async begin(signal: AbortSignal | undefined): Promise<void> {
    if (this.sequential) {
      await this.advance(signal);
      if (this.byPgDump) {
        return;
      }
      this.#remarks.push(READ_ONCE);
      // From the start again, which is near: the first file may be one to keep.
      this.#scan = new TarScan(this.#source);
      this.#found = [];
      this.#names.clear();
    }
    await this.finish(signal);
  }

  advance(signal?: AbortSignal): Promise<ArchiveFile | null> {
    return this.#inTurn(async () => {
      throwIfAborted(signal);
      const member = await this.#scan.next(signal);
      return member === null ? null : this.#add(member);
    });
  }

  finish(signal?: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.complete) {
        await this.#scan.rest((member, content) => this.#met(member, content), signal);
        this.#enterFolder();
      }
    });
  }

  open(name: string): Promise<ByteSource> {
    const member = this.#members.get(name);
    if (member === undefined) {
      return Promise.reject(new RangeError("no such file in the tar"));
    }
    const kept = this.#kept.get(member.name);
    return Promise.resolve(kept === undefined ? memberSource(this.#source, member) : bytesSource(kept));
  }

  /** One search at a time, in the order in which they were asked for. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #met(member: TarMember, content: ByteReader): Promise<void> {
    this.#add(member);
    if (this.sequential && isIndexFile(baseName(member.name)) && member.size <= KEPT_BYTES) {
      if (!(await content.fill(member.size))) {
        throw truncatedAt("a tar member's data", content.offset + content.window.length);
      }
      this.#kept.set(member.name, Buffer.from(content.window.subarray(0, member.size)));
    }
  }

  #add(member: TarMember): ArchiveFile {
    if (this.#names.has(member.name)) {
      throw damagedAt("bad_member", "second tar member of one name", member.start - TAR_BLOCK_BYTES);
    }
    this.#names.add(member.name);
    this.#found.push(member);
    const file = { name: member.name, size: member.size };
    this.#files.push(file);
    this.#members.set(file.name, member);
    return file;
  }

  /** Takes toc.dat's folder for the archive, and leaves out what lies elsewhere. */
  #enterFolder(): void {
    const folders = new Set(
      this.#found.filter(({ name }) => isTocFile(baseName(name))).map(({ name }) => folderOf(name)),
    );
    const [folder] = folders;
    if (folder === undefined) {
      throw noArchive("a tar that holds no toc.dat", "look at what was packed: no file in it is pg_dump's");
    }
    if (folders.size > 1) {
      throw noArchive(`a tar of ${folders.size} directory archives`, "pack each of them into a tar of its own");
    }
    const inside = this.#found.filter(({ name }) => folderOf(name) === folder);
    this.#members = new Map(inside.map((member) => [baseName(member.name), member]));
    this.#files = inside.map((member) => ({ name: baseName(member.name), size: member.size }));
    if (inside.length < this.#found.length) {
      this.#remarks.push(`${this.#found.length - inside.length} files outside the archive's folder were left out`);
    }
  }
}

function noArchive(fact: string, hint: string): ArchiveDamaged {
  return unsupported("unsupported_format", fact, hint);
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** With the `/` behind it. */
function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

function memberSource(tar: ByteSource, member: TarMember): ByteSource {
  const { size, start: first } = member;
  return {
    size,
    sequential: tar.sequential === true,
    async *read(start, end = size, signal) {
      const from = first + start;
      const to = first + Math.min(end, size);
      if (to <= from) {
        return;
      }
      let at = from;
      for await (const bytes of tar.read(from, to, signal)) {
        at += bytes.length;
        yield bytes;
      }
      if (at < to) {
        throw truncatedAt("a tar member's data", at);
      }
    },
  };
}

function bytesSource(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    async *read(start, end = bytes.length) {
      yield bytes.subarray(start, end);
    },
  };
}
