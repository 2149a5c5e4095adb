/**
 * What a run will do, fixed before a byte is loaded: verified ledger, covered policy and the dump's own references put
 * together. The same for a dry run and for the real one, and so is its digest.
 */
import { createHash } from "node:crypto";
import type { Archive } from "../archive/model.ts";
import { characterWidth } from "../copy/character-width.ts";
import { RowKernel } from "../copy/row-kernel.ts";
import { canonicalJson } from "../ledger/canonical-json.ts";
import type { KeySet as LedgerKeys } from "../ledger/key-set.ts";
import type { VerifiedLedger } from "../ledger/model.ts";
import { TombstoneIndex } from "../ledger/tombstone-index.ts";
import { holdsLargeObjects } from "../policy/large-object-columns.ts";
import type { Coverage } from "../policy/model.ts";
import type { RewriteContext } from "./anonymise.ts";
import { type CompiledPlan, compilePlan } from "./compile.ts";
import { DumpedObjects } from "./dumped-objects.ts";
import type { Decision } from "./examine.ts";
import { type Findings, findWhatGoes } from "./find.ts";
import { Matcher } from "./matcher.ts";
import { type RequestView, viewRequests } from "./outcome.ts";
import type { TablePlan } from "./table-plan.ts";
import { textCodec } from "./text-codec.ts";

export interface PlanInput {
  readonly archive: Archive;
  readonly coverage: Coverage;
  readonly ledger: VerifiedLedger;
  readonly keys: LedgerKeys;
  /** The instant at which scopes are pending or effective. */
  readonly at: Date;
  /** When the backup was made, as judged by the gates: older effective requests are late. */
  readonly snapshotAt: Date;
  /** Zone for timestamps without one, unless the policy names its own. */
  readonly zone: string;
  readonly signal?: AbortSignal;
}

export interface ErasurePlan {
  readonly tables: ReadonlyMap<number, TablePlan>;
  readonly matcher: Matcher;
  /** By request ordinal; `null` for requests of another controller. */
  readonly views: readonly (RequestView | null)[];
  /** Names for redaction, by request ordinal. Never leaves memory. */
  readonly names: ReadonlyMap<number, ReadonlySet<string>>;
  readonly rewriting: Omit<RewriteContext, "names">;
  /** PostgreSQL's name of the dump's encoding. */
  readonly encoding: string;
  /** Large objects that go with their rows. */
  readonly largeObjects: ReadonlySet<number>;
  /** All of the dump's; `null` where its table of contents does not name them. */
  readonly dumpedObjects: DumpedObjects | null;
  /** Tables read before the filtering pass, each time they were. */
  readonly tablesRead: readonly number[];
  /** Of an archive that cannot be read at any place: why it was read before the filtering pass, once for each time. */
  readonly readings: readonly string[];
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  /** One of the row's requests took effect before the snapshot. */
  isLate(table: TablePlan, decision: Decision): boolean;
}

/** @throws LedgerRefused (`ledger_key`), PolicyRefused, ArchiveDamaged, SourceFailed, Interrupted. */
export async function planErasure(input: PlanInput): Promise<ErasurePlan> {
  const { archive, coverage, ledger, signal } = input;
  const codec = textCodec(archive.encoding);
  const characterLength = characterWidth(archive.encoding);
  const kernel = new RowKernel();
  const views = viewRequests(ledger.requests, input.at, coverage.policy.controller);
  const context = {
    index: TombstoneIndex.build(ledger.requests, input.keys),
    resolved: TombstoneIndex.build(
      ledger.requests.map((request) => ({ ...request, keys: [] })),
      input.keys,
    ),
    views,
    zone: coverage.policy.timezone ?? input.zone,
    decode: codec.decode,
    characterLength,
  };
  const matcher = new Matcher(kernel, context);
  const compiled = compilePlan(coverage, {
    kernel,
    encode: codec.encode,
    characterLength,
    largeObjects: holdsLargeObjects(archive.toc),
  });
  const found = ledger.requests.length > 0 ? await findWhatGoes(archive, compiled, matcher, signal) : nothingFound;
  return {
    tables: compiled.tables,
    matcher,
    views,
    names: found.names,
    rewriting: { decode: codec.decode, encode: codec.encode, characterLength, zone: context.zone },
    encoding: archive.encoding,
    largeObjects: found.largeObjects,
    dumpedObjects: DumpedObjects.of(archive.toc),
    tablesRead: found.tablesRead,
    readings: found.readings,
    digest: planDigest(coverage.policy.digest, views, compiled, found),
    isLate: (table, decision) => isLate(table, decision, views, input.snapshotAt),
  };
}

const nothingFound: Findings = { names: new Map(), largeObjects: new Set(), resolved: 0, tablesRead: [], readings: [] };

function isLate(
  table: TablePlan,
  decision: Decision,
  views: readonly (RequestView | null)[],
  snapshotAt: Date,
): boolean {
  if (decision.outcome !== "delete" && decision.outcome !== "anonymise") return false;
  return decision.ordinals.some((ordinal) => {
    const scope = table.rule?.scope;
    const effectiveAt = scope ? views[ordinal]?.scope(scope).effectiveAt : undefined;
    // rows that only go with a parent have no scope of their own: the parent's hit is counted, not theirs
    return effectiveAt !== undefined && effectiveAt.getTime() <= snapshotAt.getTime();
  });
}

/**
 * Over what decides about rows: policy, requests with the state of their scopes, and the keys of rows found to go. Not over
 * times, versions or the archive's format: another dump of the same database gives the same plan.
 */
function planDigest(
  policy: string,
  views: readonly (RequestView | null)[],
  compiled: CompiledPlan,
  found: Findings,
): string {
  const requests = views.flatMap((view) =>
    view
      ? [
          {
            request_id: view.request.requestId,
            cutoff_at: view.request.cutoffAt.toISOString(),
            keys: view.request.keys.map((key) => key.mac).sort(),
            scopes: view.request.scopes.map(({ scope, action }) => ({ scope, action, state: view.scope(scope).state })),
          },
        ]
      : [],
  );
  const parents = [...compiled.parents].map(([name, keys]) => ({ name, size: keys.size, set: keys.setDigest() }));
  const content = {
    v: 1,
    policy,
    requests: requests.sort((a, b) => (a.request_id < b.request_id ? -1 : 1)),
    parents: parents.sort((a, b) => (a.name < b.name ? -1 : 1)),
    large_objects: [...found.largeObjects].sort((a, b) => a - b),
    resolved: found.resolved,
  };
  return `sha256:${createHash("sha256").update(canonicalJson(content)).digest("hex")}`;
}
