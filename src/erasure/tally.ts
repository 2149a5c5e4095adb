/** Counts what became of rows, by table and by request. Invariant: read = kept + anonymised + erased. */
import { type DumpedObjects, ReferencedObjects } from "./dumped-objects.ts";
import type { Decision } from "./examine.ts";

export interface TableTally {
  read: number;
  /** Left as they came, rows of pending requests and retained rows included. */
  kept: number;
  anonymised: number;
  erased: number;
  /** Of those kept: rows whose request has not taken effect yet. */
  pending: number;
  /** Kept (or minimised) because the policy retains them. */
  retained: number;
  /** Rows of a request that took effect before the snapshot: the live eraser should have removed them. */
  late: number;
}

export interface RequestTally {
  erased: number;
  anonymised: number;
  pending: number;
  retained: number;
}

export class Tally {
  readonly tables = new Map<number, TableTally>();
  readonly requests = new Map<number, RequestTally>();
  private references: ReferencedObjects | null = null;

  /** The large objects that rows which stayed refer to; made when first asked for. */
  referenced(objects: DumpedObjects): ReferencedObjects {
    this.references ??= new ReferencedObjects(objects);
    return this.references;
  }

  table(dumpId: number): TableTally {
    let tally = this.tables.get(dumpId);
    if (!tally) {
      tally = { read: 0, kept: 0, anonymised: 0, erased: 0, pending: 0, retained: 0, late: 0 };
      this.tables.set(dumpId, tally);
    }
    return tally;
  }

  /** Counts one row that a request covers; `changed` when its bytes were rewritten. */
  count(table: TableTally, decision: Decision, changed: boolean, late: boolean): void {
    const { outcome, ordinals } = decision;
    if (outcome === "delete") table.erased++;
    else if (changed && outcome !== "pending") table.anonymised++;
    else table.kept++;
    if (outcome === "pending") table.pending++;
    if (outcome === "retain") table.retained++;
    if (late) table.late++;
    for (const ordinal of ordinals) {
      const request = this.request(ordinal);
      if (outcome === "delete") request.erased++;
      else if (outcome === "anonymise") request.anonymised++;
      else if (outcome === "pending") request.pending++;
      else request.retained++;
    }
  }

  private request(ordinal: number): RequestTally {
    let tally = this.requests.get(ordinal);
    if (!tally) {
      tally = { erased: 0, anonymised: 0, pending: 0, retained: 0 };
      this.requests.set(ordinal, tally);
    }
    return tally;
  }
}
