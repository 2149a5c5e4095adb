/**
 * Which columns look as if they held personal data, by their names. A guess, used for advice and for drafts only: nothing
 * is erased or kept because of it.
 */

import type { TypeKind } from "./column-types.ts";

export type PersonalKind =
  | "account_id"
  | "email"
  | "phone"
  | "name"
  | "address"
  | "network"
  | "birth"
  | "secret"
  | "free text";

/** By the column's words, `contactEmail` and `contact_email` alike. */
const PATTERNS: readonly (readonly [PersonalKind, RegExp])[] = [
  ["email", /\b(e ?mail|mail)\b/],
  ["phone", /\b(phone|telephone|telefoon|telefon|tel|mobile|msisdn|cell|fax|gsm|whatsapp)\b/],
  ["network", /\b(ip|ip address|remote addr|user agent|mac address|device id|fingerprint|session id)\b/],
  [
    "name",
    /\b(first ?name|last ?name|full ?name|sur ?name|family name|given name|voornaam|achternaam|vorname|nachname|user ?name|nick ?name|display name|author|(contact|customer|billing|holder|person) name|login)\b|^name$/,
  ],
  [
    "address",
    /\b(address|street|straat|strasse|postcode|postal code|zip|zip code|postal|city|house number|huisnummer|latitude|longitude)\b|^(addr|address) ?\d$/,
  ],
  ["birth", /\b(birth|birthday|birth ?date|dob|geboortedatum|geburtsdatum|gender|sex)\b/],
  [
    "secret",
    /\b(iban|bic|bsn|ssn|passport|tax id|vat number|card number|password|password digest|encrypted password|token|secret)\b/,
  ],
];
/** Texts that people write in: what they say may name anybody. */
const FREE_TEXT = /\b(note|notes|comment|comments|message|bio|remark|remarks|body|opmerking|about)\b/;

/** What a column seems to hold; `undefined` when its name or its type speaks against it. */
export function looksPersonal(column: string, kind: TypeKind): PersonalKind | undefined {
  if (!["text", "other", "unknown", "json", "structured", "date"].includes(kind)) {
    return undefined;
  }
  const words = wordsOf(column);
  const found = PATTERNS.find(([, pattern]) => pattern.test(words))?.[0];
  if (found !== undefined) {
    return kind === "date" && found !== "birth" ? undefined : found;
  }
  return kind === "text" && FREE_TEXT.test(words) ? "free text" : undefined;
}

/** `contactEmail`, `contact_email`, `Contact-EMail` -> `contact email`. */
export function wordsOf(column: string): string {
  return column
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim()
    .toLowerCase();
}
