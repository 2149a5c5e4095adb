/** Scan throughput: uncompressed COPY rows through the filter, with many tombstones over an id key and an e-mail key. */
import { randomUUID } from "node:crypto";
import type { Archive } from "../../src/archive/model.ts";
import { parseCopyStatement } from "../../src/copy/statement.ts";
import { planErasure } from "../../src/erasure/plan.ts";
import { sanitiseRows } from "../../src/erasure/sanitise-rows.ts";
import { Tally } from "../../src/erasure/tally.ts";
import { keyMacs } from "../../src/ledger/erase.ts";
import { generateKeySet } from "../../src/ledger/key-file.ts";
import type { ErasureRequest } from "../../src/ledger/model.ts";
import { coverPolicy } from "../../src/policy/coverage.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { median } from "./measure.ts";

const policyText = `
version: 1
tables:
  public.leads:
    match: { account_id: user_id, email: email }
    created_at: created_at
    action: delete
`;

const columns = "id, user_id, email, status, created_at, message";
const create = `CREATE TABLE public.leads (
    id bigint NOT NULL, user_id bigint, email text, status text, created_at timestamp with time zone NOT NULL, message text
);
`;

export interface ScanResult {
  readonly tombstones: number;
  readonly mbPerSecond: number;
  readonly rowsErased: number;
}

/** Median of `runs` over `megabytes` of rows, one core, one thread. */
export async function benchScan(tombstones: number, megabytes: number, runs: number): Promise<ScanResult> {
  const keys = generateKeySet();
  const requests = makeRequests(tombstones, keys);
  const archive = oneTableArchive();
  const policy = await loadPolicy(policyText, "policy.yaml");
  const coverage = await coverPolicy(policy, archive, { timezone: "UTC", parseCopy: parseCopyStatement });
  const now = new Date();
  const ledger = { ledgerId: keys.ledgerId, size: 1, head: "", root: "", checkedAt: now, freshAt: now, requests };
  const plan = await planErasure({ archive, coverage, ledger, keys, at: now, snapshotAt: now, zone: "UTC" });
  const table = plan.tables.get(2)!;
  const chunks = makeChunks();
  const speeds: number[] = [];
  let erased = 0;
  for (let run = 0; run <= runs; run++) {
    const tally = new Tally();
    const started = performance.now();
    let bytes = 0;
    for await (const kept of sanitiseRows(
      repeat(chunks, megabytes * 1e6, (size) => (bytes += size)),
      table,
      plan,
      tally,
    ))
      void kept;
    const speed = bytes / 1e6 / ((performance.now() - started) / 1000);
    // the first run warms the compiler up
    if (run > 0) speeds.push(speed);
    erased = tally.table(2).erased;
  }
  return { tombstones, mbPerSecond: median(speeds), rowsErased: erased };
}

/** A thousand identifiers a request: what counts is how many there are to look for. Every 50,000th row is one of theirs. */
export function makeRequests(tombstones: number, keys: ReturnType<typeof generateKeySet>): ErasureRequest[] {
  const requestedAt = new Date("2026-11-20T00:00:00Z");
  const perRequest = Math.min(1000, tombstones);
  return Array.from({ length: Math.ceil(tombstones / perRequest) }, (_, request) => {
    const ids: string[] = [];
    const emails: string[] = [];
    for (let n = 0; n < perRequest; n++) {
      const person = request * perRequest + n;
      ids.push(String(5_000_000_000 + person));
      emails.push(`weg.${person}@voorbeeld.example`);
    }
    return {
      requestId: randomUUID(),
      seq: request + 1,
      controller: "*",
      requestedAt,
      cutoffAt: requestedAt,
      keys: keyMacs({ account_id: ids, email: emails }, "*", keys, 1),
      scopes: [],
    };
  });
}

/** 32 MB of rows of about 155 bytes, in the 256 KiB chunks that a decompressor gives. */
function makeChunks(): Buffer[] {
  const words = [
    "cursus",
    "graag",
    "informatie",
    "over",
    "data",
    "opleiding",
    "wanneer",
    "begint",
    "de",
    "volgende",
    "groep",
  ];
  const rows: string[] = [];
  let size = 0;
  for (let row = 0; size < 32e6; row++) {
    const hit = row % 50_000 === 49_999;
    const email = hit ? `Weg.${row % 997}@Voorbeeld.example` : `deelnemer${row * 7}@voorbeeld${row % 89}.example`;
    const message = Array.from({ length: 8 }, (_, n) => words[(row * 31 + n * 17) % words.length]).join(" ");
    const line = `${row}\t${row * 13 + 1000}\t${email}\tnew\t2026-11-0${1 + (row % 9)} 10:11:12.345678+00\t${message}, met vriendelijke groet\n`;
    rows.push(line);
    size += line.length;
  }
  const all = Buffer.from(rows.join(""));
  const chunks: Buffer[] = [];
  for (let at = 0; at < all.length; at += 262_144) chunks.push(all.subarray(at, at + 262_144));
  return chunks;
}

async function* repeat(
  chunks: readonly Buffer[],
  bytes: number,
  count: (size: number) => void,
): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < bytes; ) {
    for (const chunk of chunks) {
      sent += chunk.length;
      count(chunk.length);
      yield chunk;
    }
  }
  yield Buffer.from("\\.\n");
}

function oneTableArchive(): Archive {
  const entry = (dumpId: number, desc: string, defn: string | null, copyStmt: string | null) => ({
    dumpId,
    hasData: copyStmt !== null,
    catalogOid: 0,
    oid: 0,
    tag: "leads",
    desc,
    section: copyStmt === null ? ("pre-data" as const) : ("data" as const),
    defn,
    dropStmt: null,
    copyStmt,
    namespace: "public",
    tablespace: null,
    tableam: null,
    relkind: null,
    owner: "",
    withOids: false,
    dependencies: copyStmt === null ? [] : [1],
    offset: null,
    raw: Buffer.alloc(0),
  });
  const toc = [
    entry(1, "TABLE", create, null),
    entry(2, "TABLE DATA", null, `COPY public.leads (${columns}) FROM stdin;\n`),
  ];
  const nothing = (): never => {
    throw new Error("the scan benchmark brings its own rows");
  };
  return {
    header: {
      format: "custom",
      version: "1.14",
      minor: 14,
      intSize: 4,
      offsetSize: 8,
      compression: "none",
      compressionLevel: 0,
      createdAt: { year: 2026, month: 11, day: 23, hour: 0, minute: 0, second: 0, isDst: null },
      database: "bench",
      serverVersion: "15",
      dumpVersion: "15",
    },
    toc,
    entry: new Map(toc.map((one) => [one.dumpId, one])),
    encoding: "UTF8",
    standardConformingStrings: true,
    randomAccess: true,
    sequential: false,
    wrapping: [],
    remarks: [],
    dataOrder: toc.filter((one) => one.hasData),
    storedSize: () => null,
    tableData: nothing,
    largeObjects: nothing,
    walk: nothing,
  };
}
