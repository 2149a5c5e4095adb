/** What the rules need to know of a column's type: its kind, behind domains and modifiers. */

import type { TocEntry } from "../archive/model.ts";
import { type DdlParser, typeNameText, typeText } from "./ddl-statement.ts";

export type TypeKind =
  | "text"
  | "integer"
  | "number"
  | "boolean"
  | "uuid"
  | "oid"
  | "timestamptz"
  | "timestamp"
  | "date"
  | "json"
  /** Arrays, composites, hstore, xml, bytea, ranges: a value inside is not the column's text. */
  | "structured"
  /** A type of an extension, an enum, inet and so on: compared by its text. */
  | "other"
  /** The dump does not say. */
  | "unknown";

export interface TypeFacts {
  readonly kind: TypeKind;
  /** A domain that refuses NULL. */
  readonly notNull: boolean;
  /** Longest text in characters, of `character varying(n)` and `character(n)`. */
  readonly maxLength: number | null;
  /** The type behind domains, as pg_dump writes it, without modifiers. */
  readonly base: string | null;
  /** The same with modifiers. */
  readonly full: string | null;
}

const KINDS: Readonly<Record<string, TypeKind>> = {
  text: "text",
  "character varying": "text",
  character: "text",
  '"char"': "text",
  name: "text",
  citext: "text",
  smallint: "integer",
  integer: "integer",
  bigint: "integer",
  numeric: "number",
  real: "number",
  "double precision": "number",
  boolean: "boolean",
  uuid: "uuid",
  oid: "oid",
  lo: "oid",
  "timestamp with time zone": "timestamptz",
  "timestamp without time zone": "timestamp",
  date: "date",
  json: "json",
  jsonb: "json",
  bytea: "structured",
  xml: "structured",
  hstore: "structured",
  tsvector: "structured",
  tsquery: "structured",
  int4range: "structured",
  int8range: "structured",
  numrange: "structured",
  tsrange: "structured",
  tstzrange: "structured",
  daterange: "structured",
};

/** Types that the dump itself defines, parsed when first asked for. */
export class TypeCatalog {
  readonly #parser: DdlParser;
  readonly #entries = new Map<string, TocEntry>();

  constructor(toc: readonly TocEntry[], parser: DdlParser) {
    this.#parser = parser;
    for (const entry of toc) {
      if (entry.desc === "TYPE" || entry.desc === "DOMAIN") {
        this.#entries.set(typeNameText({ schema: entry.namespace ?? "", name: entry.tag }), entry);
      }
    }
  }

  facts(type: string | null): TypeFacts {
    return this.#facts(type, 0);
  }

  #facts(type: string | null, depth: number): TypeFacts {
    // A domain over itself cannot exist; a damaged dump could claim one.
    if (type === null || depth > 32) {
      return { kind: "unknown", notNull: false, maxLength: null, base: null, full: null };
    }
    const length = /\((\d+)\)$/.exec(type)?.[1];
    const base = type.replace(/\([\d,]+\)/, "");
    const plain = { notNull: false, maxLength: length === undefined ? null : Number(length), base, full: type };
    if (type.endsWith("[]")) {
      return { ...plain, kind: "structured", maxLength: null };
    }
    const entry = this.#entries.get(base);
    if (entry !== undefined) {
      return this.#ofEntry(entry, base, depth);
    }
    // An extension's type stands in the schema the extension was installed in.
    const kind =
      KINDS[base] ?? KINDS[/^(?:"(?:[^"]|"")*"|[^.]*)\.(citext|hstore|lo)$/.exec(base)?.[1] ?? ""] ?? "other";
    return { ...plain, kind, maxLength: kind === "text" ? plain.maxLength : null };
  }

  #ofEntry(entry: TocEntry, base: string, depth: number): TypeFacts {
    for (const statement of this.#parser.statements(entry) ?? []) {
      if ("CreateDomainStmt" in statement) {
        const domain = statement.CreateDomainStmt;
        const behind = this.#facts(typeText(domain.typeName), depth + 1);
        const notNull = (domain.constraints ?? []).some(
          (node) => "Constraint" in node && node.Constraint.contype === "CONSTR_NOTNULL",
        );
        return { ...behind, notNull: behind.notNull || notNull };
      }
      if ("CompositeTypeStmt" in statement || "CreateRangeStmt" in statement) {
        return { kind: "structured", notNull: false, maxLength: null, base, full: base };
      }
      if ("CreateEnumStmt" in statement) {
        return { kind: "other", notNull: false, maxLength: null, base, full: base };
      }
    }
    return { kind: entry.desc === "DOMAIN" ? "unknown" : "other", notNull: false, maxLength: null, base, full: base };
  }
}
