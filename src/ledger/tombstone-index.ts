/**
 * Every identifier that a ledger's requests hold, in memory, ready to be asked "whose is this?" a hundred million times.
 *
 * A million tombstones cost about 60 bytes each (typed arrays, no object per key). A value nobody asked to erase costs one
 * SipHash and one look into a hash table per epoch; HMACs are computed only where the tag is there.
 *
 * Invariants: the MAC decides, the tag never does; an identifier that cannot be matched (unknown canonical form, key of
 * its epoch missing) refuses the run rather than being skipped.
 */
import { LedgerRefused } from "../errors.ts";
import { canonOf } from "./canonical.ts";
import type { KeySet } from "./key-set.ts";
import { macOf } from "./mac.ts";
import type { ErasureRequest, KeyMac } from "./model.ts";
import { tagMaterial, tagOf } from "./tag.ts";
import { TombstoneTable } from "./tombstone-table.ts";

/** The tombstones of one type in one epoch. */
interface EpochTable {
  readonly epoch: number;
  readonly tagKey: Buffer;
  readonly table: TombstoneTable;
}

const NONE: readonly number[] = Object.freeze([]);

/** Room for the UTF-8 bytes of almost every identifier; longer ones get a buffer of their own. */
const SCRATCH_BYTES = 512;

export class TombstoneIndex {
  private readonly keys: KeySet;
  private readonly requests: readonly ErasureRequest[];
  private readonly byType = new Map<string, EpochTable[]>();
  private readonly scratch = Buffer.alloc(SCRATCH_BYTES);

  private constructor(requests: readonly ErasureRequest[], keys: KeySet) {
    this.requests = requests;
    this.keys = keys;
  }

  /**
   * Indexes the keys of all requests; a request's ordinal is its place in `requests`.
   * @throws LedgerRefused `ledger_key` when the HMAC key of an epoch in use is not held, `ledger_canon` when a key has a
   * canonical form that this version does not know.
   */
  static build(requests: readonly ErasureRequest[], keys: KeySet): TombstoneIndex {
    const index = new TombstoneIndex(requests, keys);
    index.reserve();
    for (const [ordinal, request] of requests.entries()) {
      for (const key of request.keys) {
        index.epochTable(key.type, key.epoch).table.addHex(key.tag, key.mac, request.controller, ordinal);
      }
    }
    return index;
  }

  /**
   * Adds an identifier that the run itself resolved (the e-mail address of an account that a request names), in
   * canonical form. Never leaves the process. True when the request did not have it yet.
   */
  add(type: string, canonicalValue: string, requestOrdinal: number): boolean {
    const controller = this.requests[requestOrdinal]?.controller;
    if (controller === undefined) {
      throw new RangeError(`no request has the ordinal ${requestOrdinal}`);
    }
    const epoch = this.keys.currentEpoch;
    const { table, tagKey } = this.epochTable(type, epoch);
    const mac = macOf(this.keys.epochKey(epoch), type, controller, canonicalValue);
    return table.add(this.tagFor(tagKey, tagMaterial(type, canonicalValue)), mac, controller, requestOrdinal);
  }

  /** Key types of which there is at least one tombstone, in alphabetical order. */
  types(): string[] {
    return [...this.byType.keys()].sort();
  }

  /** The tag keys (16 bytes each) under which values of a type have to be looked for, by ascending epoch. */
  tagKeys(type: string): { readonly epoch: number; readonly key: Buffer }[] {
    return (this.byType.get(type) ?? []).map(({ epoch, tagKey }) => ({ epoch, key: tagKey }));
  }

  /** A copy of all tags of a type in an epoch, in no order, repeated where identifiers share one. */
  tags(type: string, epoch: number): Uint32Array {
    const found = this.byType.get(type)?.find((candidate) => candidate.epoch === epoch);
    return found?.table.copyTags() ?? new Uint32Array(0);
  }

  /** Ordinals of the requests that hold an identifier, given in canonical form; ascending, each once. */
  lookup(type: string, canonicalValue: string): readonly number[] {
    const tables = this.byType.get(type);
    if (tables === undefined) {
      return NONE;
    }
    const material = tagMaterial(type, canonicalValue);
    let found = NONE;
    for (const { epoch, tagKey, table } of tables) {
      const hits = table.find(this.tagFor(tagKey, material), (controller) =>
        macOf(this.keys.epochKey(epoch), type, controller, canonicalValue),
      );
      if (hits.length > 0) {
        found = found.length === 0 ? hits : [...found, ...hits];
      }
    }
    return found.length < 2 ? found : [...new Set(found)].sort((one, other) => one - other);
  }

  /** Sizes the tables before they are filled, and refuses what could never match. */
  private reserve(): void {
    const counts = new Map<string, Map<number, number>>();
    for (const request of this.requests) {
      for (const key of request.keys) {
        refuseUnknownCanon(key, request);
        const ofType = counts.get(key.type) ?? new Map<number, number>();
        counts.set(key.type, ofType.set(key.epoch, (ofType.get(key.epoch) ?? 0) + 1));
      }
    }
    for (const [type, ofType] of counts) {
      for (const [epoch, count] of ofType) {
        this.epochTable(type, epoch, count);
      }
    }
  }

  private epochTable(type: string, epoch: number, capacity = 0): EpochTable {
    let tables = this.byType.get(type);
    if (tables === undefined) {
      tables = [];
      this.byType.set(type, tables);
    }
    for (const known of tables) {
      if (known.epoch === epoch) {
        return known;
      }
    }
    const made = { epoch, tagKey: this.keys.tagKey(epoch, type), table: new TombstoneTable(capacity) };
    tables.push(made);
    tables.sort((one, other) => one.epoch - other.epoch);
    return made;
  }

  /** ASCII is copied by hand: for a short text that is several times faster than the encoder. */
  private tagFor(tagKey: Buffer, material: string): number {
    const { scratch } = this;
    const length = material.length;
    if (length > SCRATCH_BYTES) {
      return tagOf(tagKey, Buffer.from(material));
    }
    for (let index = 0; index < length; index++) {
      const unit = material.charCodeAt(index);
      if (unit > 0x7f) {
        return tagOf(tagKey, Buffer.from(material));
      }
      scratch[index] = unit;
    }
    return tagOf(tagKey, scratch, length);
  }
}

function refuseUnknownCanon(key: KeyMac, request: ErasureRequest): void {
  if (key.canon !== canonOf(key.type)) {
    throw new LedgerRefused(
      `record ${request.seq} of the ledger holds a key of type ${key.type} in a canonical form this version does not know`,
      { code: "ledger_canon", hint: "use a version of sanitize at least as new as the one that recorded it" },
    );
  }
}
