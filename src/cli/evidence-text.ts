/** The evidence as a person at a terminal reads it: what was done, table by table, and for whom. */
import type { BackupEvidence, EvidenceDocument, ScrubEvidence, TableEvidence } from "../evidence/document.ts";

/** Columns aligned, numbers to the right. */
export function alignedTable(header: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column < textColumns ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `1 record`, `2,000 records`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

const headings: Readonly<Record<EvidenceDocument["outcome"], string>> = {
  restored: "restored",
  scrubbed: "a sanitised copy was written and read back",
  planned: "dry run: nothing was loaded",
  verified: "verified: the backup can be restored",
  refused: "refused",
  failed: "failed",
};

export function evidenceText(evidence: EvidenceDocument): string {
  const number = (value: number): string => value.toLocaleString("en");
  const lines: string[] = [`${headings[evidence.outcome]} (run ${evidence.run})`];
  if (evidence.backup) {
    const hours = (evidence.backup.age_seconds / 3600).toFixed(1);
    lines.push(`backup  ${evidence.backup.location}, ${hours} hours old`);
    lines.push(...readingLines(evidence.backup));
  }
  if (evidence.ledger)
    lines.push(`ledger  ${counted(evidence.ledger.size, "record")}, head ${evidence.ledger.head.slice(0, 16)}`);
  if (evidence.plan) lines.push(`plan    ${evidence.plan.digest.slice(0, 23)}`);
  if (evidence.target) lines.push(`target  database ${evidence.target.database}`);
  if (evidence.scrub) lines.push(...copyLines(evidence.scrub, number));
  const tables = evidence.tables ?? [];
  if (tables.length > 0) lines.push("", tableLines(tables, number));
  const met = evidence.requests ?? [];
  if (met.length > 0) {
    const rows = met
      .slice(0, 20)
      .map((request) => [
        request.request_id,
        request.state,
        number(request.rows_erased),
        number(request.rows_anonymised),
        number(request.rows_pending),
        number(request.rows_retained),
      ]);
    lines.push("", alignedTable(["request", "state", "erased", "anonymised", "pending", "retained"], rows, 2));
    if (met.length > 20) lines.push(`and ${number(met.length - 20)} more requests`);
  }
  const { erased = 0, orphans } = evidence.large_objects ?? {};
  if (erased > 0 || (orphans ?? 0) > 0) {
    const lost = orphans ? `; ${number(orphans)} that no row refers to` : "";
    lines.push("", `large objects erased: ${number(erased)}${lost}`);
  }
  if (evidence.verification) {
    const { survivors, values_checked, constraints } = evidence.verification;
    lines.push(
      "",
      `survivors: ${number(survivors)} in the columns the policy matches (${number(values_checked)} values read back)`,
      `constraints that hold: ${number(constraints)}`,
    );
  }
  return lines.join("\n");
}

/** How the file had to be read, when that is not plain; and what is unusual about it. */
function readingLines({ wrapping = [], readings = [], remarks = [] }: BackupEvidence): string[] {
  const times = readings.length === 1 ? "once" : `${readings.length} times`;
  return [
    ...(wrapping.length > 0 ? [`        inside ${wrapping.join(", ")}`] : []),
    ...(readings.length > 0 ? [`        read ${times}:`, ...readings.map((reason) => `          ${reason}`)] : []),
    ...remarks.map((remark) => `        ${remark}`),
  ];
}

function copyLines(copy: ScrubEvidence, number: (value: number) => string): string[] {
  const form = [copy.format, copy.compression === "none" ? "" : copy.compression, copy.encrypted ? "age" : ""];
  const removed = counted(copy.versions_removed, "older version");
  return [
    `copy    ${copy.location}, ${number(copy.size)} bytes, ${form.filter((part) => part !== "").join(", ")}`,
    ...(copy.replaced ? [`        in the place of the original; ${removed} removed`] : []),
  ];
}

function tableLines(tables: readonly TableEvidence[], number: (value: number) => string): string {
  const rows = tables.map((table) => [
    table.table.replaceAll(/[\r\n]/g, " "),
    number(table.rows_read),
    number(table.rows_kept),
    number(table.rows_anonymised),
    number(table.rows_erased),
    number(table.rows_pending),
  ]);
  const sum = (of: (table: TableEvidence) => number): string =>
    number(tables.reduce((total, table) => total + of(table), 0));
  const total = [
    "all",
    sum((t) => t.rows_read),
    sum((t) => t.rows_kept),
    sum((t) => t.rows_anonymised),
    sum((t) => t.rows_erased),
    sum((t) => t.rows_pending),
  ];
  return alignedTable(["table", "read", "kept", "anonymised", "erased", "pending"], [...rows, total]);
}
