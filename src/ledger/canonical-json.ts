/**
 * Canonical JSON, RFC 8785 (JCS): one byte sequence for one JSON value, so that it can be hashed and signed.
 *
 * ECMAScript's own `JSON.stringify` gives JCS's numbers and strings; what it leaves open is the order of members
 * (§3.2.3: by UTF-16 code units, as JavaScript compares strings) and values that are no JSON.
 */

/**
 * @throws TypeError for what JSON cannot hold or what I-JSON forbids: undefined, functions, NaN, infinities, bigint,
 * lone surrogates, objects that are neither plain nor arrays. A bug of the caller, never of the user.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case "boolean":
      return value ? "true" : "false";
    case "number":
      return canonicalNumber(value);
    case "string":
      return canonicalString(value);
    case "object":
      return value === null ? "null" : Array.isArray(value) ? canonicalArray(value) : canonicalObject(value);
    case "undefined":
    case "bigint":
    case "symbol":
    case "function":
      throw new TypeError(`no canonical JSON for a value of type ${typeof value}`);
  }
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new TypeError("no canonical JSON for a number that is not finite");
  }
  return JSON.stringify(value);
}

/** A surrogate code unit without its other half. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function canonicalString(value: string): string {
  if (LONE_SURROGATE.test(value)) {
    throw new TypeError("no canonical JSON for a string with a lone surrogate");
  }
  return JSON.stringify(value);
}

function canonicalArray(values: readonly unknown[]): string {
  // Array.from, because map would skip the holes of a sparse array.
  return `[${Array.from(values, canonicalJson).join(",")}]`;
}

function canonicalObject(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError("no canonical JSON for an object of a class");
  }
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${canonicalString(name)}:${canonicalJson(member)}`).join(",")}}`;
}
