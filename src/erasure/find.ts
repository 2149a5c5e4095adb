/**
 * Phase one: reads the tables that must be known before any row can be filtered, and remembers what it learns:
 * other identifiers of the erased people (from the subject table), keys of rows that go, large objects that go with them.
 *
 * Parents are read before children; tables that refer to each other, or to themselves, are read until nothing new turns up.
 * The first rounds ask the scan kernel and are cheap; a chain that runs against the order of the dump would need one round
 * for each link, so from the fourth on references are remembered (within `referenceBudget`) and followed in one go.
 */
import type { Archive } from "../archive/model.ts";
import { type RowBatch, rowBatches } from "../copy/row-batches.ts";
import type { Probe } from "../copy/row-kernel.ts";
import { throwIfAborted } from "../errors.ts";
import { canonicalise } from "../ledger/canonical.ts";
import type { CompiledPlan } from "./compile.ts";
import { type Decision, longestIdentifier, textOf } from "./examine.ts";
import { readForwards } from "./forward-reading.ts";
import { fieldsReleased, oidAt } from "./large-objects.ts";
import type { Matcher } from "./matcher.ts";
import type { Outcome } from "./outcome.ts";
import { ReferenceChains } from "./reference-chains.ts";
import { referredValues } from "./reference-values.ts";
import type { RowView } from "./row-view.ts";
import { keepShared } from "./shared-objects.ts";
import type { ProbeMeaning, TablePlan } from "./table-plan.ts";

export interface Findings {
  /** Names of erased people by request ordinal; never leaves memory. */
  readonly names: ReadonlyMap<number, ReadonlySet<string>>;
  /** Large objects that go with their rows. */
  readonly largeObjects: ReadonlySet<number>;
  /** Identifiers added to the index. */
  readonly resolved: number;
  /** Tables read in this phase, by dump ID; several times where rounds were needed. */
  readonly tablesRead: readonly number[];
  /** Of an archive that cannot be read at any place: why it was read, once for each time from its beginning. */
  readonly readings: readonly string[];
}

/** Key types of the subject table that name the person rather than identify: used by `redact: [names]` alone. */
const nameTypes = new Set(["name", "names"]);
const cheapRounds = 3;
/** How often one batch is looked at again for what was found in it: answers to answers to answers. */
const batchRounds = 8;

export async function findWhatGoes(
  archive: Archive,
  compiled: CompiledPlan,
  matcher: Matcher,
  signal?: AbortSignal,
): Promise<Findings> {
  return await new Finder(archive, compiled, matcher, signal).run();
}

class Finder {
  private readonly names = new Map<number, Set<string>>();
  private readonly largeObjects = new Set<number>();
  private readonly tablesRead: number[] = [];
  private readonly done = new Set<number>();
  private resolved = 0;
  private readonly archive: Archive;
  private readonly compiled: CompiledPlan;
  private readonly matcher: Matcher;
  private readonly signal: AbortSignal | undefined;

  constructor(archive: Archive, compiled: CompiledPlan, matcher: Matcher, signal: AbortSignal | undefined) {
    this.archive = archive;
    this.compiled = compiled;
    this.matcher = matcher;
    this.signal = signal;
  }

  async run(): Promise<Findings> {
    const subjects = [...this.compiled.tables.values()].filter((plan) => plan.subject.length > 0);
    if (this.archive.sequential) return await this.runForwards(subjects);
    const piped = !this.archive.randomAccess;
    if (piped) await this.walk(subjects);
    for (const plan of subjects) if (!this.done.has(plan.dumpId)) await this.readAlone(plan, this.dataOf(plan));
    this.matcher.reloadTags();
    for (const group of this.compiled.order) {
      const wanted = group.filter((plan) => !this.done.has(plan.dumpId) && mustBeRead(plan));
      if (wanted.some((plan) => plan.edges.some((edge) => edge.cyclic))) await this.readToFixedPoint(wanted);
      else for (const plan of wanted) await this.readAlone(plan, this.dataOf(plan));
    }
    if (this.largeObjects.size > 0) await this.keepSharedLargeObjects();
    return this.findings(piped ? ["to learn where its tables lie: pg_dump could not write it down into a pipe"] : []);
  }

  private findings(readings: readonly string[]): Findings {
    const { names, largeObjects, resolved, tablesRead } = this;
    return { names, largeObjects, resolved, tablesRead, readings };
  }

  private async runForwards(subjects: readonly TablePlan[]): Promise<Findings> {
    const { archive, compiled } = this;
    let allResolved = subjects.length === 0;
    const readings = await readForwards({
      order: () => archive.dataOrder,
      tables: compiled.tables,
      groups: compiled.order,
      subjects,
      isWanted: (plan) => mustBeRead(plan) && !this.done.has(plan.dumpId),
      read: async (plan) => {
        await this.readAlone(plan, this.dataOf(plan));
        // a subject table with parents is read once for its people, and again for its parents
        if (allResolved) this.done.add(plan.dumpId);
      },
      resolved: () => {
        allResolved = true;
        this.matcher.reloadTags();
      },
      readCycle: async (plans) => {
        const rounds = await this.readToFixedPoint(plans);
        for (const plan of plans) this.done.add(plan.dumpId);
        return rounds;
      },
    });
    if (this.largeObjects.size === 0) return this.findings(readings);
    await this.keepSharedLargeObjects();
    return this.findings([...readings, "to learn which large objects are shared"]);
  }

