/**
 * Recognises files that were backups until a shell, an editor or a transfer took them for text. Decided on evidence that a
 * sound file cannot give.
 */

import { MAGIC } from "../toc/header.ts";
import { type Refusal, startsWith } from "./refusal.ts";
import { looksLikeScript } from "./script-start.ts";
import { wrapperOf } from "./wrapper-start.ts";

/** A binary format's text passed through something: make it again, differently. */
const AGAIN =
  "nothing can bring it back: make the backup again with pg_dump -Fc -f <file>, and copy it as a binary file";

/** What happened to the file that begins so, or `null`. */
export function mangledFile(head: Buffer): Refusal | null {
  return zeros(head) ?? utf16(head) ?? lineEnds(head) ?? rewrittenAsUtf8(head) ?? digits(head);
}

function zeros(head: Buffer): Refusal | null {
  return head.every((byte) => byte === 0)
    ? {
        code: "empty_file",
        fact: `the file's first ${head.length} bytes are all zero`,
        hint: "the upload or the disk failed while it was written; use another backup, or copy it again",
      }
    : null;
}

const SAMPLE_BYTES = 4096;
const LEAST_SAMPLE_BYTES = 16;

/** With a byte order mark, or without one where every other byte is zero. */
function utf16(head: Buffer): Refusal | null {
  const marked = startsWith(head, [0xff, 0xfe]) || startsWith(head, [0xfe, 0xff]);
  const order = marked ? (head[0] === 0xff ? "little" : "big") : utf16Order(head);
  if (order === null) {
    return null;
  }
  const sample = Buffer.from(head.subarray(marked ? 2 : 0, SAMPLE_BYTES));
  const even = sample.subarray(0, sample.length - (sample.length % 2));
  const text = (order === "big" ? even.swap16() : even).toString("utf16le");
  const fact = "UTF-16 text, as PowerShell's > makes of any output";
  return looksLikeScript(text, true)
    ? { fact, hint: "make it again with pg_dump -f <file>, or convert it with iconv -f UTF-16 -t UTF-8" }
    : { fact, hint: "a binary dump is destroyed by this; use pg_dump -Fc -f <file>" };
}

function utf16Order(head: Buffer): "little" | "big" | null {
  const length = Math.min(head.length, SAMPLE_BYTES) & ~1;
  if (length < LEAST_SAMPLE_BYTES) {
    return null;
  }
  const zeroCount = [0, 0];
  for (let at = 0; at < length; at++) {
    zeroCount[at % 2]! += head[at] === 0 ? 1 : 0;
  }
  const [even, odd] = zeroCount.map((count) => count / (length / 2)) as [number, number];
  if (odd > 0.9 && even < 0.1) {
    return "little";
  }
  return even > 0.9 && odd < 0.1 ? "big" : null;
}

const LEAST_LINE_ENDS = 3;

/** Every 0A became 0D 0A: in a sound archive, the first entries' definitions alone have line ends without 0D. */
function lineEnds(head: Buffer): Refusal | null {
  if (!startsWith(head, MAGIC)) {
    return null;
  }
  let count = 0;
  for (let at = head.indexOf(0x0a); at >= 0; at = head.indexOf(0x0a, at + 1)) {
    if (head[at - 1] !== 0x0d) {
      return null;
    }
    count++;
  }
  return count < LEAST_LINE_ENDS
    ? null
    : {
        fact: "a binary archive in which every line feed became CR LF, by a transfer in text mode or a Windows console",
        hint: AGAIN,
      };
}

const REPLACEMENT = Buffer.from([0xef, 0xbf, 0xbd]);
const LEAST_REPLACEMENTS = 4;

/** Every byte that is no UTF-8 became U+FFFD: so does a program that reads a binary file as text and writes it again. */
function rewrittenAsUtf8(head: Buffer): Refusal | null {
  let count = 0;
  for (let at = head.indexOf(REPLACEMENT); at >= 0; at = head.indexOf(REPLACEMENT, at + REPLACEMENT.length)) {
    count++;
  }
  const compressed = startsWith(head, [0x1f, ...REPLACEMENT]) || startsWith(head, [0x28, ...REPLACEMENT, 0x2f]);
  if (count < LEAST_REPLACEMENTS || !(startsWith(head, MAGIC) || compressed) || !isUtf8Start(head)) {
    return null;
  }
  return { fact: "a binary file that some program read as UTF-8 text and wrote again", hint: AGAIN };
}

/** All of it is UTF-8, but for a character cut at its end. */
function isUtf8Start(head: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false; // the decoder's one error
  }
}

const BASE64_SAMPLE = 1024;

/** An archive written as base64 or hexadecimal digits. */
function digits(head: Buffer): Refusal | null {
  const text = head.toString("latin1", 0, BASE64_SAMPLE).trim();
  if (/^(?:\\x|0x)?5047444d50[0-9a-f\s]*$/i.test(text)) {
    return { fact: "the hexadecimal digits of an archive", hint: "turn them back into bytes: xxd -r -p" };
  }
  if (text.length < LEAST_SAMPLE_BYTES || !/^[A-Za-z0-9+/\r\n]+={0,2}$/.test(text)) {
    return null;
  }
  const bytes = Buffer.from(text, "base64");
  const known =
    startsWith(bytes, MAGIC) || wrapperOf(bytes) !== null || looksLikeScript(bytes.toString("latin1"), true);
  return known ? { fact: "the base64 form of a backup", hint: "decode it first: base64 -d" } : null;
}
