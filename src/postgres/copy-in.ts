/**
 * COPY … FROM STDIN: sends bytes of one table, with back-pressure, and knows how many rows the server took.
 *
 * Invariants: a failing source or an abort ends the COPY with CopyFail, so that the server keeps no row of it; the source's own
 * error is what is thrown; one chunk is in flight while the next is made, never more; a chunk is neither tiny nor huge.
 */
import { PostgresFailed } from "../errors.ts";
import type { ServerConnection } from "./connection.ts";
import { quoteLiteral } from "./identifiers.ts";

/** Fewer bytes than this wait for company: every message costs two socket writes. */
const SMALL = 64 * 1024;
/** More bytes than this are sent in pieces; the server accepts messages below 1 GB. */
const LARGE = 1024 * 1024;

export interface CopyInOptions {
  /** `"schema"."table"`, emptied in the COPY's own transaction: PostgreSQL then need not write WAL at wal_level minimal. */
  readonly truncate?: string;
  /** PostgreSQL's name of the data's encoding; default UTF8. */
  readonly encoding?: string;
  /** Names the table in messages. */
  readonly what: string;
  /** Called with the bytes of each piece after it has been handed to the server. */
  readonly onBytes?: (bytes: number) => void;
}

export interface CopyInResult {
  /** As the server counted them. */
  readonly rows: number;
  /** Sent to the server. */
  readonly bytes: number;
}

/**
 * Loads `data`, COPY text with or without the closing `\.` line, by `statement` (`COPY … FROM stdin;`).
 * Either all rows are stored or none.
 * @throws PostgresFailed naming table and row number, never a value; the source's error; the abort's reason.
 */
export async function copyIn(
  connection: ServerConnection,
  statement: string,
  data: AsyncIterable<Buffer>,
  options: CopyInOptions,
): Promise<CopyInResult> {
  const { from } = await import("pg-copy-streams");
  // rows of a table emptied in the same transaction can be written as old ones: whoever reads them next need not mark them
  const copy = withOptions(statement, options.encoding ?? "UTF8", options.truncate !== undefined);
  const sql = options.truncate === undefined ? copy : `TRUNCATE TABLE ONLY ${options.truncate};\n${copy}`;
  const chunks = evenChunks(data)[Symbol.asyncIterator]();
  const stream = connection.submit(from(sql), options.what);
  const server = new ServerVerdict();
  stream.on("error", (error) => server.refuse(connection.failure(error, options.what)));
  let bytes = 0;
  try {
    for (let next = await server.unlessRefused(chunks.next()); next.done !== true; ) {
      const chunk = next.value;
      const written = new Promise<void>((resolve) => stream.write(chunk, () => resolve()));
      // The next chunk is made while this one is on its way; one at a time, since pg-copy-streams would write on after an error.
      const following = chunks.next();
      following.catch(() => undefined);
      await server.unlessRefused(written);
      bytes += chunk.length;
      options.onBytes?.(chunk.length);
      next = await server.unlessRefused(following);
    }
  } catch (error) {
    if (!server.hasRefused) {
      // CopyFail; its answer must have come before the connection is usable again.
      stream.destroy(new Error("sanitize stopped the load"));
      await server.refusal();
    }
    await chunks.return?.(undefined);
    throw error;
  }
  await server.unlessRefused(new Promise<void>((resolve) => stream.end(() => resolve())));
  return { rows: stream.rowCount, bytes };
}

/**
 * The server's error, whenever it comes. Not a promise to race against: every race would leave its outcome, a chunk of the
 * table, hanging on a promise that lasts as long as the load.
 */
class ServerVerdict {
  #error: { readonly value: unknown } | null = null;
  #tell: ((error: unknown) => void) | null = null;

  get hasRefused(): boolean {
    return this.#error !== null;
  }

  refuse(error: unknown): void {
    this.#error ??= { value: error };
    this.#tell?.(this.#error.value);
  }

  /** The promise's outcome, or the server's error if that comes first. One wait at a time. */
  async unlessRefused<T>(wait: Promise<T>): Promise<T> {
    if (this.#error !== null) throw this.#error.value;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#tell = reject;
        wait.then(resolve, reject);
      });
    } finally {
      this.#tell = null;
    }
  }

  /** Settles when the server has refused. */
  async refusal(): Promise<void> {
    if (this.#error !== null) return;
    await new Promise<void>((resolve) => {
      this.#tell = () => resolve();
    });
  }
}

/** `COPY … FROM stdin;` with the encoding named, unless it is the connection's own, and FREEZE where allowed. */
export function withOptions(statement: string, encoding: string, freeze: boolean): string {
  const options = [
    ...(freeze ? ["FREEZE"] : []),
    ...(encoding.toUpperCase() === "UTF8" ? [] : [`ENCODING ${quoteLiteral(encoding)}`]),
  ];
  if (options.length === 0) return statement;
  const match = /^(.*FROM stdin)\s*;?\s*$/is.exec(statement);
  if (!match) {
    throw new PostgresFailed("a COPY statement of the dump does not end in FROM stdin", { code: "bad_copy_statement" });
  }
  return `${match[1]} WITH (${options.join(", ")});`;
}

/** The same bytes in pieces of about 64 KiB to 1 MiB. */
export async function* evenChunks(data: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let small: Buffer[] = [];
  let size = 0;
  for await (const chunk of data) {
    if (chunk.length > 0 && chunk.length < SMALL) {
      small.push(chunk);
      size += chunk.length;
    }
    if (size >= SMALL || (size > 0 && chunk.length >= SMALL)) {
      yield Buffer.concat(small, size);
      small = [];
      size = 0;
    }
    if (chunk.length < SMALL) continue;
    for (let start = 0; start < chunk.length; start += LARGE) yield chunk.subarray(start, start + LARGE);
  }
  if (size > 0) yield Buffer.concat(small, size);
}
