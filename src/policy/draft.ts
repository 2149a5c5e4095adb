/**
 * A first policy for a dump that has none. It loads; whether it covers the dump is for `policy check` to say, and on purpose
 * it often does not: what only a person can decide is left out as a comment that begins with DECIDE, so that the check
 * refuses until somebody has.
 *
 * Invariant: nothing here is trusted later. A guess that would delete what should stay, or keep what should go, is not made.
 */

import type { Archive } from "../archive/model.ts";
import { anonymisedChoice, createdLine, isNullable, ownerChoices, retainedChoice, viaText } from "./draft-choices.ts";
import {
  createdColumn,
  type DraftTable,
  findSubject,
  keyOf,
  readDraftTables,
  undeclaredReferences,
} from "./draft-tables.ts";
import { type DraftEntry, writeDraft, yamlColumn, yamlList, yamlTable } from "./draft-yaml.ts";
import type { ParseCopy } from "./dump-tables.ts";
import { holdsLargeObjects } from "./large-object-columns.ts";
import { type ForeignKey, tableKey } from "./model.ts";
import { columnLabel, sameTable, tableLabel } from "./names.ts";
import { wordsOf } from "./personal-columns.ts";

export interface DraftOptions {
  readonly parseCopy: ParseCopy;
}

/** Drafts policy.yaml from a dump's table of contents. @throws PolicyRefused (`foreign_key_unreadable`) naming a dump ID. */
export async function draftPolicy(archive: Pick<Archive, "toc">, options: DraftOptions): Promise<string> {
  const tables = await readDraftTables(archive.toc, options.parseCopy);
  const subject = findSubject(tables);
  const draft = new Draft(tables, subject);
  draft.decide();
  const naive = tables.some((table) => {
    const time = createdColumn(table)?.kind;
    return draft.entry(table)?.kind === "rule" && (time === "timestamp" || time === "date");
  });
  return writeDraft({
    subject: subject === undefined ? null : { table: subject.name, keys: subjectKeys(subject) },
    naiveTimes: naive,
    entries: tables.map((table) => ({
      table,
      entry: withLargeObjects(table, holdsLargeObjects(archive.toc), draft.entry(table)),
    })),
  });
}

/** What a row refers to goes with it, unless somebody says that such a column holds OIDs of something else. */
function withLargeObjects(table: DraftTable, dumpHasThem: boolean, entry: DraftEntry | undefined): DraftEntry {
  const columns = dumpHasThem ? table.columns.filter(({ kind }) => kind === "oid").map(({ name }) => name) : [];
  if (entry?.kind === "rule" && columns.length > 0) {
    return { ...entry, lines: [...entry.lines, `large_objects: [${columns.map(yamlColumn).join(", ")}]`] };
  }
  return entry ?? { kind: "unaffected", reason: remark(table) };
}

function subjectKeys(subject: DraftTable): [string, readonly string[]][] {
  const of = (personal: string): string[] =>
    subject.columns.filter((column) => column.personal === personal).map(({ name }) => name);
  const key = keyOf(subject);
  const keys: [string, readonly string[]][] = [
    ["account_id", key === undefined ? [] : [key]],
    ["email", of("email")],
    ["phone", of("phone")],
  ];
  return keys.filter(([, columns]) => columns.length > 0);
}

const SHARED = /\b(review|rating|comment|testimonial|post|answer|question)s?\b/;
const ACCOUNTING = /\b(invoice|payment|order|transaction|bill|billing|receipt|refund|payout|ledger|tax|charge)s?\b/;
/** Columns that say who handled a row, not whose it is. */
const HANDLED =
  /\b(by|created by|updated by|approved by|assigned to|assignee|moderator|reviewer|manager|editor|approver|agent|staff|admin|head|boss|parent|owner|referrer|invited by)( id)?$/;

class Draft {
  readonly #tables: readonly DraftTable[];
  readonly #subject: DraftTable | undefined;
  readonly #entries = new Map<string, DraftEntry>();
  /** Tables whose rows may be deleted under the draft. */
  readonly #losing: DraftTable[] = [];

  constructor(tables: readonly DraftTable[], subject: DraftTable | undefined) {
    this.#tables = tables;
    this.#subject = subject;
  }

  entry(table: DraftTable): DraftEntry | undefined {
    return this.#entries.get(tableKey(table.name));
  }

