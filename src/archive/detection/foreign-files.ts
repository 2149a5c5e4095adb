/** Recognises what is often found in the place of a backup and is none. Each refusal says what to do. */

import { type Refusal, startsWith } from "./refusal.ts";

const ascii = (text: string): Buffer => Buffer.from(text, "latin1");
const recompress = (command: string): string =>
  `unpack it with ${command}, or compress backups with gzip, zstd or lz4, which are read as they are`;
const ENCRYPTED = "decrypt it first, or encrypt backups with age, which is read as it is";

const MAGICS: ReadonlyArray<readonly [ArrayLike<number>, string, string]> = [
  [ascii("PK\x03\x04"), "a zip file", recompress("unzip")],
  [ascii("PK\x05\x06"), "an empty zip file", "look at how the backup was made"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "an xz file", recompress("xz -d")],
  [ascii("BZh"), "a bzip2 file", recompress("bzip2 -d")],
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "a 7z file", recompress("7z x")],
  [ascii("LZIP"), "an lzip file", recompress("lzip -d")],
  [[0x89, 0x4c, 0x5a, 0x4f], "an lzop file", recompress("lzop -d")],
  [[0x1f, 0x9d], "a file of compress (.Z)", recompress("gzip -d")],
  [[0x02, 0x21, 0x4c, 0x18], "an lz4 file in the legacy format", recompress("lz4 -d")],
  [ascii("Salted__"), "a file encrypted by openssl enc", ENCRYPTED],
  [ascii("-----BEGIN PGP MESSAGE-----"), "a file encrypted by GnuPG (armored)", ENCRYPTED],
  [ascii("SQLite format 3\0"), "an SQLite database", "check that this object is the backup"],
  [ascii("age-encryption.org/"), "an age file of a version not known here", "encrypt it with age 1"],
  [
    ascii("version https://git-lfs.github.com/spec/"),
    "a Git LFS pointer, not the file it stands for",
    "fetch the file itself: git lfs pull",
  ],
];

/** Recognised by bytes that no text and no dump begins with. */
export function foreignFile(head: Buffer): Refusal | null {
  const found = MAGICS.find(([magic]) => startsWith(head, magic));
  if (found !== undefined) {
    return { fact: found[1], hint: found[2] };
  }
  if (isOpenPgp(head)) {
    return { fact: "a file encrypted by GnuPG", hint: ENCRYPTED };
  }
  return isWal(head)
    ? {
        fact: "a segment of PostgreSQL's write-ahead log",
        hint: "check that this object is the backup; make it with pg_dump -Fc",
      }
    : null;
}

/** The first packet of an encrypted message: a session key for a public key (version 3, 6) or a passphrase (4 to 6). */
function isOpenPgp(head: Buffer): boolean {
  const version = { 132: 2, 133: 3, 140: 2, 193: 2, 195: 2 }[head[0] ?? 0];
  const known = head[0] === 0x8c || head[0] === 0xc3 ? [4, 5, 6] : [3, 6];
  return version !== undefined && known.includes(head[version] ?? 0);
}

const WAL_BLOCK_SIZES = [1, 2, 4, 8, 16, 32, 64].map((kibibytes) => kibibytes * 1024);

/** XLogLongPageHeaderData (xlog_internal.h): a magic of 0xD0xx or 0xD1xx, and sizes that agree with each other. */
function isWal(head: Buffer): boolean {
  if (head.length < 40 || ((head[1] ?? 0) & 0xfe) !== 0xd0) {
    return false;
  }
  const segment = head.readUInt32LE(32);
  return segment >= 2 ** 20 && Number.isInteger(Math.log2(segment)) && WAL_BLOCK_SIZES.includes(head.readUInt32LE(36));
}

const PROGRAM_LINE = /^(?:[\w./-]+(?:\.exe)?|Error response from daemon|Error from server[^\n:]*): [^\n]+$/i;
const PG_PROGRAM = /^\S*(pg_dumpall|pg_dump|pg_restore|psql)(?:\.exe)?: /;

/** What a file is that no reader takes, judged as text, one character a byte. */
export function foreignText(text: string): Refusal {
  const start = text.trimStart();
  const markup = markupOf(start);
  if (markup !== null) {
    return markup;
  }
  if (/^(?:\{\s*["}]|\[\s*[[{"\d])/.test(start)) {
    return start.includes('"PostgreSQL-Backup-Manifest-Version"')
      ? { fact: "the manifest of a physical backup", hint: "make a logical backup with pg_dump -Fc" }
      : { fact: "a JSON document", hint: "check that this object is the backup" };
  }
  const other = /^-- (MySQL|MariaDB) dump /m.exec(text)?.[1];
  if (other !== undefined) {
    return { fact: `a dump of ${other}`, hint: "check that this object is the backup of a PostgreSQL database" };
  }
  const lines = start.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length > 0 && lines.every((line) => PROGRAM_LINE.test(line))) {
    const program = PG_PROGRAM.exec(lines[0] ?? "")?.[1];
    return {
      fact: `only messages${program === undefined ? " of a program" : ` of ${program}`}, not its output`,
      hint: "the backup failed when it was made: read the file, and use another backup",
    };
  }
  return {
    fact: "nothing that pg_dump writes",
    hint: "check that this object is the backup, and that it is not encrypted",
  };
}

function markupOf(start: string): Refusal | null {
  const again = "the download or upload stored the error in the place of the backup: copy the backup again";
  if (/^(?:<\?xml[^>]*>\s*)?<Error\b/.test(start)) {
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(start)?.[1];
    return { fact: `an error of S3${code === undefined ? "" : ` (${code})`} saved as a file`, hint: again };
  }
  if (/^(?:<!doctype html|<html|<head|<body)/i.test(start)) {
    return { fact: "an HTML page, of an error or a login", hint: again };
  }
  return start.startsWith("<?xml") ? { fact: "an XML document", hint: again } : null;
}
