/** The texts a drafted rule is made of, and the choices offered where only a person can decide. */

import { createdColumn, type DraftColumn, type DraftTable, keyOf } from "./draft-tables.ts";
import { yamlColumn, yamlList, yamlTable } from "./draft-yaml.ts";
import { sameTable } from "./names.ts";

/** `via` by name where the schema joins the tables by these columns, else spelled out. */
export function viaText(table: DraftTable, parent: DraftTable, columns: readonly string[]): string {
  const declared = table.references.some(
    (key) => sameTable(key.parent, parent.name) && columns.every((column) => key.columns.includes(column)),
  );
  return declared
    ? yamlTable(parent.name)
    : `{ columns: [${columns.map(yamlColumn).join(", ")}], references: ${yamlTable(parent.name)}, referenced: [${yamlColumn(keyOf(parent) ?? "id")}] }`;
}

/** What a person may choose from, when the owner of the rows is unclear: deleted with the person, or freed of them. */
export function ownerChoices(table: DraftTable, subject: DraftTable, columns: readonly string[]): string[] {
  const vias = columns.map((column) => viaText(table, subject, [column]));
  const via = new Set(vias).size === 1 ? (vias[0] ?? "") : `[${[...new Set(vias)].join(", ")}]`;
  const freed = columns.map(
    (column) => `${yamlColumn(column)}: ${isNullable(table, column) ? "null" : "{ value: … }"}`,
  );
  return [`{ via: ${via} }`, `{ via: ${via}, action: anonymise, set: { ${freed.join(", ")} } }`];
}

export function anonymisedChoice(table: DraftTable, ids: readonly string[]): string {
  const set = [
    ...new Set([...ids, ...table.columns.filter(({ personal }) => personal !== undefined).map(({ name }) => name)]),
  ].map((column) => {
    const text = table.columns.find(({ name }) => name === column);
    const change =
      text?.personal === "free text"
        ? "{ redact: [email, phone] }"
        : isNullable(table, column)
          ? "null"
          : "{ value: … }";
    return `${yamlColumn(column)}: ${change}`;
  });
  return `{ match: { account_id: ${yamlList(ids)} }, scope: reviews, ${createdLine(createdColumn(table))}, action: anonymise, set: { ${set.join(", ")} } }`;
}

export function retainedChoice(table: DraftTable, ids: readonly string[]): string {
  const set = ids.map((column) => `${yamlColumn(column)}: ${isNullable(table, column) ? "null" : "{ value: … }"}`);
  return `{ match: { account_id: ${yamlList(ids)} }, ${createdLine(createdColumn(table))}, action: retain, basis: "Art. 17(3)(b) …", for: 7y, set: { ${set.join(", ")} } }`;
}

/** A column that does not exist: the draft loads, and the check refuses until somebody has decided. */
export function createdLine(created: DraftColumn | undefined): string {
  return created === undefined ? 'created_at: "DECIDE"' : `created_at: ${yamlColumn(created.name)}`;
}

export function isNullable(table: DraftTable, column: string): boolean {
  return table.columns.find(({ name }) => name === column)?.notNull === false;
}