  decide(): void {
    if (this.#subject !== undefined) {
      this.#lose(
        this.#subject,
        this.#matchRule(this.#subject, [keyOf(this.#subject) ?? ""], "the people: their identifiers are resolved here"),
      );
      for (const table of this.#tables) {
        this.#decidePersonal(table, this.#subject);
      }
    }
    this.#followForeignKeys();
    this.#addMissingVias();
    for (const table of this.#tables) {
      this.#decideContactData(table);
    }
  }

  #lose(table: DraftTable, entry: DraftEntry): void {
    this.#entries.set(tableKey(table.name), entry);
    this.#losing.push(table);
  }

  /** A table whose rows name a person of the subject table. */
  #decidePersonal(table: DraftTable, subject: DraftTable): void {
    const declared = table.references.filter((key) => sameTable(key.parent, subject.name) && key.columns.length === 1);
    const guessed = undeclaredReferences(table, subject);
    const columns = [...declared.flatMap((key) => key.columns), ...guessed.map(({ name }) => name)];
    if (this.#entries.has(tableKey(table.name)) || columns.length === 0) {
      return;
    }
    const owners = columns.filter((column) => !HANDLED.test(wordsOf(column)));
    if (owners.length !== columns.length || owners.length > 1) {
      this.#undecided(
        table,
        `refers to ${tableLabel(subject.name)} by ${columns.map(columnLabel).join(", ")}: whose are its rows?`,
        ownerChoices(table, subject, columns),
      );
    } else if (SHARED.test(wordsOf(table.name.name))) {
      this.#undecided(table, "is shared with others: does it stay without its author?", [
        anonymisedChoice(table, columns),
        ...ownerChoices(table, subject, columns),
      ]);
    } else if (ACCOUNTING.test(wordsOf(table.name.name))) {
      this.#undecided(table, "looks like accounting records, which tax law may oblige you to keep", [
        retainedChoice(table, columns),
        ...ownerChoices(table, subject, columns),
      ]);
    } else {
      const reason =
        guessed.length === 0
          ? `refers to ${tableLabel(subject.name)}`
          : `column ${columnLabel(columns[0] ?? "")} is named like a reference to ${tableLabel(subject.name)}; the schema declares none`;
      this.#lose(table, this.#matchRule(table, columns, reason));
    }
  }

  #matchRule(table: DraftTable, ids: readonly string[], reason: string): DraftEntry {
    const emails = table.columns.filter(({ personal }) => personal === "email").map(({ name }) => name);
    const created = createdColumn(table);
    const match = [`account_id: ${yamlList(ids)}`, ...(emails.length > 0 ? [`email: ${yamlList(emails)}`] : [])];
    const subject = this.#subject;
    if (created === undefined && subject !== undefined && table !== subject) {
      const via = viaText(table, subject, ids);
      return {
        kind: "rule",
        reason: `${reason}; no column says when a row was made`,
        lines: [`via: ${via}`],
        named: ids,
      };
    }
    return {
      kind: "rule",
      reason,
      lines: [`match: { ${match.join(", ")} }`, createdLine(created), "action: delete"],
      named: [...ids, ...emails, ...(created === undefined ? [] : [created.name])],
    };
  }

  #undecided(table: DraftTable, why: string, choices: readonly string[]): void {
    this.#entries.set(tableKey(table.name), { kind: "undecided", why, choices });
  }

  /** Rows below a row that goes: as the schema itself treats them when it is deleted. */
  #followForeignKeys(): void {
    for (const parent of this.#losing) {
      for (const table of this.#tables) {
        const keys = table.references.filter((key) => sameTable(key.parent, parent.name));
        if (keys.length > 0 && !this.#entries.has(tableKey(table.name))) {
          this.#followed(table, parent, keys);
        }
      }
    }
  }

  #followed(table: DraftTable, parent: DraftTable, keys: readonly ForeignKey[]): void {
    const columns = [...new Set(keys.flatMap((key) => key.columns))];
    const via = yamlTable(parent.name);
    const label = tableLabel(parent.name);
    if (ACCOUNTING.test(wordsOf(table.name.name))) {
      const set = columns.map(
        (column) => `${yamlColumn(column)}: ${isNullable(table, column) ? "null" : "{ value: … }"}`,
      );
      const retained = `{ via: ${via}, action: retain, basis: "Art. 17(3)(b) …", for: 7y, set: { ${set.join(", ")} } }`;
      this.#undecided(table, `belongs to ${label} and looks like accounting records`, [retained, `{ via: ${via} }`]);
    } else if (keys.every((key) => key.onDelete === "n") && columns.every((column) => isNullable(table, column))) {
      const set = columns.map((column) => `${yamlColumn(column)}: null`).join(", ");
      const lines = [`via: ${via}`, "action: anonymise", `set: { ${set} }`];
      this.#entries.set(tableKey(table.name), {
        kind: "rule",
        reason: `loses its reference to ${label}, as ON DELETE SET NULL says`,
        lines,
        named: columns,
      });
    } else {
      const cascade = keys.some((key) => key.onDelete === "c");
      const reason = cascade
        ? `goes with ${label}, as ON DELETE CASCADE says`
        : `DECIDE: goes with ${label}, or is it kept: action: anonymise and set?`;
      this.#lose(table, { kind: "rule", reason, lines: [`via: ${via}`], named: columns });
    }
  }

  /** A rule must follow every foreign key to a table that may lose rows. */
  #addMissingVias(): void {
    for (const table of this.#tables) {
      const entry = this.entry(table);
      if (entry?.kind !== "rule") {
        continue;
      }
      const loose = table.references.filter(
        (key) =>
          this.#losing.some((parent) => sameTable(parent.name, key.parent)) &&
          !key.columns.some((column) => entry.named.includes(column)),
      );
      if (loose.length > 0) {
        const parents = [...new Set(loose.map((key) => yamlTable(key.parent)))];
        this.#entries.set(tableKey(table.name), {
          ...entry,
          lines: withVias(entry.lines, parents),
          reason: `${entry.reason}; DECIDE: goes with ${loose.map((key) => tableLabel(key.parent)).join(" and ")} too`,
          named: [...entry.named, ...loose.flatMap((key) => key.columns)],
        });
      }
    }
  }

  /** What stands inside JSON the schema does not tell. */
  #decideJson(table: DraftTable): void {
    const column = table.columns.find(({ kind }) => kind === "json");
    if (column !== undefined) {
      const key = `{ column: ${yamlColumn(column.name)}, path: "$.user.id" }`;
      this.#undecided(table, `keeps JSON (${columnLabel(column.name)}): does it name people?`, [
        "unaffected",
        `{ match: { account_id: ${key} }, ${createdLine(createdColumn(table))}, action: delete }`,
      ]);
    }
  }

  /** Contact data that nothing leads to, or that stands behind a person's row. */
  #decideContactData(table: DraftTable): void {
    const contact = table.columns.filter(
      ({ personal }) => personal !== undefined && personal !== "free text" && personal !== "name",
    );
    const reliable = contact.some(({ personal }) => personal === "email" || personal === "phone");
    if (this.#entries.has(tableKey(table.name))) {
      return;
    }
    if (!reliable) {
      this.#decideJson(table);
      return;
    }
    const emails = contact.filter(({ personal }) => personal === "email").map(({ name }) => name);
    const choices = ["unaffected"];
    const behind = this.#subject?.references.find((key) => sameTable(key.parent, table.name));
    if (behind !== undefined && this.#subject !== undefined) {
      const set = contact.map((column) => `${yamlColumn(column.name)}: ${column.notNull ? "{ value: … }" : "null"}`);
      const via = `{ columns: [${behind.referenced.map(yamlColumn).join(", ")}], references: ${yamlTable(this.#subject.name)}, referenced: [${behind.columns.map(yamlColumn).join(", ")}] }`;
      choices.push(`{ via: ${via}, action: anonymise, set: { ${set.join(", ")} } }`);
    }
    if (emails.length > 0) {
      choices.push(`{ match: { email: ${yamlList(emails)} }, ${createdLine(createdColumn(table))}, action: delete }`);
    }
    this.#undecided(
      table,
      `holds contact data (${contact.map(({ name }) => columnLabel(name)).join(", ")}): of people who may ask for erasure?`,
      choices,
    );
  }
}

function withVias(lines: readonly string[], parents: readonly string[]): string[] {
  const via = lines.find((line) => line.startsWith("via: "));
  const all = [...(via === undefined ? [] : [via.slice("via: ".length)]), ...parents];
  return [...lines.filter((line) => line !== via), `via: [${all.join(", ")}]`];
}

function remark(table: DraftTable): string {
  const personal = table.columns.filter((column) => column.personal !== undefined && column.personal !== "name");
  return personal.length === 0
    ? ""
    : `look at ${personal.map(({ name, personal: kind }) => `${columnLabel(name)} (${kind})`).join(", ")}`;
}
