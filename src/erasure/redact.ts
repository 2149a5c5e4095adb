/**
 * Takes identifying words out of free text: every e-mail address and telephone number (not only the person's own: a
 * stranger's is no business of an anonymous text either), and the person's names as the subject table spells them.
 * This removes what can be recognised; it does not make a text anonymous, and no report says so.
 */
import type { RedactKind } from "../policy/model.ts";

/** What stands in place of a redacted word. */
export const redactionMark = "[redacted]";

const email = /[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?/gu;
/**
 * A number with its country code (eight to thirteen digits behind + or 00), or a national one of ten digits, in any usual
 * grouping. What follows a national number is not part of it: "0612345678 2 personen".
 */
const phone =
  /(?<![\p{L}\p{N}])(?:(?:\+|00)[1-9](?:[ \u00a0().\-/]{0,3}\d){7,13}|0(?:[ \u00a0().\-/]{0,3}\d){9})(?!\d)/gu;
/** Shorter words are too common to be taken for names. */
const shortestName = 3;

/** The text with what `kinds` names taken out. `names` are the erased person's, in any case. */
export function redactText(text: string, kinds: readonly RedactKind[], names: readonly string[]): string {
  // letters and their accents may come apart in the text: matched as one, and left as they were if nothing is found
  const composed = text.normalize("NFC");
  let result = composed;
  if (kinds.includes("email")) result = result.replace(email, redactionMark);
  if (kinds.includes("phone")) result = result.replace(phone, redactionMark);
  if (kinds.includes("names") && names.length > 0) {
    const pattern = namePattern(names);
    if (pattern) result = result.replace(pattern, redactionMark);
  }
  return result === composed ? text : result;
}

/** Whole names first, then their parts, so that "Jan de Vries" leaves one mark. */
function namePattern(names: readonly string[]): RegExp | null {
  const parts = new Set<string>();
  for (const name of names) {
    const whole = name.normalize("NFC").trim();
    const words = whole.split(/[\s,]+/u).filter((word) => [...word].length >= shortestName && /\p{L}/u.test(word));
    // "de", "van" and the like stay; a particle of three letters ("van", "den", "der") is no name by itself
    const telling = words.filter((word) => !/^(?:van|von|den|der|ten|ter|het|the)$/iu.test(word));
    for (const candidate of [whole, ...telling]) if ([...candidate].length >= shortestName) parts.add(candidate);
  }
  if (parts.size === 0) return null;
  const alternatives = [...parts]
    .sort((a, b) => b.length - a.length)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&").replace(/\s+/gu, "\\s+"));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${alternatives.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}
