/** Directory archives and tars for tests: unpacked by the real tar, or built header by header. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checksumOf } from "../files/tar-header.ts";
import type { ArchiveFiles, ByteSource } from "../model.ts";
import { memorySource, samplePath } from "./sources.ts";

export type Files = ReadonlyMap<string, Buffer>;

/** Runs `work` in a folder that is gone afterwards. */
export function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "sanitize-directory-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The files of a sample tar, without restore.sql, by name without any folder, as the real tar unpacks them. */
export function sampleFiles(name: string): Files {
  return inFolder((folder) => {
    execFileSync("tar", ["-C", folder, "--transform=s,.*/,,", "-xf", samplePath(name)]);
    const names = readdirSync(folder, { withFileTypes: true }).filter((item) => item.isFile());
    return new Map(names.map((item) => [item.name, readFileSync(join(folder, item.name))]));
  });
}

/** Packs files with the real tar, run where they lie: `args` name what is packed, and how. */
export function tarOf(files: Files, args: readonly string[]): Buffer {
  return inFolder((folder) => {
    for (const [name, bytes] of files) {
      writeFileSync(join(folder, name), bytes);
    }
    return execFileSync("tar", ["-C", folder, "-cf", "-", ...args], { maxBuffer: 256 * 1024 * 1024 });
  });
}

export interface MemoryFiles extends ArchiveFiles {
  /** Names asked for, in order. */
  readonly opened: string[];
}

/** Files in the order of the map. */
export function memoryFiles(files: Files): MemoryFiles {
  const opened: string[] = [];
  return {
    files: [...files].map(([name, bytes]) => ({ name, size: bytes.length })),
    sequential: false,
    opened,
    open: async (name): Promise<ByteSource> => {
      opened.push(name);
      return memorySource(files.get(name)!);
    },
  };
}

export interface BuiltMember {
  readonly name: string;
  readonly content?: Buffer;
  /** The type flag; "0", a file, unless told. */
  readonly type?: string;
  /** Twelve bytes in the place of the size. */
  readonly sizeField?: Buffer;
  readonly prefix?: string;
  /** Written as pg_dump writes it: octal numbers with a blank behind, its user and group. */
  readonly byPgDump?: boolean;
}

/** A member's header and content, padded. */
export function builtMember(member: BuiltMember): Buffer {
  const { name, content = Buffer.alloc(0), type = "0", prefix = "", byPgDump = false } = member;
  const header = Buffer.alloc(512);
  const number = (value: number, at: number, length: number): void => {
    header.write(value.toString(8).padStart(length - 1, "0") + (byPgDump ? " " : "\0"), at, "latin1");
  };
  header.write(name, 0, 100);
  number(0o600, 100, 8);
  number(byPgDump ? 0o4000 : 1000, 108, 8);
  number(byPgDump ? 0o2000 : 1000, 116, 8);
  number(content.length, 124, 12);
  member.sizeField?.copy(header, 124);
  number(0o15300755765, 136, 12);
  header.write(type, 156, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  header.write(byPgDump ? "postgres" : "someone", 265);
  header.write(prefix, 345, 155);
  sealHeader(header);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** Puts the right checksum into a header. */
export function sealHeader(header: Buffer): void {
  header.write(`${checksumOf(header).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

export const TAR_END = Buffer.alloc(1024);

/** A whole tar of these members. */
export function builtTar(members: readonly BuiltMember[]): Buffer {
  return Buffer.concat([...members.map(builtMember), TAR_END]);
}

/** A PAX record, its length counting itself. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return `${length}${rest}`;
}
