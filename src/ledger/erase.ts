/**
 * Recording erasure requests. Identifiers are turned into MACs here and dropped; nothing that is stored can be read.
 *
 * Invariants: a request is in the ledger once, however often it is handed in; a batch is checked whole before its first
 * request is recorded.
 */
import { randomUUID } from "node:crypto";
import { UsageError } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import { canonicalise } from "./canonical.ts";
import { canonicalJson } from "./canonical-json.ts";
import { checkEraseInput, type EraseInput, inputError, parseEraseLine } from "./erase-input.ts";
import { CLOCK_SKEW_MS, formatInstant, parseInstant } from "./instant.ts";
import type { KeySet } from "./key-set.ts";
import { macOf } from "./mac.ts";
import type { KeyMac, LedgerRecord, RequestScope, ScopeAction } from "./model.ts";
import { readRecord } from "./read.ts";
import type { RecordDraft } from "./record.ts";
import { defaultScopes, scopesOf } from "./requests.ts";
import { tagMaterial, tagOf } from "./tag.ts";
import { LedgerWriter } from "./writer.ts";

/** What became of a request. Holds no identifier. */
export interface EraseReceipt {
  readonly request_id: string;
  /** Number of the record that holds it. */
  readonly seq: number;
  /** `already` when the same request had been recorded before, and nothing was written. */
  readonly recorded: "new" | "already";
  readonly requested_at: string;
  /** Number of different identifiers, by type. */
  readonly keys: Readonly<Record<string, number>>;
  readonly scopes: readonly RequestScope[];
}

/** The checkpoint follows a batch in steps of so many records. */
const PUBLISH_EVERY = 256;

/**
 * Records one request.
 * @param where names the request in messages.
 * @throws UsageError `erase_input` for input that is not sound; `duplicate_request` when another request has its ID.
 * @throws LedgerRefused when the ledger is not sound, or the key set cannot write.
 */
export async function appendErase(
  store: ObjectStore,
  keys: KeySet,
  input: EraseInput,
  now: Date,
  where = "the request",
): Promise<EraseReceipt> {
  const checked = { input: checkEraseInput(input, where), where };
  refuseFuture(checked.input, now, where);
  const writer = await LedgerWriter.openWhole(store, keys);
  const receipt = await record(writer, store, keys, checked, now);
  await writer.publish(now);
  return receipt;
}

/**
 * Records a batch of requests, one JSON object a line; empty lines are passed over. All lines are checked before the first
 * is recorded. Each receipt is handed out when its record is durable; the checkpoint follows, also when the consumer stops.
 * @throws UsageError, LedgerRefused as {@link appendErase}.
 */
export async function* appendEraseLines(
  store: ObjectStore,
  keys: KeySet,
  lines: AsyncIterable<string> | Iterable<string>,
  now: Date,
): AsyncGenerator<EraseReceipt, void, undefined> {
  const batch = await checkedLines(lines, now);
  if (batch.length === 0) {
    return;
  }
  const writer = await LedgerWriter.openWhole(store, keys);
  let unpublished = 0;
  try {
    for (const checked of batch) {
      const receipt = await record(writer, store, keys, checked, now);
      unpublished++;
      if (unpublished === PUBLISH_EVERY) {
        await writer.publish(now);
        unpublished = 0;
      }
      yield receipt;
    }
  } finally {
    if (unpublished > 0) {
      await writer.publish(now);
    }
  }
}

interface CheckedInput {
  readonly input: EraseInput;
  readonly where: string;
}

async function checkedLines(lines: AsyncIterable<string> | Iterable<string>, now: Date): Promise<CheckedInput[]> {
  const batch: CheckedInput[] = [];
  const lineOfId = new Map<string, number>();
  let lineNumber = 0;
  for await (const line of lines) {
    lineNumber++;
    if (line.trim() === "") {
      continue;
    }
    const input = parseEraseLine(line, lineNumber);
    const where = `line ${lineNumber}`;
    refuseFuture(input, now, where);
    const id = input.request_id?.toLowerCase();
    const earlier = id === undefined ? undefined : lineOfId.get(id);
    if (earlier !== undefined) {
      throw duplicate(where, `line ${earlier} has the same request_id`);
    }
    if (id !== undefined) {
      lineOfId.set(id, lineNumber);
    }
    batch.push({ input, where });
  }
  return batch;
}

