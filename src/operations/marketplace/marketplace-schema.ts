/**
 * The marketplace's TOC entries, as pg_dump 15 writes them: texts of dumpTableSchema, dumpIndex, dumpConstraint,
 * dumpTrigger, dumpSequence and dumpLO in pg_dump.c. Data comes from elsewhere.
 */

import type { EntryToWrite } from "../../archive/custom/custom-writer.ts";
import {
  copyColumns,
  foreignKeys,
  indexes,
  keyColumn,
  type MarketplaceTable,
  marketplaceTableNames,
  marketplaceTables,
  serialTables,
} from "./marketplace-tables.ts";

/** Object identifiers of the catalogs that entries come from (pg_class and so on): PostgreSQL's own, the same everywhere. */
const catalog = {
  type: 1247,
  relation: 1259,
  procedure: 1255,
  default: 2604,
  constraint: 2606,
  largeObject: 2613,
  trigger: 2620,
  database: 1262,
} as const;

export interface MarketplaceData {
  /** Table data, `\.` and its empty lines included. */
  readonly rows: (table: MarketplaceTable) => AsyncIterable<Buffer>;
  /** Highest number of each table with a numbered key. */
  readonly lastIds: Readonly<Record<MarketplaceTable, number>>;
  readonly largeObjects: readonly number[];
  readonly largeObject: (oid: number) => AsyncIterable<Buffer>;
}

/** All entries, in section order, dependencies first. */
export function marketplaceEntries(data: MarketplaceData): EntryToWrite[] {
  const entries: EntryToWrite[] = [];
  const ids = new Map<string, number>();
  const add = (entry: Omit<EntryToWrite, "dumpId" | "dependencies">, dependencies: readonly string[] = []): void => {
    const dumpId = entries.length + 1;
    ids.set(`${entry.desc} ${String(entry.tag)}`, dumpId);
    const known = dependencies.map((name) => ids.get(name)).filter((id) => id !== undefined);
    entries.push({ oid: 16384 + dumpId, namespace: "public", owner: "", ...entry, dumpId, dependencies: known });
  };
  addPreamble(add);
  addTypesAndTables(add);
  addLargeObjects(add, data);
  for (const table of marketplaceTableNames) {
    addTableData(add, table, data);
  }
  for (const table of marketplaceTableNames.filter((name) => keyColumn(name) === "id")) {
    const value = `SELECT pg_catalog.setval('public.${table}_id_seq', ${data.lastIds[table]}, true);\n`;
    add({ desc: "SEQUENCE SET", tag: `${table}_id_seq`, section: "data", defn: value, oid: 0 }, [
      `SEQUENCE ${table}_id_seq`,
    ]);
  }
  addPostData(add);
  return entries;
}

type Add = (entry: Omit<EntryToWrite, "dumpId" | "dependencies">, dependencies?: readonly string[]) => void;

function addPreamble(add: Add): void {
  const setting = (desc: string, defn: string): void =>
    add({ desc, tag: desc, section: "pre-data", defn, oid: 0, namespace: null });
  setting("ENCODING", "SET client_encoding = 'UTF8';\n");
  setting("STDSTRINGS", "SET standard_conforming_strings = 'on';\n");
  setting("SEARCHPATH", "SELECT pg_catalog.set_config('search_path', '', false);\n");
  add({
    desc: "DATABASE",
    tag: "marketplace",
    section: "pre-data",
    namespace: null,
    catalogOid: catalog.database,
    defn: "CREATE DATABASE marketplace WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n",
    dropStmt: "DROP DATABASE marketplace;\n",
  });
}

function addTypesAndTables(add: Add): void {
  add({
    desc: "TYPE",
    tag: "lead_status",
    section: "pre-data",
    catalogOid: catalog.type,
    defn: "CREATE TYPE public.lead_status AS ENUM (\n    'new',\n    'sent',\n    'won',\n    'lost'\n);\n",
    dropStmt: "DROP TYPE public.lead_status;\n",
  });
  add({
    desc: "FUNCTION",
    tag: "touch_updated_at()",
    section: "pre-data",
    catalogOid: catalog.procedure,
    defn: `CREATE FUNCTION public.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  new.updated_at := now();
  return new;
end;
$$;\n`,
    dropStmt: "DROP FUNCTION public.touch_updated_at();\n",
  });
  for (const table of marketplaceTableNames) {
    addTable(add, table);
  }
  add(
    {
      desc: "COMMENT",
      tag: "TABLE users",
      section: "none",
      oid: 0,
      defn: "COMMENT ON TABLE public.users IS 'cursisten: natural persons';\n",
    },
    ["TABLE users"],
  );
  add(
    {
      desc: "COMMENT",
      tag: "COLUMN users.unconfirmed_email",
      section: "none",
      oid: 0,
      defn: "COMMENT ON COLUMN public.users.unconfirmed_email IS 'waits for the link in its confirmation mail';\n",
    },
    ["TABLE users"],
  );
  add(
    {
      desc: "VIEW",
      tag: "course_ratings",
      section: "pre-data",
      catalogOid: catalog.relation,
      defn: `CREATE VIEW public.course_ratings AS
 SELECT reviews.course_id,
    count(*) AS reviews,
    round(avg(reviews.rating), 2) AS rating
   FROM public.reviews
  GROUP BY reviews.course_id;\n`,
      dropStmt: "DROP VIEW public.course_ratings;\n",
      tablespace: "",
    },
    ["TABLE reviews"],
  );
}

