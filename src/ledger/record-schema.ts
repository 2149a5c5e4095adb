/**
 * The closed schema of records (ERASURE §2.1): which members each type has, and what they may hold. By hand rather than
 * by a schema library: it runs for every record of every ledger, and its messages must never quote a value.
 */
import { isInstant } from "./instant.ts";
import type { RecordType } from "./model.ts";

/** `account_id`, `email`, `phone` or a custom type. */
export const KEY_TYPE = /^[a-z][a-z0-9_]{0,62}$/;
/** Opaque names of tenants and providers. No `@` and no blank, so that no address or name of a person fits. */
export const OPAQUE_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;
/** Lower-case UUID. */
export const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const CANON = /^[a-z][a-z0-9_]{0,62}\/[1-9][0-9]{0,3}$/;
const HASH = /^[0-9a-f]{64}$/;
const TAG = /^[0-9a-f]{8}$/;
const KID = /^[0-9a-f]{16}$/;
/** 64 bytes in base64. */
const ED25519_SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/;
const LEDGER_ID = /^[A-Za-z0-9-]{1,64}$/;
const SCOPE = /^[a-z][a-z0-9_]{0,62}$/;

/** Null when the value is sound, else what is wrong, by the member's name and place. */
type Check = (value: unknown, name: string) => string | null;

const FRAME = ["v", "ledger_id", "seq", "type", "recorded_at", "prev_hash", "sigs"] as const;

/** What each type of record carries besides the frame. */
const BODY: Readonly<
  Record<RecordType, { readonly required: readonly string[]; readonly optional: readonly string[] }>
> = {
  genesis: { required: [], optional: [] },
  erase: {
    required: ["request_id", "controller", "requested_at", "cutoff_at", "keys", "scopes"],
    optional: ["recipients"],
  },
  amend: { required: ["request_id", "requested_at"], optional: ["keys", "scopes", "recipients"] },
  withdraw: { required: ["request_id", "scopes"], optional: [] },
  release: { required: ["request_id", "recipients"], optional: [] },
  heartbeat: { required: [], optional: [] },
  key_epoch: { required: [], optional: [] },
  restore: { required: [], optional: ["request_id"] },
};

const MEMBERS: Readonly<Record<string, Check>> = {
  v: is((value) => value === 1),
  ledger_id: matches(LEDGER_ID),
  seq: is((value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0),
  type: is((value) => typeof value === "string" && Object.hasOwn(BODY, value)),
  recorded_at: is(isInstant),
  prev_hash: matches(HASH),
  request_id: matches(REQUEST_ID),
  controller: is((value) => value === "*" || (typeof value === "string" && OPAQUE_NAME.test(value))),
  requested_at: is(isInstant),
  cutoff_at: is(isInstant),
  keys: listOf(
    objectOf({
      type: matches(KEY_TYPE),
      epoch: is((value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 1),
      canon: matches(CANON),
      mac: matches(HASH),
      tag: matches(TAG),
    }),
  ),
  scopes: listOf(
    objectOf({
      scope: matches(SCOPE),
      action: is((value) => value === "delete" || value === "anonymise" || value === "retain"),
      effective_at: is(isInstant),
    }),
  ),
  recipients: listOf(
    objectOf({ provider: matches(OPAQUE_NAME) }, { notified_at: is(isInstant), released_at: is(isInstant) }),
  ),
  sigs: listOf(
    objectOf({ kid: matches(KID), alg: is((value) => value === "Ed25519"), sig: matches(ED25519_SIGNATURE) }),
  ),
};

/** Null when the value is a record of the schema, else what is wrong with it; quotes no value. */
export function damagedMember(value: unknown): string | null {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return "it is not an object";
  }
  const record = value as Readonly<Record<string, unknown>>;
  const wrongType = MEMBERS.type!(record.type, "type");
  if (wrongType !== null) {
    return wrongType;
  }
  const { required, optional } = BODY[record.type as RecordType];
  const wanted = [...FRAME, ...required];
  const damaged = checkMembers(record, pick(wanted), pick(optional), "");
  if (damaged === null && (record.type === "genesis") !== (record.seq === 0)) {
    return "a genesis stands elsewhere than at the start, or the start is none";
  }
  return damaged;
}

function pick(names: readonly string[]): Readonly<Record<string, Check>> {
  return Object.fromEntries(names.map((name) => [name, MEMBERS[name]!]));
}

function is(sound: (value: unknown) => boolean): Check {
  return (value, name) => (sound(value) ? null : `member ${name} is missing or not as it should be`);
}

function matches(pattern: RegExp): Check {
  return is((value) => typeof value === "string" && pattern.test(value));
}

/** A list of one element or more. */
function listOf(element: Check): Check {
  return (value, name) => {
    if (!Array.isArray(value) || value.length === 0) {
      return `member ${name} is missing or empty`;
    }
    for (const [index, item] of value.entries()) {
      const damaged = element(item, `${name}[${index}]`);
      if (damaged !== null) {
        return damaged;
      }
    }
    return null;
  };
}

function objectOf(required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check {
  return (value, name) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      return `member ${name} is not an object`;
    }
    return checkMembers(value as Readonly<Record<string, unknown>>, required, optional, `${name}.`);
  };
}

function checkMembers(
  value: Readonly<Record<string, unknown>>,
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>>,
  path: string,
): string | null {
  for (const name of Object.keys(value)) {
    // The name itself may be somebody's data: it is not quoted.
    if (!Object.hasOwn(required, name) && !Object.hasOwn(optional, name)) {
      return `it has a member that does not belong ${path === "" ? "there" : `in ${path.slice(0, -1)}`}`;
    }
  }
  for (const [name, check] of Object.entries(required)) {
    const damaged = check(Object.hasOwn(value, name) ? value[name] : undefined, path + name);
    if (damaged !== null) {
      return damaged;
    }
  }
  for (const [name, check] of Object.entries(optional)) {
    const damaged = Object.hasOwn(value, name) ? check(value[name], path + name) : null;
    if (damaged !== null) {
      return damaged;
    }
  }
  return null;
}
