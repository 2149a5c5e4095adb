/**
 * What `ledger erase` is given: one JSON object a line (DESIGN §5), checked against a closed schema.
 *
 * Invariant: messages name the line and the member, never a value: the input is the one place where identifiers are in
 * the clear.
 */
import { UsageError } from "../errors.ts";
import { canonicalise } from "./canonical.ts";
import { parseInstant } from "./instant.ts";
import type { ScopeAction } from "./model.ts";
import { KEY_TYPE, OPAQUE_NAME, REQUEST_ID } from "./record-schema.ts";
import { defaultScopes } from "./requests.ts";

/** A request for erasure; all but `keys` may be left out. */
export interface EraseInput {
  /** A random UUID; made up when left out. Recording the same request again under its ID does nothing. */
  readonly request_id?: string | null;
  /** RFC 3339 with zone; defaults to now. */
  readonly requested_at?: string | null;
  /** RFC 3339 with zone: rows created later are another person's. Defaults to `requested_at`. */
  readonly cutoff_at?: string | null;
  /** Opaque name of the tenant concerned; `*` (the default) for all. */
  readonly controller?: string | null;
  /** Identifiers by type, at least one. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  /** Actions that differ from the defaults, by scope. */
  readonly scopes?: Readonly<Record<string, ScopeAction>> | null;
  /** Opaque names of the providers who have to release the contact data. */
  readonly recipients?: readonly string[] | null;
}

/** Identifiers in one request; more than anybody has. */
const MAX_KEYS = 1000;
const MAX_RECIPIENTS = 1000;

/** A fault of the input at a place. */
export function inputError(where: string, fact: string, hint: string): UsageError {
  return new UsageError(`${where}: ${fact}`, { code: "erase_input", hint });
}

/**
 * Reads one line of input.
 * @param lineNumber from 1, for messages.
 * @throws UsageError `erase_input` naming line and member.
 */
export function parseEraseLine(text: string, lineNumber: number): EraseInput {
  const where = `line ${lineNumber}`;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's message quotes the line: it does not travel as cause.
    throw inputError(where, "it is not JSON", 'write one JSON object a line, like {"keys": {"account_id": ["901"]}}');
  }
  return checkEraseInput(content, where);
}

type Check = (value: unknown, where: string) => void;

const text = (pattern: RegExp, fact: string, hint: string): Check => {
  return (value, where) => {
    if (typeof value !== "string" || !pattern.test(value)) {
      throw inputError(where, fact, hint);
    }
  };
};

const instant: Check = (value, where) => {
  if (typeof value !== "string" || parseInstant(value) === null) {
    throw inputError(where, "it is not a date and time with zone", "write it like 2026-11-20T09:00:00Z");
  }
};

const MEMBERS: Readonly<Record<string, Check>> = {
  request_id: text(new RegExp(REQUEST_ID.source, "i"), "it is not a UUID", "leave it out to have one made"),
  requested_at: instant,
  cutoff_at: instant,
  controller: (value, where) => {
    if (value !== "*") {
      opaqueName(value, where);
    }
  },
  keys: checkKeys,
  scopes: checkScopes,
  recipients: (value, where) => {
    if (!Array.isArray(value) || value.length > MAX_RECIPIENTS) {
      throw inputError(where, "it is not a list of providers", 'write it like ["provider-17"]');
    }
    for (const [index, name] of value.entries()) {
      opaqueName(name, `${where}[${index}]`);
    }
  },
};

/** @throws UsageError `erase_input` unless the value is a sound {@link EraseInput}, down to the form of every identifier. */
export function checkEraseInput(value: unknown, where: string): EraseInput {
  const members = plainObject(value, where);
  for (const [name, member] of Object.entries(members)) {
    const check = Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined;
    if (check === undefined) {
      throw inputError(
        where,
        "it has a member that is not known",
        `the members are ${Object.keys(MEMBERS).join(", ")}; all but keys may be left out`,
      );
    }
    if (member !== null || name === "keys") {
      check(member, `${where}, ${name}`);
    }
  }
  if (!Object.hasOwn(members, "keys")) {
    throw inputError(where, "it has no keys", 'name at least one, like {"keys": {"account_id": ["901"]}}');
  }
  return value as EraseInput;
}

function plainObject(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw inputError(where, "it is not a JSON object", 'write it like {"keys": {"account_id": ["901"]}}');
  }
  return value as Readonly<Record<string, unknown>>;
}

function opaqueName(value: unknown, where: string): void {
  if (typeof value !== "string" || !OPAQUE_NAME.test(value)) {
    throw inputError(
      where,
      "it is not an opaque name",
      "up to 64 letters, digits, dots, hyphens, colons and underscores; never the name or address of a person",
    );
  }
}

function checkKeys(value: unknown, where: string): void {
  let count = 0;
  for (const [type, values] of Object.entries(plainObject(value, where))) {
    // The name of a member may be an identifier put in the wrong place: it is quoted only when it cannot be one.
    if (!KEY_TYPE.test(type)) {
      throw inputError(
        where,
        "it has a member that is no key type",
        "key types are like account_id, email, phone, customer_no",
      );
    }
    if (!Array.isArray(values)) {
      throw inputError(
        `${where}.${type}`,
        "it is not a list",
        "write identifiers as a list of texts, even a single one",
      );
    }
    for (const [index, identifier] of values.entries()) {
      checkIdentifier(type, identifier, `${where}.${type}[${index}]`);
      count++;
    }
  }
  if (count === 0 || count > MAX_KEYS) {
    throw inputError(where, `it holds ${count} identifiers`, `a request takes 1 to ${MAX_KEYS}`);
  }
}

function checkIdentifier(type: string, identifier: unknown, where: string): void {
  if (typeof identifier !== "string") {
    throw inputError(
      where,
      "it is not a text",
      "write identifiers as texts, numbers in quotes too: large ones lose digits",
    );
  }
  const form = canonicalise(type, identifier);
  if (!form.ok) {
    throw inputError(
      where,
      form.reason,
      "correct the identifier, or leave it out if it cannot be found in the database either",
    );
  }
}

function checkScopes(value: unknown, where: string): void {
  for (const [scope, action] of Object.entries(plainObject(value, where))) {
    if (!Object.hasOwn(defaultScopes, scope)) {
      throw inputError(
        where,
        "it has a member that is no scope",
        `the scopes are ${Object.keys(defaultScopes).join(", ")}`,
      );
    }
    if (action !== "delete" && action !== "anonymise" && action !== "retain") {
      throw inputError(`${where}.${scope}`, "it is no action", "the actions are delete, anonymise and retain");
    }
  }
}
