/** ASCII armor around an age file (age-encryption.org/v1, "ASCII armor"; RFC 7468, strict): base64 in lines of 64. */

import { damagedAt, truncatedAt } from "../damage.ts";
import type { ByteSource } from "../model.ts";
import { ARMOR_BEGIN } from "./age-magic.ts";
import { SequentialSource } from "./sequential-source.ts";

const ARMOR_END = "-----END AGE ENCRYPTED FILE-----";
const FULL_LINE = /^[A-Za-z0-9+/]{64}$/;
const LAST_LINE = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** The longest line with its line end. */
const LONGEST_LINE = 66;

/** The binary age file in `armored`. */
export function dearmored(armored: ByteSource): SequentialSource {
  return new SequentialSource(armored, decodeArmor);
}

type State = "before" | "inside" | "last line" | "after";

/** @throws ArchiveDamaged with the byte offset in the armored file. */
async function* decodeArmor(armored: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let state: State = "before";
  let rest = "";
  let offset = 0;
  for await (const bytes of armored) {
    const lines = (rest + bytes.toString("latin1")).split("\n");
    offset += bytes.length;
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_LINE) {
      throw damagedAt("bad_stream", "age armor with a line that is too long", offset);
    }
    const content: string[] = [];
    for (const line of lines) {
      state = takeLine(state, line, content, offset);
    }
    if (content.length > 0) {
      yield Buffer.from(content.join(""), "base64");
    }
  }
  // What lacks its line end: the closing line may, any other was cut.
  const whole = rest === "" || rest.replace(/\r$/, "") === ARMOR_END || state === "after";
  if (!whole || (rest === "" ? state : takeLine(state, rest, [], offset)) !== "after") {
    throw truncatedAt("its age armor", offset);
  }
}

function takeLine(state: State, line: string, content: string[], offset: number): State {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const blank = text.trim() === "";
  if ((state === "before" || state === "after") && blank) {
    return state;
  }
  if (state === "before" && text === ARMOR_BEGIN) {
    return "inside";
  }
  if ((state === "inside" || state === "last line") && text === ARMOR_END) {
    return "after";
  }
  if (state === "inside" && !blank && (FULL_LINE.test(text) || (text.length <= 64 && LAST_LINE.test(text)))) {
    content.push(text);
    return FULL_LINE.test(text) ? "inside" : "last line";
  }
  throw damagedAt("bad_stream", "age armor with a line that is none", offset);
}