async function record(
  writer: LedgerWriter,
  store: ObjectStore,
  keys: KeySet,
  { input, where }: CheckedInput,
  now: Date,
): Promise<EraseReceipt> {
  const requestId = input.request_id?.toLowerCase() ?? randomUUID();
  const draft = draftErase(input, requestId, keys, keys.currentEpoch, now);
  const recorded = await writer.append(() => (writer.book.get(requestId) === undefined ? draft : null), now);
  if (recorded !== null) {
    return receiptOf(recorded, "new");
  }
  const known = await readRecord(store, keys, writer.book.get(requestId)!.seq);
  if (known === null || !sameRequest(known.record, input, requestId, keys)) {
    throw duplicate(where, `the ledger has another request with its request_id, in record ${known?.record.seq ?? "?"}`);
  }
  return receiptOf(known.record, "already");
}

/** Whether a record holds what this input asks for, as of the time and under the epoch of the record. */
function sameRequest(known: LedgerRecord, input: EraseInput, requestId: string, keys: KeySet): boolean {
  const again = draftErase(input, requestId, keys, known.keys![0]!.epoch, new Date(known.requested_at!));
  const { v: _v, ledger_id: _id, seq: _seq, recorded_at: _at, prev_hash: _hash, sigs: _sigs, ...content } = known;
  return canonicalJson(again) === canonicalJson(content);
}

/** The record of a sound input. Keys are sorted, so that the order in which they are given does not matter. */
function draftErase(input: EraseInput, requestId: string, keys: KeySet, epoch: number, now: Date): RecordDraft {
  const requestedAt = timeOf(input.requested_at) ?? now;
  const cutoffAt = timeOf(input.cutoff_at) ?? requestedAt;
  const controller = input.controller ?? "*";
  const recipients = [...new Set(input.recipients ?? [])].sort().map((provider) => ({ provider }));
  return {
    type: "erase",
    request_id: requestId,
    controller,
    requested_at: formatInstant(requestedAt),
    cutoff_at: formatInstant(cutoffAt),
    keys: keyMacs(input.keys, controller, keys, epoch),
    scopes: scopesOf(actionsOf(input.scopes ?? {}), requestedAt),
    ...(recipients.length === 0 ? {} : { recipients }),
  };
}

function timeOf(text: string | null | undefined): Date | null {
  return text === null || text === undefined ? null : parseInstant(text);
}

/** The defaults of every scope, with the actions that the request names in their place. */
function actionsOf(named: Readonly<Record<string, ScopeAction>>): ReadonlyMap<string, ScopeAction> {
  return new Map(Object.entries(defaultScopes).map(([scope, { action }]) => [scope, named[scope] ?? action]));
}

/** MACs and tags of sound identifiers, each once, sorted by type and MAC. */
export function keyMacs(identifiers: EraseInput["keys"], controller: string, keys: KeySet, epoch: number): KeyMac[] {
  const macs = new Map<string, KeyMac>();
  for (const [type, values] of Object.entries(identifiers)) {
    for (const raw of values) {
      const form = canonicalise(type, raw);
      if (!form.ok) {
        throw inputError(`a key of type ${type}`, form.reason, "correct the identifier");
      }
      const mac = macOf(keys.epochKey(epoch), type, controller, form.value).toString("hex");
      const tag = tagOf(keys.tagKey(epoch, type), Buffer.from(tagMaterial(type, form.value)));
      macs.set(`${type}/${mac}`, { type, epoch, canon: form.canon, mac, tag: tag.toString(16).padStart(8, "0") });
    }
  }
  return [...macs].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, key]) => key);
}

/** @throws UsageError `erase_input` for a request, or a cut-off, that is yet to come. */
function refuseFuture(input: EraseInput, now: Date, where: string): void {
  for (const member of ["requested_at", "cutoff_at"] as const) {
    const time = timeOf(input[member]);
    if (time !== null && time.getTime() > now.getTime() + CLOCK_SKEW_MS) {
      throw inputError(
        `${where}, ${member}`,
        "it is yet to come",
        "the right to erasure covers what is held when it is used",
      );
    }
  }
}

function duplicate(where: string, fact: string): UsageError {
  return new UsageError(`${where}: ${fact}`, {
    code: "duplicate_request",
    hint: "to change a request that is recorded, amend it; a new request needs a request_id of its own",
  });
}

function receiptOf(record: LedgerRecord, recorded: "new" | "already"): EraseReceipt {
  const counts: Record<string, number> = {};
  for (const { type } of record.keys!) {
    counts[type] = (counts[type] ?? 0) + 1;
  }
  return {
    request_id: record.request_id!,
    seq: record.seq,
    recorded,
    requested_at: record.requested_at!,
    keys: counts,
    scopes: record.scopes!,
  };
}
