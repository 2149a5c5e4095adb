/** What a file is, and what happened to those that were backups once. */

import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { DETECTION_BYTES, detect } from "./detect.ts";
import { filtered, haveCommands } from "./testing/commands.ts";
import { sampleBytes, sampleNames } from "./testing/sources.ts";

const custom = sampleBytes("pg15-gzip.dump");
const SCRIPT =
  "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\nSET statement_timeout = 0;\nCOPY public.t (a) FROM stdin;\n";
const of = (content: string | Buffer): string => {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const found = detect(bytes.subarray(0, DETECTION_BYTES));
  return found.kind === "wrapped" ? found.by : found.kind;
};
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** A tar header with its checksum. */
function tarHeader(name: string, size = 0): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(size.toString(8).padStart(11, "0"), 124);
  header.write("ustar\u000000", 257);
  header.write(" ".repeat(8), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

function swapped(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

/** What a transfer in text mode makes of bytes. */
function withCrLf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}

describe("is recognised by its content", () => {
  it.each(sampleNames)("%s: an archive", (name) => {
    expect(of(sampleBytes(name))).toBe("custom");
  });

  it.each([
    ["pg_dump's script", SCRIPT],
    ["pg_dumpall's script", "--\n-- PostgreSQL database cluster dump\n--\n\nSET a = b;\n"],
    ["a script behind log lines", `pg_dump: last built-in OID is 16383\npg_dump: warning: x\n${SCRIPT}`],
    ["a script with a byte order mark", Buffer.concat([BOM, Buffer.from(SCRIPT)])],
    ["a script with CR LF", SCRIPT.replaceAll("\n", "\r\n")],
    ["an edited script", "/* by hand */\n\n-- nothing else\nCREATE TABLE t (a int);\n"],
    ["a script of one statement", "insert into t values (1);"],
    ["a script behind log lines alone", "pg_restore: processing item 1\nSET statement_timeout = 0;\n"],
    ["psql's own commands", "\\connect shop\nSELECT 1;\n"],
    ["a long comment", `-- ${"x".repeat(DETECTION_BYTES)}\n`],
    ["a script that holds the magic in a value", "COPY t (a) FROM stdin;\nPGDMP\n\\.\n"],
    ["a script that holds an error page", "COPY t (a) FROM stdin;\n<html><Error>\n\\.\n"],
  ])("%s: a script", (_what, content) => {
    expect(of(content)).toBe("script");
  });

  it("tars, with what pg_dump puts first or anything else", () => {
    expect(of(Buffer.concat([tarHeader("toc.dat"), custom]))).toBe("tar");
    expect(of(Buffer.concat([tarHeader("dir/3619.dat", 10), Buffer.alloc(512), tarHeader("dir/toc.dat")]))).toBe("tar");
  });

  it.each([
    ["gzip", gzipSync(custom)],
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])],
    ["lz4", Buffer.from([0x04, 0x22, 0x4d, 0x18, 0])],
    ["zstd", Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9, 0x28, 0xb5, 0x2f, 0xfd])],
    ["lz4", Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0, 0x04, 0x22, 0x4d, 0x18])],
    ["age", Buffer.from("age-encryption.org/v1\n-> X25519 x\n")],
    ["age", Buffer.from("\n-----BEGIN AGE ENCRYPTED FILE-----\n")],
  ])("%s around something", (by, bytes) => {
    expect(of(bytes)).toBe(by);
  });
});

