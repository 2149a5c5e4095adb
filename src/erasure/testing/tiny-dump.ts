/** Real custom archives made in memory for tests, and plans for them: nothing is mocked but the disk. */
import { randomUUID } from "node:crypto";
import { type EntryToWrite, writeCustomArchive } from "../../archive/custom/custom-writer.ts";
import type { Archive, ByteSource } from "../../archive/model.ts";
import { openArchive } from "../../archive/open-archive.ts";
import { escapeField, nullField } from "../../copy/fields.ts";
import { parseCopyStatement } from "../../copy/statement.ts";
import { keyMacs } from "../../ledger/erase.ts";
import { generateKeySet } from "../../ledger/key-file.ts";
import type { ErasureRequest, ScopeAction } from "../../ledger/model.ts";
import { defaultScopes, scopesOf } from "../../ledger/requests.ts";
import { coverPolicy } from "../../policy/coverage.ts";
import { loadPolicy } from "../../policy/load.ts";
import { type ErasurePlan, planErasure } from "../plan.ts";
import { sanitiseRows } from "../sanitise-rows.ts";
import { Tally } from "../tally.ts";

export type Value = string | number | null;

export interface TinyTable {
  /** `public.` is put in front. */
  readonly name: string;
  /** As between the parentheses of CREATE TABLE; one column a line. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
  /** Bodies of foreign keys: `FOREIGN KEY (a) REFERENCES public.b(id)`. */
  readonly foreignKeys?: readonly string[];
}

export const keys = generateKeySet();
/** All requests and rows of these tests are judged at this instant. */
export const now = new Date("2026-11-23T12:00:00Z");

export function copyText(rows: readonly (readonly Value[])[]): Buffer {
  const field = (value: Value): Buffer => (value === null ? nullField : escapeField(Buffer.from(String(value))));
  const tab = Buffer.from("\t");
  const parts = rows.flatMap((row) => [
    ...row.flatMap((value, n) => (n === 0 ? [field(value)] : [tab, field(value)])),
    Buffer.from("\n"),
  ]);
  return Buffer.concat(parts);
}

/** Large objects as an archive of PostgreSQL 15 has them, each holding its OID as text. */
function largeObjectEntries(oids: readonly number[]): EntryToWrite[] {
  if (oids.length === 0) return [];
  const objects = async function* () {
    for (const oid of oids) yield { oid, data: oneBuffer(Buffer.from(String(oid))) };
  };
  return [
    ...oids.map((oid, n): EntryToWrite => {
      const defn = `SELECT pg_catalog.lo_create('${oid}');\n`;
      return { dumpId: 1000 + n, desc: "BLOB", tag: String(oid), section: "pre-data", defn };
    }),
    { dumpId: 999, desc: "BLOBS", tag: "BLOBS", section: "data", largeObjects: objects },
  ];
}

