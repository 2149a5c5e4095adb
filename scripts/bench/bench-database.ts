/**
 * The benchmark's database, as an archive's entries: a big table that nothing refers to, with a primary key and four
 * indexes, and a quarter as much in a family of three with foreign keys, the middle of which has to be read twice.
 */
import type { EntryToWrite } from "../../src/archive/custom/custom-writer.ts";

export const benchPolicy = `version: 1
tables:
  public.people: { match: { account_id: id, email: email }, created_at: created_at, action: delete }
  public.leads: { match: { account_id: person_id, email: email }, created_at: created_at, action: delete }
  public.notes: { via: public.leads }
  public.messages: { match: { account_id: person_id, email: email }, created_at: created_at, action: delete }
`;

const tables = {
  people: "id bigint NOT NULL,\n    email text,\n    created_at timestamp with time zone NOT NULL",
  leads:
    "id bigint NOT NULL,\n    person_id bigint NOT NULL,\n    email text,\n    created_at timestamp with time zone NOT NULL,\n    message text",
  notes: "id bigint NOT NULL,\n    lead_id bigint NOT NULL,\n    body text",
  messages:
    "id bigint NOT NULL,\n    person_id bigint NOT NULL,\n    email text,\n    created_at timestamp with time zone NOT NULL,\n    message text",
} as const;

const indexes: readonly (readonly [keyof typeof tables, string, string])[] = [
  ["leads", "leads_person", "USING btree (person_id)"],
  ["leads", "leads_email", "USING btree (email)"],
  ["messages", "messages_created", "USING btree (created_at)"],
  ["messages", "messages_email", "USING btree (email)"],
  ["messages", "messages_message", "USING btree (md5(message))"],
  ["messages", "messages_person", "USING btree (person_id)"],
  ["notes", "notes_lead", "USING btree (lead_id)"],
];

/**
 * About `megabytes` of COPY text: three quarters of it messages. `regular` texts are made of few words and compress to an
 * eighth; `varied` ones to a third, as people's own texts do.
 */
export function benchEntries(megabytes: number, texts: "regular" | "varied" = "regular"): EntryToWrite[] {
  const messages = Math.round((megabytes * 0.75 * 1e6) / 157);
  const leads = Math.round((megabytes * 0.17 * 1e6) / 157);
  const rows = { people: Math.round(leads / 4), leads, notes: Math.round(leads / 2), messages };
  const entries: EntryToWrite[] = [
    { dumpId: 1, desc: "ENCODING", tag: "ENCODING", section: "pre-data", defn: "SET client_encoding = 'UTF8';\n" },
    {
      dumpId: 2,
      desc: "STDSTRINGS",
      tag: "STDSTRINGS",
      section: "pre-data",
      defn: "SET standard_conforming_strings = 'on';\n",
    },
    {
      dumpId: 3,
      desc: "SEARCHPATH",
      tag: "SEARCHPATH",
      section: "pre-data",
      defn: "SELECT pg_catalog.set_config('search_path', '', false);\n",
    },
  ];
  const names = Object.keys(tables) as (keyof typeof tables)[];
  for (const [n, name] of names.entries()) {
    const defn = `CREATE TABLE public.${name} (\n    ${tables[name]}\n);\n`;
    entries.push({ ...object(10 + n, "TABLE", name, "pre-data", defn), tableam: "heap" });
  }
  for (const [n, name] of names.entries()) {
    const columns = tables[name].split(",\n").map((column) => column.trim().split(" ")[0]);
    entries.push({
      dumpId: 20 + n,
      desc: "TABLE DATA",
      tag: name,
      section: "data",
      namespace: "public",
      dependencies: [10 + n],
      copyStmt: `COPY public.${name} (${columns.join(", ")}) FROM stdin;\n`,
      data: () => copyRows(rows[name], makers[name], texts === "regular" ? sentence : variedSentence),
    });
  }
  for (const [n, name] of names.entries()) {
    const defn = `ALTER TABLE ONLY public.${name}\n    ADD CONSTRAINT ${name}_pkey PRIMARY KEY (id);\n`;
    entries.push({
      ...object(30 + n, "CONSTRAINT", `${name} ${name}_pkey`, "post-data", defn),
      dependencies: [10 + n],
    });
  }
  for (const [n, [table, name, body]] of indexes.entries()) {
    const entry = object(40 + n, "INDEX", name, "post-data", `CREATE INDEX ${name} ON public.${table} ${body};\n`);
    entries.push({ ...entry, dependencies: [10 + names.indexOf(table)] });
  }
  const defn =
    "ALTER TABLE ONLY public.notes\n    ADD CONSTRAINT notes_lead_fkey FOREIGN KEY (lead_id) REFERENCES public.leads(id);\n";
  entries.push({
    ...object(50, "FK CONSTRAINT", "notes notes_lead_fkey", "post-data", defn),
    dependencies: [31, 11, 12],
  });
  return entries;
}

function object(
  dumpId: number,
  desc: string,
  tag: string,
  section: "pre-data" | "post-data",
  defn: string,
): EntryToWrite {
  return { dumpId, desc, tag, section, namespace: "public", tablespace: "", defn };
}

const words = "cursus graag informatie over data opleiding wanneer begint de volgende groep docent locatie prijs".split(
  " ",
);

type RowMaker = (row: number, text: (row: number) => string) => string;

const makers: Readonly<Record<keyof typeof tables, RowMaker>> = {
  people: (row) => `${row}\tdeelnemer${row}@voorbeeld${row % 89}.example\t${time(row)}`,
  leads: (row, text) =>
    `${row}\t${(row * 7919) % 4_000_000}\tdeelnemer${(row * 31) % 900_001}@voorbeeld.example\t${time(row)}\t${text(row)}`,
  notes: (row) => `${row}\t${row * 2}\tteruggebeld ${row}`,
  messages: (row, text) =>
    `${row}\t${(row * 104_729) % 4_000_000}\tdeelnemer${(row * 17) % 900_001}@voorbeeld.example\t${time(row)}\t${text(row)}`,
};

function time(row: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `2026-${two(1 + (row % 10))}-${two(1 + (row % 27))} ${two(row % 24)}:${two(row % 60)}:${two((row * 7) % 60)}+00`;
}

function sentence(row: number): string {
  let text = `Vraag ${row}:`;
  for (let n = 0; n < 9; n++) text += ` ${words[(row * 31 + n * n * 17) % words.length]}`;
  return text;
}

/** As long as the other, of words that no rule foretells. */
function variedSentence(row: number): string {
  let state = (row * 2_654_435_761) >>> 0;
  const next = (below: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) >>> 0;
    return (state >>> 8) % below;
  };
  let text = `Vraag ${row}:`;
  while (text.length < 76) {
    text += " ";
    for (let syllables = 1 + next(4); syllables > 0; syllables--) {
      text += "bdfghklmnprstvw"[next(15)]! + "aeiou"[next(5)]! + (next(3) === 0 ? "nrst"[next(4)]! : "");
    }
  }
  return text;
}

async function* copyRows(count: number, make: RowMaker, text: (row: number) => string): AsyncGenerator<Buffer> {
  for (let from = 0; from < count; from += 2000) {
    const lines: string[] = [];
    for (let row = from; row < Math.min(from + 2000, count); row++) lines.push(make(row, text));
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
  yield Buffer.from("\\.\n\n\n");
}
