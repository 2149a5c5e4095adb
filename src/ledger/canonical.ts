/**
 * Canonical forms: what two spellings of one identifier have in common (ERASURE §2.4). The ledger and the dump are read
 * through the same function, so a form may never change under its name: a better one is `email/2`, stored beside the MAC.
 *
 * Invariants: idempotent (the canonical form of a canonical form is itself); no folding that could join two people
 * (dots, plus tags). No message holds the value.
 */
import { createRequire } from "node:module";
import { domainToASCII } from "node:url";
import type { CountryCode } from "libphonenumber-js/max";

export type CanonicalForm =
  | { readonly ok: true; readonly canon: string; readonly value: string }
  | { readonly ok: false; readonly reason: string };

export interface CanonicalDefaults {
  /** Region of phone numbers written without country code (ISO 3166-1). Default `NL`. */
  readonly region?: CountryCode;
}

/** The name of the form in which values of a type are held, for example `email/1`; custom types are `text/1`. */
export function canonOf(type: string): string {
  return type === "email" || type === "phone" || type === "account_id" ? `${type}/1` : "text/1";
}

/**
 * Brings a value of key type `type` into its canonical form, or says (without quoting it) why it has none. Never throws.
 *
 * Loads the phone metadata on the first phone number (some 50 ms); {@link loadPhoneForms} does so ahead of time.
 */
export function canonicalise(type: string, raw: string, defaults: CanonicalDefaults = {}): CanonicalForm {
  switch (type) {
    case "email":
      return emailForm(raw);
    case "phone":
      return phoneForm(raw, defaults.region ?? "NL");
    case "account_id":
      return accountIdForm(raw);
    default:
      return textForm(raw);
  }
}

function refused(reason: string): CanonicalForm {
  return { ok: false, reason };
}

function textForm(raw: string): CanonicalForm {
  const value = raw.normalize("NFC").trim();
  return value === "" ? refused("empty") : { ok: true, canon: "text/1", value };
}

/** Addresses for which every step of the general way is known to change nothing but the case. */
const PLAIN_EMAIL = /^[\w.+-]+@(?:[a-z0-9](?:[a-z0-9]|-(?!-))*\.)+[a-z](?:[a-z0-9]|-(?!-))*$/i;

/** What the URL host parser would cut off, decode or drop rather than reject, and what no domain contains. */
const NO_DOMAIN = /[\0-\x20\x7f#%/:<>?@[\\\]^|]/;

function emailForm(raw: string): CanonicalForm {
  if (PLAIN_EMAIL.test(raw)) {
    return { ok: true, canon: "email/1", value: raw.toLowerCase() };
  }
  const text = raw.trim().normalize("NFC");
  const at = text.lastIndexOf("@");
  if (at < 0) {
    return refused(text === "" ? "empty" : "no @ in it");
  }
  const domain = asciiDomain(text.slice(at + 1));
  if (domain === "") {
    return refused("no valid domain after the @");
  }
  // Lower case can decompose (U+0130 becomes i and a combining dot), so it is composed again.
  const local = text.slice(0, at).toLowerCase().normalize("NFC");
  return local === "" ? refused("nothing before the @") : { ok: true, canon: "email/1", value: `${local}@${domain}` };
}

/** UTS-46 ToASCII, lower case, no trailing dot; "" for what is no domain. */
function asciiDomain(text: string): string {
  if (NO_DOMAIN.test(text)) {
    return "";
  }
  const ascii = domainToASCII(text).toLowerCase();
  return ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
}

/** 32 hex digits with the spellings PostgreSQL accepts: a hyphen after any group of four, braces, any case. */
const UUID = /^(?:urn:uuid:)?(\{?)([0-9a-f]{4}(?:-?[0-9a-f]{4}){7})(\}?)$/i;
const INTEGER = /^([+-]?)0*([0-9]+)$/;

function accountIdForm(raw: string): CanonicalForm {
  const text = raw.normalize("NFC").trim();
  if (text === "") {
    return refused("empty");
  }
  const integer = INTEGER.exec(text);
  const digits = integer?.[2] ?? "";
  const value = integer === null ? text : integer[1] === "-" && digits !== "0" ? `-${digits}` : digits;
  // After the integers, because 32 decimal digits are a UUID without hyphens as well.
  const uuid = UUID.exec(value);
  if (uuid !== null && (uuid[1] === "{") === (uuid[3] === "}")) {
    return { ok: true, canon: "account_id/1", value: hyphenated(uuid[2]!) };
  }
  return { ok: true, canon: "account_id/1", value };
}

function hyphenated(uuid: string): string {
  const hex = uuid.replaceAll("-", "").toLowerCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

type PhoneForms = typeof import("libphonenumber-js/max");

let phoneForms: PhoneForms | undefined;

/** The phone metadata is 150 KB: loaded when the first phone number comes, not when the program starts. */
function phoneLibrary(): PhoneForms {
  phoneForms ??= createRequire(import.meta.url)("libphonenumber-js/max") as PhoneForms;
  return phoneForms;
}

/** Loads the phone metadata now, so that the first phone number of a scan does not wait for it. */
export async function loadPhoneForms(): Promise<void> {
  phoneForms ??= await import("libphonenumber-js/max");
}

/** Marks without width that address books put around numbers. */
const INVISIBLE = /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const TEL_SCHEME = /^tel:/i;
const MAX_PHONE_CHARACTERS = 64;
/** The shortest numbers of any country, country code included. */
const MIN_PHONE_DIGITS = 7;

/** Parsing takes about 10 µs and dumps repeat numbers; emptied when full, so that it stays small. */
const phoneCache = new Map<string, CanonicalForm>();
const PHONE_CACHE_ENTRIES = 4096;

function phoneForm(raw: string, region: CountryCode): CanonicalForm {
  if (raw.length > MAX_PHONE_CHARACTERS || countDigits(raw) < MIN_PHONE_DIGITS) {
    return refused("not a phone number");
  }
  const cacheKey = region + raw;
  const known = phoneCache.get(cacheKey);
  if (known !== undefined) {
    return known;
  }
  const form = parsedPhone(raw, region);
  if (phoneCache.size >= PHONE_CACHE_ENTRIES) {
    phoneCache.clear();
  }
  phoneCache.set(cacheKey, form);
  return form;
}

function parsedPhone(raw: string, region: CountryCode): CanonicalForm {
  const text = raw.normalize("NFC").replace(INVISIBLE, "").trim().replace(TEL_SCHEME, "");
  const parse = (spelling: string) =>
    phoneLibrary().parsePhoneNumberFromString(spelling, { defaultCountry: region, extract: false });
  const number = parse(text);
  // Possible, not valid: numbering plans grow, and a number that is too new for the metadata is still somebody's.
  // Parsed twice, because of rubbish ("000 00000") the parser drops a zero each time it sees it.
  if (number?.isPossible() !== true || parse(number.number)?.number !== number.number) {
    return refused("not a phone number");
  }
  // Of rubbish ("009800)()00") the parser may leave fewer digits than any number has.
  if (countDigits(number.number) < MIN_PHONE_DIGITS) {
    return refused("not a phone number");
  }
  return { ok: true, canon: "phone/1", value: number.number };
}

/** ASCII digits, plus every other character that may be a digit of another script. */
function countDigits(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if ((unit >= 0x30 && unit <= 0x39) || unit > 0x65f) {
      count++;
    }
  }
  return count;
}
