/** What the fuzzer does with a file: everything that a restore would read of it, and says what came of it. */
import { createHash } from "node:crypto";
import type { Archive, ByteSource, TocEntry } from "../../src/archive/model.ts";
import { openArchive } from "../../src/archive/open-archive.ts";
import { rowBatches } from "../../src/copy/row-batches.ts";
import { RowKernel } from "../../src/copy/row-kernel.ts";
import { parseCopyStatement } from "../../src/copy/statement.ts";
import { SanitizeError } from "../../src/errors.ts";

export type Outcome =
  | {
      readonly kind: "read" /** Over all rows and large objects, by name. */;
      readonly digest: string;
      readonly parts: number;
    }
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

/** Identity and passphrase of the encrypted files of the corpus; they protect nothing. */
export interface FuzzKeys {
  readonly identities: readonly string[];
  readonly passphrase: string | null;
}

const kernel = new RowKernel();
/** No file of the corpus holds more; content beyond is a bomb, and must be refused. */
const maxContent = 64 * 1024 * 1024;

export class TooMuch extends Error {}

/** @throws what a reader may not throw: anything that is no SanitizeError, and {@link TooMuch}. */
export async function readEverything(bytes: Buffer, keys: FuzzKeys): Promise<Outcome> {
  try {
    const archive = await openArchive(sourceOf(bytes), {
      keys: () => Promise.resolve(keys),
      database: "fmt",
      maxExpansion: 1000,
    });
    const parts = await readByRequest(archive);
    const walked = await walkedParts(archive);
    if (walked.join() !== [...parts.keys()].sort().join()) throw new Error("a walk met other parts than requests gave");
    const contents = [...parts.values()].sort();
    return { kind: "read", digest: createHash("sha256").update(contents.join("\n")).digest("hex"), parts: parts.size };
  } catch (error) {
    if (error instanceof SanitizeError && error.exitCode !== 1)
      return { kind: "refused", code: error.code, message: error.message };
    throw error;
  }
}

function sourceOf(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    async *read(start, end = bytes.length) {
      for (let at = start; at < end; at += 4096) yield bytes.subarray(at, Math.min(at + 4096, end));
    },
  };
}

/** Content by name, under keys that are unique whatever the file says. */
async function readByRequest(archive: Archive): Promise<Map<string, string>> {
  const parts = new Map<string, string>();
  for (const entry of archive.dataOrder) {
    if (entry.desc !== "BLOBS") {
      parts.set(`${entry.dumpId}`, `${entry.namespace}.${entry.tag} ${await rowsOf(archive, entry)}`);
      continue;
    }
    for await (const { oid, data } of archive.largeObjects(entry)) {
      parts.set(`${entry.dumpId} ${oid}`, `large object ${oid} ${await hashOf(data)}`);
    }
  }
  return parts;
}

/** Rows as a restore reads them: each with the columns of its COPY statement, up to the closing line. */
async function rowsOf(archive: Archive, entry: TocEntry): Promise<string> {
  const { columns } = parseCopyStatement(entry.copyStmt ?? "");
  const hash = createHash("sha256");
  let content = 0;
  const layout = { table: "fuzzed", columns: columns.length, probes: [] };
  for await (const batch of rowBatches(archive.tableData(entry), layout, kernel)) {
    const pieces = batch.longRow ? batch.longRow.slices(0, batch.longRow.length) : [batch.bytes];
    for (const piece of pieces) {
      content += piece.length;
      hash.update(piece);
    }
    if (content > maxContent) throw new TooMuch(`dump ID ${entry.dumpId} gave more than ${maxContent} bytes`);
  }
  return hash.digest("hex");
}

async function hashOf(data: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  let content = 0;
  for await (const piece of data) {
    content += piece.length;
    hash.update(piece);
    if (content > maxContent) throw new TooMuch(`a large object gave more than ${maxContent} bytes`);
  }
  return hash.digest("hex");
}

async function walkedParts(archive: Archive): Promise<string[]> {
  const names = new Set<string>();
  await archive.walk({
    tableData: async (entry, data) => {
      names.add(`${entry.dumpId}`);
      for await (const piece of data) void piece;
    },
    largeObjects: async (entry, objects) => {
      for await (const { oid, data } of objects) {
        names.add(`${entry.dumpId} ${oid}`);
        for await (const piece of data) void piece;
      }
    },
  });
  return [...names].sort();
}