function addTable(add: Add, table: MarketplaceTable): void {
  const sequence = `${table}_id_seq`;
  const numbers = "    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1";
  add(
    {
      desc: "TABLE",
      tag: table,
      section: "pre-data",
      catalogOid: catalog.relation,
      defn: `CREATE TABLE public.${table} (\n    ${marketplaceTables[table].join(",\n    ")}\n);\n`,
      dropStmt: `DROP TABLE public.${table};\n`,
      tablespace: "",
      tableam: "heap",
    },
    table === "leads" ? ["TYPE lead_status"] : [],
  );
  const relation = { section: "pre-data", catalogOid: catalog.relation } as const;
  if (serialTables.includes(table)) {
    const dropStmt = `DROP SEQUENCE public.${sequence};\n`;
    const create = `CREATE SEQUENCE public.${sequence}\n    AS integer\n${numbers};\n`;
    const owned = `ALTER SEQUENCE public.${sequence} OWNED BY public.${table}.id;\n`;
    const value = `ALTER TABLE ONLY public.${table} ALTER COLUMN id SET DEFAULT nextval('public.${sequence}'::regclass);\n`;
    const dropValue = `ALTER TABLE public.${table} ALTER COLUMN id DROP DEFAULT;\n`;
    add({ ...relation, desc: "SEQUENCE", tag: sequence, defn: create, dropStmt }, [`TABLE ${table}`]);
    add({ ...relation, desc: "SEQUENCE OWNED BY", tag: sequence, defn: owned, catalogOid: 0, oid: 0 }, [
      `SEQUENCE ${sequence}`,
    ]);
    add(
      {
        ...relation,
        desc: "DEFAULT",
        tag: `${table} id`,
        catalogOid: catalog.default,
        defn: value,
        dropStmt: dropValue,
      },
      [`TABLE ${table}`, `SEQUENCE ${sequence}`],
    );
  } else if (keyColumn(table) === "id") {
    const defn = `ALTER TABLE public.${table} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (\n    SEQUENCE NAME public.${sequence}\n${numbers}\n);\n`;
    add({ ...relation, desc: "SEQUENCE", tag: sequence, defn }, [`TABLE ${table}`]);
  }
}

function addLargeObjects(add: Add, data: MarketplaceData): void {
  for (const oid of data.largeObjects) {
    add({
      desc: "BLOB",
      tag: String(oid),
      section: "pre-data",
      namespace: null,
      catalogOid: catalog.largeObject,
      oid,
      defn: `SELECT pg_catalog.lo_create('${oid}');\n`,
      dropStmt: `SELECT pg_catalog.lo_unlink('${oid}');\n`,
    });
  }
  const largeObjects = async function* () {
    for (const oid of data.largeObjects) {
      yield { oid, data: data.largeObject(oid) };
    }
  };
  add({ desc: "BLOBS", tag: "BLOBS", section: "data", namespace: null, oid: 0, largeObjects });
}

function addTableData(add: Add, table: MarketplaceTable, data: MarketplaceData): void {
  add(
    {
      desc: "TABLE DATA",
      tag: table,
      section: "data",
      copyStmt: `COPY public.${table} (${copyColumns(table).join(", ")}) FROM stdin;\n`,
      data: () => data.rows(table),
    },
    [`TABLE ${table}`],
  );
}

function addPostData(add: Add): void {
  const postData = { section: "post-data", tablespace: "" } as const;
  for (const table of marketplaceTableNames) {
    const name = `${table}_pkey`;
    const defn = `ALTER TABLE ONLY public.${table}\n    ADD CONSTRAINT ${name} PRIMARY KEY (${keyColumn(table)});\n`;
    const dropStmt = `ALTER TABLE ONLY public.${table} DROP CONSTRAINT ${name};\n`;
    add({ ...postData, desc: "CONSTRAINT", tag: `${table} ${name}`, catalogOid: catalog.constraint, defn, dropStmt }, [
      `TABLE ${table}`,
    ]);
  }
  for (const [name, definition, table] of indexes) {
    const unique = name.endsWith("_key") ? "UNIQUE " : "";
    const defn = `CREATE ${unique}INDEX ${name} ON ${definition};\n`;
    add(
      {
        ...postData,
        desc: "INDEX",
        tag: name,
        catalogOid: catalog.relation,
        defn,
        dropStmt: `DROP INDEX public.${name};\n`,
      },
      [`TABLE ${table}`],
    );
  }
  const trigger =
    "CREATE TRIGGER courses_touch BEFORE UPDATE ON public.courses FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();\n";
  const dropTrigger = "DROP TRIGGER courses_touch ON public.courses;\n";
  add(
    {
      section: "post-data",
      desc: "TRIGGER",
      tag: "courses courses_touch",
      catalogOid: catalog.trigger,
      defn: trigger,
      dropStmt: dropTrigger,
    },
    ["TABLE courses", "FUNCTION touch_updated_at()"],
  );
  for (const [child, column, parent, onDelete] of foreignKeys) {
    const name = `${child}_${column}_fkey`;
    const rule = onDelete === undefined ? "" : ` ON DELETE ${onDelete}`;
    const defn = `ALTER TABLE ONLY public.${child}\n    ADD CONSTRAINT ${name} FOREIGN KEY (${column}) REFERENCES public.${parent}(id)${rule};\n`;
    const dropStmt = `ALTER TABLE ONLY public.${child} DROP CONSTRAINT ${name};\n`;
    add(
      {
        section: "post-data",
        desc: "FK CONSTRAINT",
        tag: `${child} ${name}`,
        catalogOid: catalog.constraint,
        defn,
        dropStmt,
      },
      [`TABLE ${child}`, `TABLE ${parent}`, `CONSTRAINT ${parent} ${parent}_pkey`],
    );
  }
}
