/**
 * A process of its own, so that its peak of memory is that of one thing: `large-toc-process.ts write|read <path> <entries>`.
 * `write` makes an archive of that many entries, a fifth of them tables of one row; `read` opens it and reads one table.
 * Prints one line of JSON.
 */
import { readSync } from "node:fs";
import { open } from "node:fs/promises";
import { type EntryToWrite, writeCustomArchiveFile } from "../custom/custom-writer.ts";
import type { ByteSource } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { joined, pieces, sessionEntries, smallArchive } from "./sources.ts";

const [mode = "read", path = "", entries = "0"] = process.argv.slice(2);
const ENTRIES_PER_TABLE = 5;

/** A table with its rows, an index, a comment and privileges, each entry like pg_dump's. */
function* tableEntries(count: number): Generator<EntryToWrite> {
  const common = { namespace: "public", owner: "app_owner" } as const;
  for (let table = 0; table < count; table++) {
    const dumpId = 10 + table * ENTRIES_PER_TABLE;
    const name = `table_with_a_name_of_usual_length_${table}`;
    const columns = Array.from({ length: 8 }, (_, column) => `    column_${column} character varying(100) NOT NULL`);
    const defn = `CREATE TABLE public.${name} (\n${columns.join(",\n")}\n);\n`;
    const index = `CREATE INDEX index_${table} ON public.${name} USING btree (column_0);\n`;
    const about = `COMMENT ON TABLE public.${name} IS 'what table ${table} is for, in a sentence';\n`;
    const grants = `GRANT SELECT,INSERT,UPDATE ON TABLE public.${name} TO app_reader;\n`;
    const dependencies = [dumpId];
    const dropStmt = `DROP TABLE public.${name};\n`;
    yield {
      ...common,
      dumpId,
      desc: "TABLE",
      tag: name,
      section: "pre-data",
      defn,
      dropStmt,
      tableam: "heap",
      tablespace: "",
    };
    yield {
      ...common,
      dumpId: dumpId + 1,
      desc: "COMMENT",
      tag: `TABLE ${name}`,
      section: "none",
      defn: about,
      dependencies,
    };
    yield {
      ...common,
      dumpId: dumpId + 2,
      desc: "ACL",
      tag: `TABLE ${name}`,
      section: "none",
      defn: grants,
      dependencies,
    };
    yield {
      ...common,
      dumpId: dumpId + 4,
      desc: "INDEX",
      tag: `index_${table}`,
      section: "post-data",
      defn: index,
      dependencies,
    };
    yield {
      ...common,
      dumpId: dumpId + 3,
      desc: "TABLE DATA",
      tag: name,
      section: "data",
      copyStmt: `COPY public.${name} (${columns.map((_, column) => `column_${column}`).join(", ")}) FROM stdin;\n`,
      dependencies,
      data: () => pieces(Buffer.from(`${`${table}\t`.repeat(7)}${table}\n\\.\n\n\n`), 1024),
    };
  }
}

async function fileSource(): Promise<ByteSource> {
  const file = await open(path, "r");
  const { size } = await file.stat();
  return {
    size,
    async *read(start, end = size) {
      for (let at = start; at < end; ) {
        const buffer = Buffer.allocUnsafeSlow(Math.min(64 * 1024, end - at));
        const bytes = buffer.subarray(0, readSync(file.fd, buffer, 0, buffer.length, at));
        at += bytes.length;
        yield bytes;
      }
    },
  };
}

if (mode === "write") {
  const made = [...tableEntries(Number(entries) / ENTRIES_PER_TABLE)];
  await writeCustomArchiveFile(path, smallArchive({}, { compression: "none", entries: [...sessionEntries, ...made] }));
  process.stdout.write(`${JSON.stringify({ entries: made.length + sessionEntries.length })}\n`);
} else {
  const before = process.memoryUsage.rss();
  const started = performance.now();
  const archive = await openArchive(await fileSource());
  const seconds = (performance.now() - started) / 1000;
  const last = archive.dataOrder.at(-1)!;
  const rows = (await joined(archive.tableData(last))).toString();
  const peak = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(`${JSON.stringify({ entries: archive.toc.length, rows, before, peak, seconds })}\n`);
}
