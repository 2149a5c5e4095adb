/**
 * Writes the bytes of large objects. Mirrors `StartRestoreLO`/`_WriteLOData` (REL_18 pg_backup_archiver.c), with `lo_put`
 * in the place of `lo_open`, `lowrite`, `lo_close`: one round trip for a small object instead of three.
 *
 * Invariants: all objects of one entry are written in one transaction; memory is bounded by one piece; owners, privileges and
 * comments are statements of the plan, not made here.
 */
import type { LargeObject } from "../archive/model.ts";
import type { ServerConnection } from "./connection.ts";

/** A multiple of the 2048 bytes that a row of pg_largeobject holds. */
const PIECE = 256 * 1024;

export interface LargeObjectOptions {
  readonly skipOids: ReadonlySet<number>;
  /** Archives up to 1.11 create the objects with their data. */
  readonly create: boolean;
  readonly what: string;
  readonly onBytes?: (bytes: number) => void;
}

export interface LargeObjectResult {
  /** Large objects written, the skipped ones not counted. */
  readonly objects: number;
  readonly bytes: number;
}

/** @throws PostgresFailed naming the OID; the source's error. Nothing is kept of the entry then. */
export async function writeLargeObjects(
  connection: ServerConnection,
  objects: AsyncIterable<LargeObject>,
  options: LargeObjectOptions,
): Promise<LargeObjectResult> {
  let written = 0;
  let bytes = 0;
  await connection.run("BEGIN", options.what);
  try {
    for await (const object of objects) {
      if (options.skipOids.has(object.oid)) {
        await drain(object.data);
        continue;
      }
      bytes += await writeObject(connection, object, options);
      written++;
    }
    await connection.run("COMMIT", options.what);
  } catch (error) {
    if (connection.usable) await connection.run("ROLLBACK", options.what);
    throw error;
  }
  return { objects: written, bytes };
}

async function writeObject(
  connection: ServerConnection,
  object: LargeObject,
  options: LargeObjectOptions,
): Promise<number> {
  const what = `${options.what}, large object ${object.oid}`;
  if (options.create) await connection.rows("SELECT pg_catalog.lo_create($1::oid)", what, [String(object.oid)]);
  let offset = 0;
  for await (const piece of pieces(object.data)) {
    const at = [String(object.oid), String(offset), piece];
    await connection.rows("SELECT pg_catalog.lo_put($1::oid, $2::bigint, $3::bytea)", what, at);
    offset += piece.length;
    options.onBytes?.(piece.length);
  }
  return offset;
}

/** Full pieces, the last one shorter: every write but the last then ends where a row of pg_largeobject ends. */
async function* pieces(data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of data) {
    for (let start = 0; start < chunk.length; ) {
      const part = chunk.subarray(start, start + PIECE - size);
      held.push(part);
      size += part.length;
      start += part.length;
      if (size === PIECE) {
        yield held.length === 1 ? part : Buffer.concat(held, size);
        held = [];
        size = 0;
      }
    }
  }
  if (size > 0) yield Buffer.concat(held, size);
}

async function drain(data: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of data) void chunk;
}

/** OIDs of one question to the server. */
const ASKED = 10_000;

/** How many large objects the database holds, in all and among `oids`. @throws PostgresFailed. */
export async function countLargeObjects(
  connection: ServerConnection,
  oids: Iterable<number>,
): Promise<{ readonly total: number; readonly among: number }> {
  const what = "counting large objects";
  const count = async (condition: string, values: readonly string[]): Promise<number> => {
    const sql = `SELECT count(*) AS count FROM pg_catalog.pg_largeobject_metadata ${condition}`;
    const [row] = await connection.rows<{ count: string }>(sql, what, values);
    return Number(row?.count ?? 0);
  };
  const asked = [...oids];
  let among = 0;
  for (let at = 0; at < asked.length; at += ASKED) {
    among += await count("WHERE oid = ANY ($1::pg_catalog.oid[])", [`{${asked.slice(at, at + ASKED).join(",")}}`]);
  }
  return { total: await count("", []), among };
}
