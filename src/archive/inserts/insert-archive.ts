/**
 * An archive made with --inserts, --column-inserts or --rows-per-insert as if it had been made with COPY: entries with a
 * COPY statement, and their data as COPY text. Everything else is the archive's own.
 *
 * Invariant: after {@link withCopyRows} every TABLE DATA entry with data has a `copyStmt`, and its data is COPY text with the
 * closing `\.`.
 */

import { damagedStream } from "../damage.ts";
import type { Archive, ArchiveHeader, LargeObject, StoredSize, TocEntry, WalkHandlers } from "../model.ts";
import { decoderFor } from "../toc/encoding.ts";
import { leadBytes } from "../toc/lead-bytes.ts";
import { firstHead } from "./insert-head.ts";
import { type InsertPlan, insertPlan } from "./insert-plan.ts";
import { InsertRows } from "./insert-rows.ts";
import { RowColumns } from "./row-columns.ts";

const END_OF_DATA = Buffer.from("\\.\n\n\n");

function holdsInserts(entry: TocEntry): boolean {
  return entry.desc === "TABLE DATA" && entry.hasData && entry.copyStmt === null;
}

/**
 * The archive itself when all its rows are COPY text. Reads the first statement of tables whose columns the dump does not
 * create. @throws ArchiveDamaged `insert_columns` when the columns of a table's values cannot be known.
 */
export async function withCopyRows(archive: Archive, signal?: AbortSignal): Promise<Archive> {
  if (!archive.toc.some(holdsInserts)) {
    return archive;
  }
  const decode = decoderFor(archive.encoding);
  const columns = new RowColumns(archive.entry);
  const plans = new Map<number, InsertPlan>();
  // In the order of the file, which costs least where one can only read forwards.
  for (const entry of archive.dataOrder.filter(holdsInserts)) {
    const first = async () => {
      const head = await firstHead(archive.tableData(entry, signal));
      return head === null ? null : decode(head);
    };
    plans.set(entry.dumpId, await insertPlan(entry, columns.of(entry), first));
  }
  return new InsertArchive(archive, plans);
}

/** Passes statements on. @throws ArchiveDamaged (`truncated`) without what dumpTableData_insert (pg_dump.c) writes last. */
async function* closedByNewlines(data: AsyncIterable<Buffer>, table: string): AsyncGenerator<Buffer, void, undefined> {
  let last = "";
  for await (const bytes of data) {
    last = (last + bytes.toString("latin1", Math.max(0, bytes.length - 2))).slice(-2);
    yield bytes;
  }
  if (last !== "\n\n") {
    throw damagedStream("truncated", "INSERT statements end without pg_dump's two newlines", `the data of ${table}`);
  }
}

class InsertArchive implements Archive {
  readonly toc: readonly TocEntry[];
  readonly entry: ReadonlyMap<number, TocEntry>;
  readonly #archive: Archive;
  readonly #plans: ReadonlyMap<number, InsertPlan>;

  constructor(archive: Archive, plans: ReadonlyMap<number, InsertPlan>) {
    this.#archive = archive;
    this.#plans = plans;
    this.toc = archive.toc.map((entry) => {
      const plan = plans.get(entry.dumpId);
      return plan === undefined ? entry : { ...entry, copyStmt: plan.copyStmt, raw: Buffer.alloc(0) };
    });
    this.entry = new Map(this.toc.map((entry) => [entry.dumpId, entry]));
  }

  get header(): ArchiveHeader {
    return this.#archive.header;
  }

  get encoding(): string {
    return this.#archive.encoding;
  }

  get standardConformingStrings(): boolean {
    return this.#archive.standardConformingStrings;
  }

  get randomAccess(): boolean {
    return this.#archive.randomAccess;
  }

  get sequential(): boolean {
    return this.#archive.sequential;
  }

  get dataOrder(): readonly TocEntry[] {
    return this.#archive.dataOrder.map((entry) => this.#ours(entry));
  }

  get wrapping(): readonly string[] {
    return this.#archive.wrapping;
  }

  get remarks(): readonly string[] {
    return this.#archive.remarks;
  }

  storedSize(entry: TocEntry): StoredSize {
    return this.#archive.storedSize(this.#theirs(entry));
  }

  async *tableData(entry: TocEntry, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    yield* this.#copyText(entry, this.#archive.tableData(this.#theirs(entry), signal));
  }

  largeObjects(entry: TocEntry, signal?: AbortSignal): AsyncIterable<LargeObject> {
    return this.#archive.largeObjects(this.#theirs(entry), signal);
  }

  async walk(handlers: WalkHandlers, signal?: AbortSignal): Promise<void> {
    const ours: WalkHandlers = {};
    if (handlers.tableData !== undefined) {
      ours.tableData = async (entry, data) => {
        const text = this.#copyText(entry, data);
        try {
          await handlers.tableData?.(this.#ours(entry), text);
        } finally {
          await text.return();
        }
      };
    }
    if (handlers.largeObjects !== undefined) {
      ours.largeObjects = async (entry, objects) => handlers.largeObjects?.(this.#ours(entry), objects);
    }
    await this.#archive.walk(ours, signal);
  }

  async *#copyText(entry: TocEntry, data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    const plan = this.#plans.get(entry.dumpId);
    if (plan === undefined) {
      yield* data;
      return;
    }
    const decode = decoderFor(this.encoding);
    const rows = new InsertRows({
      table: plan.table,
      standardConformingStrings: this.standardConformingStrings,
      leads: leadBytes(this.encoding),
      accept: (head, where) => plan.accept(decode(head), where),
    });
    // a script's statements are known to be whole; elsewhere pg_dump's two closing newlines are the sign that all are there
    yield* rows.copyText(this.header.format === "plain" ? data : closedByNewlines(data, plan.table));
    yield END_OF_DATA;
  }

  #ours(entry: TocEntry): TocEntry {
    return this.entry.get(entry.dumpId) ?? entry;
  }

  /** Readers may know an entry by itself. */
  #theirs(entry: TocEntry): TocEntry {
    return this.#archive.entry.get(entry.dumpId) ?? entry;
  }
}
