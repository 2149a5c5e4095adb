/** Whether PostgreSQL would take a fixed value for a column, as far as that can be told without a server. */

import type { TypeFacts } from "./column-types.ts";

const INTEGER_BYTES: Readonly<Record<string, number>> = { smallint: 2, integer: 4, bigint: 8 };

/** What the value should have been ("a whole number …"); `undefined` when nothing speaks against it. */
export function valueProblem(value: string | number | boolean, facts: TypeFacts): string | undefined {
  const text = String(value);
  switch (facts.kind) {
    case "text":
      return facts.maxLength !== null && Array.from(text).length > facts.maxLength
        ? `at most ${facts.maxLength} characters long`
        : undefined;
    case "integer":
      return fitsInteger(text, INTEGER_BYTES[facts.base ?? ""] ?? 8)
        ? undefined
        : `a whole number that fits ${facts.base ?? "the type"}`;
    case "oid":
      return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? undefined : "an OID";
    case "number":
      return /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) || text === "NaN" ? undefined : "a number";
    case "boolean":
      return typeof value === "boolean" || /^(t|f|true|false)$/.test(text) ? undefined : "true or false";
    case "uuid":
      return /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(text) ? undefined : "a UUID";
    case "json":
      return isJson(text) ? undefined : "JSON";
    case "timestamptz":
    case "timestamp":
    case "date":
      return typeof value === "string" && text.trim() !== "" ? undefined : "a time written as text";
    case "structured":
    case "other":
    case "unknown":
      return undefined;
  }
}

function fitsInteger(text: string, bytes: number): boolean {
  if (!/^-?\d{1,19}$/.test(text)) {
    return false;
  }
  const limit = 1n << BigInt(bytes * 8 - 1);
  return BigInt(text) >= -limit && BigInt(text) < limit;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) {
      return false;
    }
    throw error;
  }
}