  /** A piped archive is read once from end to end to learn positions; what can be found on the way is. */
  private async walk(subjects: readonly TablePlan[]): Promise<void> {
    const early =
      subjects.length > 0
        ? subjects
        : this.compiled.order.flat().filter((plan) => mustBeRead(plan) && plan.edges.length === 0);
    const wanted = new Map(early.map((plan) => [plan.dumpId, plan]));
    await this.archive.walk(
      {
        tableData: async (entry, data) => {
          const plan = wanted.get(entry.dumpId);
          if (plan) await this.readAlone(plan, data);
        },
      },
      this.signal,
    );
  }

  private dataOf(plan: TablePlan): AsyncIterable<Buffer> {
    return this.archive.tableData(this.archive.entry.get(plan.dumpId)!, this.signal);
  }

  /** Reads a table once. The subject table is read again with its parents known, if it has any. */
  private async readAlone(plan: TablePlan, data: AsyncIterable<Buffer>): Promise<void> {
    const { probes, meanings } = this.matcher.probeSet(plan);
    await this.scan(plan, data, probes, (batch) => this.remember(batch, plan, meanings));
    if (plan.subject.length === 0 || plan.edges.length === 0) this.done.add(plan.dumpId);
  }

  /** @returns how often the group was read. */
  private async readToFixedPoint(group: readonly TablePlan[]): Promise<number> {
    for (let round = 1; ; round++) {
      const before = this.revision();
      // where another round means another reading of the whole file, references are remembered from the first one on
      const follows = this.archive.sequential ? round % 2 === 1 : round > cheapRounds && round % 2 === 0;
      const chains = follows ? new ReferenceChains(this.matcher) : null;
      for (const plan of group) await this.readRound(plan, chains);
      // what chains found has been followed by bytes of keys alone: one more look at the rows themselves
      if (this.revision() === before && !chains) return round;
    }
  }

  private async readRound(plan: TablePlan, chains: ReferenceChains | null): Promise<void> {
    const { probes, meanings } = this.matcher.probeSet(plan, chains !== null);
    await this.scan(plan, this.dataOf(plan), probes, (batch) => {
      let revision = this.revision();
      this.remember(batch, plan, meanings, chains);
      // keys found in this batch may concern rows of this very batch
      for (let again = 0; !chains && again < batchRounds && revision !== this.revision(); again++) {
        revision = this.revision();
        this.remember(this.scannedAgain(batch, plan), plan, meanings);
      }
    });
  }

  private scannedAgain(batch: RowBatch, plan: TablePlan): RowBatch {
    if (batch.longRow) return batch;
    const { candidates } = this.matcher.kernel.scan(
      batch.bytes,
      plan.columns.length,
      this.matcher.probeSet(plan).probes,
    );
    return { ...batch, candidates };
  }

  private revision(): number {
    let sum = 0;
    for (const keys of this.compiled.parents.values()) sum += keys.revision;
    return sum;
  }

  private async scan(
    plan: TablePlan,
    data: AsyncIterable<Buffer>,
    probes: readonly Probe[],
    each: (batch: RowBatch) => void,
  ): Promise<void> {
    this.tablesRead.push(plan.dumpId);
    const layout = { table: plan.label, columns: plan.columns.length, probes };
    for await (const batch of rowBatches(data, layout, this.matcher.kernel)) {
      throwIfAborted(this.signal);
      each(batch);
    }
  }

  private remember(
    batch: RowBatch,
    plan: TablePlan,
    meanings: readonly ProbeMeaning[],
    chains: ReferenceChains | null = null,
  ): void {
    this.matcher.coveredRows(batch, plan, meanings, (row, _start, _end, decision) => {
      if (plan.subject.length > 0) this.resolve(row, plan, decision.direct);
      this.expose(row, plan, decision, chains);
      this.rememberLargeObjects(row, plan, decision.outcome);
    });
    chains?.follow(batch, plan);
  }

  private expose(row: RowView, plan: TablePlan, decision: Decision, chains: ReferenceChains | null): void {
    if (decision.outcome !== "delete" && decision.outcome !== "pending") return;
    const fate = { goes: decision.outcome === "delete", ordinals: decision.ordinals };
    for (const { fields, keys } of plan.exposes) {
      const values = referredValues(row, fields, plan);
      if (values !== null && keys.add(values, fate)) chains?.parentGoes(keys, values);
    }
  }

  /** The subject row tells the other identifiers of the people whose own keys it holds. */
  private resolve(row: RowView, plan: TablePlan, ordinals: readonly number[]): void {
    const { index, resolved } = this.matcher.context;
    for (const { type, field } of plan.subject) {
      if (row.length(field) > longestIdentifier) continue;
      const text = textOf(row, field, this.matcher.context);
      if (text === null || text === "") continue;
      for (const ordinal of ordinals) {
        if (nameTypes.has(type)) {
          const names = this.names.get(ordinal) ?? new Set();
          this.names.set(ordinal, names.add(text));
          continue;
        }
        const form = canonicalise(type, text);
        if (!form.ok || index.lookup(type, form.value).includes(ordinal)) continue;
        if (resolved.add(type, form.value, ordinal)) this.resolved++;
      }
    }
  }

  private async keepSharedLargeObjects(): Promise<void> {
    await keepShared(this.largeObjects, this.compiled.tables.values(), this.matcher, (plan, probes, each) =>
      this.scan(plan, this.dataOf(plan), probes, each),
    );
  }

  private rememberLargeObjects(row: RowView, plan: TablePlan, outcome: Outcome): void {
    for (const field of fieldsReleased(plan, outcome)) {
      const oid = oidAt(row, field);
      if (oid !== null) this.largeObjects.add(oid);
    }
  }
}

/** Something of the table must be known before rows are filtered. */
function mustBeRead(plan: TablePlan): boolean {
  return plan.rule !== null && (plan.exposes.length > 0 || plan.largeObjects.length > 0);
}
