/**
 * What a statement of a script means for the table of contents: the words that the readers of single kinds of statements
 * (create-statement.ts, alter-statement.ts, attached-statement.ts) and the one who keeps the entries share.
 */

import type { Section } from "../model.ts";
import type { QualifiedName } from "../sql/tokens.ts";
import type { StatementWords } from "./statement-words.ts";

/** An entry to make. */
export interface Made {
  readonly does: "make";
  readonly desc: string;
  /** As pg_dump makes tags: `orders`, `orders orders_pkey`, `f(integer)`. */
  readonly tag: string;
  /** Schema as spelled; "" for the one in force; `null` for what is in no schema. */
  readonly schema: string | null;
  /** Where entries of this kind stand. */
  readonly section: Section;
  /** What the statement makes, under the name by which later statements speak of it. */
  readonly self?: ObjectName;
  /** The relation it is, or belongs to. */
  readonly relation?: QualifiedName;
  /** The object as DROP and ALTER … OWNER name it: `sales.f(a integer)`. */
  readonly object?: string;
  /** Several in a row are one entry: privileges, settings of the database, statistics. */
  readonly joins?: boolean;
  /** No rule says what it needs: everything before it must be done, and nothing behind it begun. */
  readonly barrier?: boolean;
}

export interface ObjectName {
  /** RELATION for everything that shares pg_class's names, else the kind's own word. */
  readonly kind: string;
  readonly name: QualifiedName;
  /** The table of a constraint, trigger, rule or policy. */
  readonly on?: QualifiedName | null;
}

export type Meaning =
  | Made
  /** `ALTER … OWNER TO role`. */
  | {
      readonly does: "own";
      readonly kind: string;
      readonly name: QualifiedName;
      readonly object: string;
      readonly role: string;
    }
  /** More about an object; `alone` when it does not stand right behind that object's own statement. */
  | { readonly does: "follow"; readonly name: QualifiedName; readonly alone: Made }
  /** DROP, or ALTER … DROP. */
  | { readonly does: "drop"; readonly name: QualifiedName | null; readonly alone: Made }
  | { readonly does: "large-object"; readonly oid: string }
  | { readonly does: "large-object-owner"; readonly oid: string; readonly role: string }
  /** Of the whole server: roles, their memberships, tablespaces. `memberOf`: [group, member]. */
  | {
      readonly does: "global";
      readonly role?: string;
      readonly tablespace?: string;
      readonly memberOf?: readonly [string, string];
    }
  | { readonly does: "copy" }
  | { readonly does: "nothing" }
  /** Would write rows past the filter, or cannot be followed. */
  | { readonly does: "refuse"; readonly what: string };

export const relation = (name: QualifiedName): ObjectName => ({ kind: "RELATION", name });

/** A name's schema as {@link Made} has it. */
export function schemaOf(name: QualifiedName): string {
  return name.schema ?? "";
}

/** An entry for a statement that no rule knows: its type is its first words. */
export function unknownEntry(words: StatementWords): Made {
  const desc = words.firstWords(words.list.length > 2 ? 2 : 1);
  return {
    does: "make",
    desc: desc === "" ? "STATEMENT" : desc,
    tag: "",
    schema: null,
    section: "none",
    barrier: true,
  };
}