async function* oneBuffer(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** The chunks in which the archive's bytes are read: `chunk` bytes at a time. */
export async function tinyArchive(
  tables: readonly TinyTable[],
  chunk = 65_536,
  largeObjects: readonly number[] = [],
): Promise<Archive> {
  const entries: EntryToWrite[] = [
    { dumpId: 1, desc: "ENCODING", tag: "ENCODING", section: "pre-data", defn: "SET client_encoding = 'UTF8';\n" },
    {
      dumpId: 2,
      desc: "STDSTRINGS",
      tag: "STDSTRINGS",
      section: "pre-data",
      defn: "SET standard_conforming_strings = 'on';\n",
    },
  ];
  for (const [n, table] of tables.entries()) {
    const defn = `CREATE TABLE public.${table.name} (\n    ${table.columns.join(",\n    ")}\n);\n`;
    entries.push({ dumpId: 100 + n, desc: "TABLE", tag: table.name, section: "pre-data", namespace: "public", defn });
  }
  for (const [n, table] of tables.entries()) {
    const names = table.columns.map((column) => column.split(" ")[0]).join(", ");
    entries.push({
      dumpId: 200 + n,
      desc: "TABLE DATA",
      tag: table.name,
      section: "data",
      namespace: "public",
      dependencies: [100 + n],
      copyStmt: `COPY public.${table.name} (${names}) FROM stdin;\n`,
      data: async function* () {
        yield Buffer.concat([copyText(table.rows), Buffer.from("\\.\n\n\n")]);
      },
    });
  }
  for (const [n, [table, key]] of tables
    .flatMap((table) => (table.foreignKeys ?? []).map((key) => [table, key] as const))
    .entries()) {
    const defn = `ALTER TABLE ONLY public.${table.name}\n    ADD CONSTRAINT fk_${n} ${key};\n`;
    entries.push({
      dumpId: 300 + n,
      desc: "FK CONSTRAINT",
      tag: `${table.name} fk_${n}`,
      section: "post-data",
      namespace: "public",
      defn,
    });
  }
  entries.push(...largeObjectEntries(largeObjects));
  const pieces: Buffer[] = [];
  const archive = {
    compression: "gzip" as const,
    createdAt: now,
    database: "tiny",
    serverVersion: "15.18",
    dumpVersion: "15.18",
    entries,
  };
  for await (const piece of writeCustomArchive(archive)) pieces.push(piece);
  return await openArchive(memorySource(Buffer.concat(pieces), chunk));
}

function memorySource(bytes: Buffer, chunk: number): ByteSource {
  return {
    size: bytes.length,
    async *read(start, end = bytes.length) {
      for (let at = start; at < end; at += chunk) yield bytes.subarray(at, Math.min(at + chunk, end));
    },
  };
}

export interface TinyRequest {
  readonly keys: Readonly<Record<string, readonly string[]>>;
  /** Default: an hour before {@link now}. */
  readonly requestedAt?: string;
  readonly scopes?: Readonly<Record<string, ScopeAction>>;
  readonly controller?: string;
}

export function makeRequest(request: TinyRequest): ErasureRequest {
  const requestedAt = new Date(request.requestedAt ?? "2026-11-23T11:00:00Z");
  const actions = new Map(
    Object.entries(defaultScopes).map(([scope, { action }]) => [scope, request.scopes?.[scope] ?? action]),
  );
  const controller = request.controller ?? "*";
  return {
    requestId: randomUUID(),
    seq: 1,
    controller,
    requestedAt,
    cutoffAt: requestedAt,
    keys: keyMacs(request.keys, controller, keys, 1),
    scopes: scopesOf(actions, requestedAt),
  };
}

export async function tinyPlan(
  archive: Archive,
  policyText: string,
  requests: readonly TinyRequest[],
): Promise<ErasurePlan> {
  const policy = await loadPolicy(policyText, "policy.yaml");
  const coverage = await coverPolicy(policy, archive, { timezone: "Europe/Amsterdam", parseCopy: parseCopyStatement });
  const ledger = {
    ledgerId: keys.ledgerId,
    size: 1,
    head: "",
    root: "",
    checkedAt: now,
    freshAt: now,
    requests: requests.map(makeRequest),
  };
  const snapshotAt = new Date("2026-11-22T02:00:00Z");
  return await planErasure({ archive, coverage, ledger, keys, at: now, snapshotAt, zone: "Europe/Amsterdam" });
}

/** What is left of each table, as COPY text by table name, and the counts. */
export async function sanitised(
  archive: Archive,
  plan: ErasurePlan,
): Promise<{ text: Map<string, string>; tally: Tally }> {
  const tally = new Tally();
  const text = new Map<string, string>();
  for (const table of plan.tables.values()) {
    const kept: Buffer[] = [];
    const data = archive.tableData(archive.entry.get(table.dumpId)!);
    for await (const bytes of sanitiseRows(data, table, plan, tally)) kept.push(bytes);
    text.set(table.covered.name.name, Buffer.concat(kept).toString());
  }
  return { text, tally };
}