describe("is refused for what happened to it", () => {
  const refused = (code: string, message: RegExp, hint: RegExp) =>
    expect.objectContaining({
      name: "ArchiveDamaged",
      exitCode: 7,
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    }) as Error;

  it.each([
    ["an empty file", Buffer.alloc(0), /file is empty$/, /wrote nothing/],
    ["zeros", Buffer.alloc(100_000), /first 65536 bytes are all zero$/, /upload or the disk/],
  ])("%s", (_what, bytes, message, hint) => {
    expect(() => of(bytes)).toThrow(refused("empty_file", message, hint));
  });

  it.each([
    ["little-endian with a mark", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(SCRIPT, "utf16le")])],
    ["big-endian with a mark", Buffer.concat([Buffer.from([0xfe, 0xff]), swapped(SCRIPT)])],
    ["little-endian without one", Buffer.from(SCRIPT.replaceAll("\n", "\r\n"), "utf16le")],
    ["big-endian without one", swapped(SCRIPT)],
  ])("a script in UTF-16, %s (trap 51)", (_what, bytes) => {
    expect(() => of(bytes)).toThrow(refused("unsupported_format", /UTF-16 text, as PowerShell/, /iconv -f UTF-16/));
  });

  it("an archive in UTF-16, which cannot be converted back", () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(custom.toString("latin1"), "utf16le")]);
    expect(() => of(bytes)).toThrow(refused("unsupported_format", /UTF-16 text/, /a binary dump is destroyed/));
  });

  it.each(sampleNames)("%s with CR LF for every LF", (name) => {
    expect(() => of(withCrLf(sampleBytes(name)))).toThrow(
      refused("unsupported_format", /every line feed became CR LF/, /nothing can bring it back/),
    );
  });

  it.each(sampleNames.filter((name) => !name.includes("Z0")))("%s read as UTF-8 and written again", (name) => {
    const bytes = Buffer.from(sampleBytes(name).toString("utf8"));
    expect(() => of(bytes)).toThrow(refused("unsupported_format", /read as UTF-8 text and wrote again/, /nothing can/));
  });

  it("a gzip file read as UTF-8 and written again", () => {
    expect(() => of(Buffer.from(gzipSync(custom).toString("utf8")))).toThrow(/read as UTF-8 text and wrote again/);
  });

  it.each([
    ["an archive", custom],
    ["a gzip file", gzipSync(custom)],
    ["a script", Buffer.from(SCRIPT)],
  ])("the base64 form of %s, in lines or not", (_what, bytes) => {
    const text = bytes.toString("base64");
    for (const form of [text, text.replace(/.{76}/g, "$&\n"), text.replace(/.{64}/g, "$&\r\n")]) {
      expect(() => of(form)).toThrow(refused("unsupported_format", /the base64 form of a backup$/, /base64 -d/));
    }
  });

  it("the hexadecimal digits of an archive", () => {
    expect(() => of(`\\x${custom.toString("hex")}`)).toThrow(/hexadecimal digits/);
  });

  it.each([
    ["zip", Buffer.from("PK\x03\x04"), /a zip file$/, /unzip/],
    ["bzip2", Buffer.from("BZh91AY&SY"), /a bzip2 file$/, /bzip2 -d/],
    ["7z", Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), /a 7z file$/, /7z x/],
    ["openssl", Buffer.from("Salted__12345678"), /openssl enc$/, /decrypt it first/],
    ["OpenPGP for a key", Buffer.from([0x85, 0x01, 0x0c, 0x03, 1, 2, 3]), /GnuPG$/, /decrypt it first/],
    ["OpenPGP with a passphrase", Buffer.from([0x8c, 0x0d, 0x04, 0x09, 3]), /GnuPG$/, /decrypt it first/],
    ["armored OpenPGP", "-----BEGIN PGP MESSAGE-----\n\nhQ", /GnuPG \(armored\)$/, /age/],
    ["a later age", "age-encryption.org/v2\n", /age file of a version not known/, /age 1/],
    [
      "Git LFS",
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
      /Git LFS pointer/,
      /git lfs pull/,
    ],
    ["SQLite", Buffer.from("SQLite format 3\0"), /SQLite/, /check/],
    [
      "S3's error",
      "<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code>",
      /error of S3 \(AccessDenied\)/,
      /copy the backup again/,
    ],
    ["a web page", "\n<!DOCTYPE html>\n<html>", /an HTML page/, /copy the backup again/],
    ["XML", "<?xml version='1.0'?><a/>", /an XML document$/, /copy/],
    ["JSON", '{"message": "Forbidden"}', /a JSON document$/, /check/],
    ["a manifest", '{ "PostgreSQL-Backup-Manifest-Version": 1,', /manifest of a physical backup$/, /pg_dump -Fc/],
    [
      "pg_dump's error",
      'pg_dump: error: connection to server at "db" failed\n',
      /only messages of pg_dump,/,
      /failed when it was made/,
    ],
    ["a shell's error", "bash: line 1: pg_dump: command not found\n", /only messages of a program,/, /failed/],
    ["MySQL", "-- MySQL dump 10.13\n\nCREATE TABLE t (a int);\n", /a dump of MySQL$/, /PostgreSQL/],
    ["a physical backup", tarHeader("backup_label"), /a physical backup/, /logical backup/],
    [
      "a tarred data directory",
      Buffer.concat([tarHeader("data/"), tarHeader("data/PG_VERSION")]),
      /a physical backup/,
      /pg_dump/,
    ],
    [
      "an archive behind other output",
      Buffer.concat([Buffer.from("warning!\n\n"), custom]),
      /only at byte 10,/,
      /-f <file>/,
    ], // trap 2
    ["an archive behind a byte order mark", Buffer.concat([BOM, custom]), /only at byte 3,/, /-f <file>/],
    [
      "toc.dat",
      Buffer.concat([custom.subarray(0, 10), Buffer.from([3]), custom.subarray(11)]),
      /toc\.dat of a directory archive/,
      /name the directory/,
    ],
    ["a tar header with a wrong sum", tarHeader("toc.dat").fill("x", 0, 3), /nothing that pg_dump writes$/, /check/],
    ["zlib", deflateSync(custom), /nothing that pg_dump writes$/, /encrypted/],
    ["a letter", "Dear all,\nhere is the backup.\n", /nothing that pg_dump writes$/, /check/],
    ["a comment alone", "-- nothing\n", /nothing that pg_dump writes$/, /check/],
  ] as ReadonlyArray<readonly [string, string | Buffer, RegExp, RegExp]>)("%s", (_what, content, message, hint) => {
    expect(() => of(content)).toThrow(refused("unsupported_format", message, hint));
  });

  it("write-ahead log", () => {
    const page = Buffer.alloc(8192);
    Buffer.from([0x10, 0xd1, 0x02, 0x00]).copy(page);
    page.writeUInt32LE(16 * 1024 * 1024, 32);
    page.writeUInt32LE(8192, 36);
    expect(() => of(page)).toThrow(/segment of PostgreSQL's write-ahead log/);
  });

  it.skipIf(!haveCommands("xz"))("xz (needs xz)", () => {
    expect(() => of(filtered(custom, "xz"))).toThrow(refused("unsupported_format", /an xz file$/, /xz -d/));
  });

  it("says what it was found in", () => {
    expect(() => detect(Buffer.from(SCRIPT, "utf16le"), ["age", "gzip"])).toThrow(/UTF-16 .* inside gzip inside age$/);
    expect(() => detect(Buffer.alloc(0), ["gzip"])).toThrow(/^the file is empty inside gzip$/);
  });
});
