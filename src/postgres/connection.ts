/**
 * One connection to PostgreSQL: made, used for one statement at a time, closed or cut.
 *
 * Invariants: a server that goes away never crashes the process (`error` always has a listener), it fails the statement in
 * flight and every later one; an aborted signal cuts the socket, so that no statement outlives the run for long; every
 * error that leaves is redacted.
 */
import { readFile } from "node:fs/promises";
import { Socket } from "node:net";
import type { Client, QueryResultRow, Submittable } from "pg";
import { TargetRefused, throwIfAborted } from "../errors.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import { abortReason, connectFailure, connectionLost, redactedFailure } from "./failure.ts";

const KEEPALIVE_AFTER = 30_000;

export class ServerConnection {
  readonly settings: ConnectionSettings;
  /** As `server_version_num`: 150018 is 15.18. */
  readonly serverVersion: number;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #signal: AbortSignal | undefined;
  readonly #cut: () => void;
  #broken: unknown = null;

  /** Use {@link connect}. */
  constructor(parts: {
    settings: ConnectionSettings;
    serverVersion: number;
    client: Client;
    socket: Socket;
    signal: AbortSignal | undefined;
  }) {
    this.settings = parts.settings;
    this.serverVersion = parts.serverVersion;
    this.#client = parts.client;
    this.#socket = parts.socket;
    this.#signal = parts.signal;
    this.#cut = () => {
      this.#socket.destroy();
    };
    this.#client.on("error", (error) => {
      this.#broken ??= error;
    });
    this.#client.on("end", () => {
      this.#broken ??= new Error("closed");
    });
    this.#signal?.addEventListener("abort", this.#cut, { once: true });
    if (this.#signal?.aborted) this.#cut();
  }

  /** False once the server, the network, the signal or {@link close} has ended the connection. */
  get usable(): boolean {
    return this.#broken === null;
  }

  /**
   * Sends the text as one simple-query message; it may hold several statements, which then are one implicit transaction.
   * @throws PostgresFailed naming `what`; @throws Interrupted (or the abort's reason) when the signal aborts.
   */
  async run(sql: string, what: string): Promise<void> {
    await this.#guarded(what, () => this.#client.query(sql));
  }

  /** Rows of one statement; values go as parameters. @throws as {@link run}. */
  async rows<Row extends QueryResultRow>(sql: string, what: string, values?: readonly unknown[]): Promise<Row[]> {
    const result = await this.#guarded(what, () =>
      values === undefined ? this.#client.query<Row>(sql) : this.#client.query<Row>(sql, [...values]),
    );
    return result.rows;
  }

  /** Hands a query object of pg's own kind (a COPY stream) to the connection. The caller redacts its errors. */
  submit<Query extends Submittable>(query: Query, what: string): Query {
    throwIfAborted(this.#signal);
    if (!this.usable) throw connectionLost(this.#broken, what);
    return this.#client.query(query);
  }

  /** What an error on this connection means to the run. */
  failure(error: unknown, what: string): Error {
    if (this.#signal?.aborted) return abortReason(this.#signal);
    const failure = redactedFailure(error, what);
    // The server says goodbye before the socket ends: nothing may be sent in between.
    if (failure.code === "connection_lost") this.#broken ??= error;
    return failure;
  }

  /** Says goodbye and closes; never throws. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#cut);
    if (this.usable) {
      this.#broken = new Error("closed");
      await this.#client.end().catch(() => this.#socket.destroy());
    }
    this.#socket.destroy();
  }

  async #guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
    throwIfAborted(this.#signal);
    if (!this.usable) throw connectionLost(this.#broken, what);
    try {
      return await work();
    } catch (error) {
      throw this.failure(error, what);
    }
  }
}

/**
 * Connects. The signal, when given, cuts the connection for good when it aborts.
 * @throws TargetRefused `unreachable`, `authentication_failed`, `tls_refused`, `no_such_database`, … with a hint.
 */
export async function connect(settings: ConnectionSettings, signal?: AbortSignal): Promise<ServerConnection> {
  throwIfAborted(signal);
  const [{ default: pg }, ssl] = await Promise.all([import("pg"), tlsOptions(settings)]);
  const socket = new Socket();
  const client = new pg.Client({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    ...(settings.password === null ? {} : { password: settings.password }),
    database: settings.database,
    ssl,
    application_name: "sanitize",
    client_encoding: "UTF8",
    // Also keeps pg from taking PGOPTIONS out of the environment.
    options: `${settings.options} -c statement_timeout=0`.trim(),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER,
    connectionTimeoutMillis: settings.connectTimeout,
    stream: () => socket,
  });
  const abandon = () => socket.destroy(new Error("aborted"));
  // Until the connection object takes over, an error of the socket must find a listener.
  const ignore = () => undefined;
  client.on("error", ignore);
  signal?.addEventListener("abort", abandon, { once: true });
  try {
    await client.connect();
    const version = await client.query<{ v: string }>("SELECT pg_catalog.current_setting('server_version_num') AS v");
    const serverVersion = Number(version.rows[0]?.v);
    return new ServerConnection({ settings, serverVersion, client, socket, signal });
  } catch (error) {
    socket.destroy();
    if (signal?.aborted) throw abortReason(signal);
    throw connectFailure(error, settings);
  } finally {
    signal?.removeEventListener("abort", abandon);
  }
}

async function tlsOptions(settings: ConnectionSettings) {
  if (settings.tls === "off") return false;
  const verified = settings.tls === "verify-full";
  const [ca, cert, key] = await Promise.all([
    verified ? certificate(settings.caFile) : undefined,
    certificate(settings.certFile),
    certificate(settings.keyFile),
  ]);
  return {
    minVersion: "TLSv1.2" as const,
    rejectUnauthorized: verified,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

async function certificate(file: string | null): Promise<Buffer | undefined> {
  if (file === null) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new TargetRefused(`the certificate file ${file} cannot be read`, {
      code: "tls_refused",
      hint: "check the path in sslrootcert=, sslcert=, sslkey= or target.ca_file",
      cause: error,
    });
  }
}
