/**
 * The ledger brought to the rows: tag tables in the scan kernel, the exact examiner behind them. One for each thread.
 */
import type { RowBatch } from "../copy/row-batches.ts";
import { maxProbes, type Probe, type RowKernel, type TagTable } from "../copy/row-kernel.ts";
import { PolicyRefused } from "../errors.ts";
import { type Decision, examineRow, type MatchContext } from "./examine.ts";
import { LongRowView, ShortRowView } from "./row-view.ts";
import { formOf, type ProbeMeaning, type ProbeSet, type TablePlan } from "./table-plan.ts";

/** Calls back for each row of a batch that a request or a parent covers. */
export type CoveredRow = (row: ShortRowView | LongRowView, start: number, end: number, decision: Decision) => void;

interface TypeTags {
  readonly key: Buffer;
  readonly table: TagTable;
}

const noTagKey = new Uint8Array(16);

export class Matcher {
  readonly kernel: RowKernel;
  readonly context: MatchContext;
  private tagsByType = new Map<string, readonly TypeTags[]>();

  constructor(kernel: RowKernel, context: MatchContext) {
    this.kernel = kernel;
    this.context = context;
  }

  /** Must be called after identifiers were added to the index, before the next table is read. */
  reloadTags(): void {
    this.tagsByType = new Map();
  }

  /**
   * The kernel's questions for a table. With `everyReference` rows that refer to anything along a cyclic edge are
   * candidates, whether or not the parent is known to go.
   */
  probeSet(plan: TablePlan, everyReference = false): ProbeSet {
    const probes: Probe[] = [];
    const meanings: ProbeMeaning[] = [];
    for (const key of plan.keys) {
      for (const tags of this.tagsOf(key.type, plan.subject.length > 0)) {
        probes.push({ column: key.field, form: formOf(key), tagKey: tags.key, table: tags.table });
        meanings.push({ key });
        if (key.path) break;
      }
    }
    for (const edge of plan.edges) {
      const column = edge.fields.at(-1)!;
      probes.push(
        everyReference && edge.cyclic
          ? { column, form: "present", tagKey: noTagKey, table: null }
          : { column, form: "exact", tagKey: edge.parents.tagKey, table: edge.parents.tags },
      );
      meanings.push({ edge });
    }
    if (probes.length > maxProbes) {
      throw new PolicyRefused(
        `table ${plan.label} is asked for ${probes.length} keys and references, ${maxProbes} are possible`,
        {
          code: "too_many_keys",
          hint: "retire key epochs whose last tombstone has expired, or leave out keys that another one implies",
        },
      );
    }
    return { probes, meanings };
  }

  /** Examines a batch's candidates in row order. */
  coveredRows(batch: RowBatch, plan: TablePlan, meanings: readonly ProbeMeaning[], found: CoveredRow): void {
    if (batch.longRow) {
      const row = new LongRowView(batch.longRow);
      const decision = examineRow(row, batch.firstRow, plan, meanings, this.context);
      if (decision.outcome !== "none") found(row, 0, batch.longRow.length, decision);
      return;
    }
    const { candidates } = batch;
    for (let at = 0; at < candidates.length; at += 4) {
      const start = candidates[at + 1]!;
      const end = candidates[at + 2]!;
      const row = new ShortRowView(batch.bytes, start, end);
      const suspects = meanings.filter((_, bit) => (candidates[at + 3]! & (1 << bit)) !== 0);
      const decision = examineRow(row, batch.firstRow + candidates[at]!, plan, suspects, this.context);
      if (decision.outcome !== "none") found(row, start, end, decision);
    }
  }

  /** One table for each epoch in which there are tombstones of the type. */
  private tagsOf(type: string, ledgerOnly: boolean): readonly TypeTags[] {
    const { index, resolved } = this.context;
    const name = ledgerOnly || resolved.tagKeys(type).length === 0 ? type : `${type} and resolved`;
    let tags = this.tagsByType.get(name);
    if (!tags) {
      const sources = name === type ? [index] : [index, resolved];
      const epochs = new Map(
        sources.flatMap((source) => source.tagKeys(type).map(({ epoch, key }) => [epoch, key] as const)),
      );
      tags = [...epochs].map(([epoch, key]) => {
        const table = this.kernel.tagTable(index.tags(type, epoch));
        if (name !== type) for (const tag of resolved.tags(type, epoch)) table.add(tag);
        return { key, table };
      });
      this.tagsByType.set(name, tags);
    }
    return tags;
  }
}
