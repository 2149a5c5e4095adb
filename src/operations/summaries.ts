/** Tallies and requests as evidence tells them. */
import type { Archive } from "../archive/model.ts";
import type { ErasurePlan } from "../erasure/plan.ts";
import type { Tally } from "../erasure/tally.ts";
import { VerificationFailed } from "../errors.ts";
import type { BackupEvidence, LargeObjectEvidence, RequestEvidence, TableEvidence } from "../evidence/document.ts";

/** How many of the archive's large objects the plan leaves out: of those it names, the ones that are there. */
export function erasedLargeObjects(archive: Pick<Archive, "toc">, plan: ErasurePlan): number {
  const present = archive.toc.flatMap(({ desc, tag, defn }) =>
    desc === "BLOB" ? [tag] : desc === "BLOB METADATA" ? (defn ?? "").split("\n") : [],
  );
  return new Set(present.filter((oid) => oid !== "" && plan.largeObjects.has(Number(oid)))).size;
}

/**
 * What became of the dump's large objects. Orphans stay, and no row that stays refers to them; `null` where the archive does
 * not name its large objects. @throws VerificationFailed (`large_object_lost`).
 */
export function largeObjectEvidence(plan: ErasurePlan, tally: Tally, restored: number | null): LargeObjectEvidence {
  const dumped = plan.dumpedObjects;
  if (dumped === null) return { restored, erased: plan.largeObjects.size, orphans: null };
  const referenced = tally.referenced(dumped);
  const erased = [...plan.largeObjects].filter((oid) => dumped.has(oid));
  const lost = erased.filter((oid) => referenced.has(oid)).length;
  if (lost > 0) {
    throw new VerificationFailed(`${lost} large objects were taken out that rows which stay refer to`, {
      code: "large_object_lost",
      hint: "this is a defect of sanitize: report it; nothing was made servable",
    });
  }
  return { restored, erased: erased.length, orphans: dumped.size - erased.length - referenced.size };
}

/** The backup's evidence with what has been learnt of the file so far: what lies around it, how it had to be read, remarks. */
export function readingEvidence(
  { evidence, archive }: { readonly evidence: BackupEvidence; readonly archive: Archive },
  plan: Pick<ErasurePlan, "readings">,
): BackupEvidence {
  const { sequential, wrapping, remarks } = archive;
  const readings = sequential || plan.readings.length > 0 ? [...plan.readings, "to filter all rows"] : [];
  return {
    ...evidence,
    ...(wrapping.length > 0 ? { wrapping } : {}),
    ...(readings.length > 0 ? { readings } : {}),
    ...(remarks.length > 0 ? { remarks: [...remarks] } : {}),
  };
}

/** One line for each table with data in the dump, in the dump's order. */
export function tableEvidence(plan: ErasurePlan, tally: Tally): TableEvidence[] {
  return [...plan.tables.values()].map((table) => {
    const counts = tally.table(table.dumpId);
    return {
      table: table.label,
      class: table.kind,
      rows_read: counts.read,
      rows_kept: counts.kept,
      rows_anonymised: counts.anonymised,
      rows_erased: counts.erased,
      rows_pending: counts.pending,
      rows_retained: counts.retained,
      late_hits: counts.late,
      ...(table.rule?.basis ? { basis: table.rule.basis } : {}),
    };
  });
}

/** One entry for each request of the ledger that concerns this database, in the ledger's order. */
export function requestEvidence(plan: ErasurePlan, tally: Tally): RequestEvidence[] {
  const used = new Set([...plan.tables.values()].flatMap(({ rule }) => (rule?.scope ? [rule.scope] : [])));
  return plan.views.flatMap((view, ordinal) => {
    if (!view) return [];
    const counts = tally.requests.get(ordinal);
    const scopes = view.request.scopes.map(({ scope, action, effective_at }) => ({
      scope,
      action,
      state: view.scope(scope).state,
      effective_at,
    }));
    return [
      {
        request_id: view.request.requestId,
        // a scope that no rule of this policy has is no reason to wait
        state: scopes.some(({ scope, state }) => state === "pending" && used.has(scope)) ? "pending" : "effective",
        scopes,
        rows_erased: counts?.erased ?? 0,
        rows_anonymised: counts?.anonymised ?? 0,
        rows_pending: counts?.pending ?? 0,
        rows_retained: counts?.retained ?? 0,
      },
    ];
  });
}
