/**
 * What a sanitised copy holds, whatever its format: the source's entries without those that go, rows and large objects
 * through the filter. Counts and fingerprints what it gives out, for the reading back.
 *
 * Invariants: entries that hold column values beside the rows (statistics) never come along; an entry is the source's to the
 * byte unless a large object that goes is named in it; rows leave only through `sanitisedTable`.
 */
import type { Archive, LargeObject, TocEntry } from "../../archive/model.ts";
import { meaningful, qualifiedName, tokens } from "../../archive/sql/tokens.ts";
import type { ErasurePlan } from "../../erasure/plan.ts";
import { Tally } from "../../erasure/tally.ts";
import { largeObjectRemains, type NewTexts } from "../../postgres/large-object-remains.ts";
import { sanitisedTable } from "../restore-table.ts";
import type { RunContext } from "../settings.ts";
import { CLOSING, LargeObjectSet, TableSet } from "./fingerprint.ts";
import type { ScrubFormat } from "./scrub-shape.ts";

/** An entry that stays; `texts` in place of its own where there are any. */
export interface RemainingEntry {
  readonly entry: TocEntry;
  readonly texts: NewTexts | null;
}

/** They hold most common values and histogram bounds: copies of rows. */
const STATISTICS = new Set(["STATISTICS DATA", "EXTENDED STATISTICS DATA"]);

export class ScrubContent {
  readonly archive: Archive;
  readonly plan: ErasurePlan;
  readonly tally = new Tally();
  /** As they were written. */
  readonly tables = new TableSet();
  readonly largeObjects = new LargeObjectSet();
  readonly #run: RunContext;
  readonly #format: ScrubFormat;

  /** `format`: of the copy. */
  constructor(run: RunContext, archive: Archive, plan: ErasurePlan, format: ScrubFormat) {
    this.#run = run;
    this.#format = format;
    this.archive = archive;
    this.plan = plan;
  }

  /** In the source's order. */
  entries(): RemainingEntry[] {
    const { toc, entry: byId } = this.archive;
    return toc.flatMap((entry) => {
      if (STATISTICS.has(entry.desc) || this.skips(entry)) return [];
      const left = largeObjectRemains(entry, byId, this.plan.largeObjects);
      if (left === "nothing") return [];
      return [{ entry, texts: left === "all" ? null : left }];
    });
  }

  /** True for the rows of a table that the policy keeps empty. */
  skips(entry: TocEntry): boolean {
    return entry.desc === "TABLE DATA" && this.plan.tables.get(entry.dumpId)?.kind === "skip_data";
  }

  /**
   * A script numbers its entries anew, and is read with all rows of one COPY statement as one entry. Names without a schema,
   * as archives of before 2018 have them, mean the entry's.
   */
  keyOf(entry: TocEntry): string {
    if (this.#format !== "plain") return String(entry.dumpId);
    const statement = (entry.copyStmt ?? "").trim();
    const target = qualifiedName(meaningful(tokens(statement)), 1);
    return target?.schema == null ? JSON.stringify([entry.namespace, statement]) : statement;
  }

  /** COPY text of the rows that stay, without a closing line. Once for each entry. */
  async *rows(entry: TocEntry): AsyncGenerator<Buffer, void, undefined> {
    const started = performance.now();
    const table = this.tables.table(this.keyOf(entry), entry.dumpId);
    for await (const bytes of sanitisedTable(this.archive, entry, this.plan, this.tally, this.#run.signal)) {
      table.hash.update(bytes);
      yield bytes;
    }
    const { kept, anonymised, read } = this.tally.table(entry.dumpId);
    table.rows += kept + anonymised;
    this.#run.onEvent({
      type: "table",
      table: this.plan.tables.get(entry.dumpId)?.label ?? "",
      state: "done",
      rows: read,
      seconds: (performance.now() - started) / 1000,
    });
  }

  /** The same with the line that ends a table's data in an archive. */
  async *closedRows(entry: TocEntry): AsyncGenerator<Buffer, void, undefined> {
    yield* this.rows(entry);
    yield CLOSING;
  }

  /** The large objects that stay. Each one's data is to be read before the next is asked for. */
  async *objects(entry: TocEntry): AsyncGenerator<LargeObject, void, undefined> {
    for await (const object of this.archive.largeObjects(entry, this.#run.signal)) {
      if (!this.plan.largeObjects.has(object.oid)) {
        yield this.largeObjects.watch(object);
        continue;
      }
      // what lies behind it is reached only through it
      for await (const bytes of object.data) void bytes;
    }
  }
}
