/**
 * The connection that makes, renames and drops databases, and the lock that keeps a second run away from the same target.
 *
 * Invariants: nothing of a database is done without the target's advisory lock, except dropping what is known to be ours; the
 * connection is never cut by the run's signal, since cleaning up needs it; when it breaks it is made again, lock first.
 */
import { createHash } from "node:crypto";
import { PostgresFailed, TargetRefused, throwIfAborted } from "../errors.ts";
import { connect, type ServerConnection } from "./connection.ts";
import { type ConnectionSettings, withDatabase } from "./connection-settings.ts";
import { StatementRefused } from "./failure.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { setTolerantly } from "./session.ts";

/** A role may be kept out of `postgres`, and some servers have none. */
const DATABASES = ["postgres", "template1"] as const;
const FIRST_WITH_FORCE = 130_000;

export interface DatabaseRow {
  readonly oid: number;
  readonly name: string;
  readonly allowsConnections: boolean;
  /** The connected role may rename and drop it. */
  readonly isOurs: boolean;
}

export class Maintenance {
  readonly settings: ConnectionSettings;
  readonly #lock: string;
  #connection: ServerConnection;

  private constructor(settings: ConnectionSettings, lock: string, connection: ServerConnection) {
    this.settings = settings;
    this.#lock = lock;
    this.#connection = connection;
  }

  /** Connects and takes the lock of `settings.database`. @throws TargetRefused `target_busy`, or as {@link connect}. */
  static async open(settings: ConnectionSettings, signal?: AbortSignal): Promise<Maintenance> {
    throwIfAborted(signal);
    const lock = lockKey(settings.database);
    return new Maintenance(settings, lock, await locked(settings, lock));
  }

  /** A connection that holds the lock. @throws TargetRefused `target_busy` when another run took it over after a break. */
  async connection(): Promise<ServerConnection> {
    if (!(await answers(this.#connection))) this.#connection = await locked(this.settings, this.#lock);
    return this.#connection;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** The database of that name or OID, or `null`. */
  async find(by: { readonly name: string } | { readonly oid: number }): Promise<DatabaseRow | null> {
    const connection = await this.connection();
    const [column, value] = "name" in by ? ["datname", by.name] : ["oid", String(by.oid)];
    const rows = await connection.rows<{ oid: string; name: string; allows: boolean; ours: boolean }>(
      `SELECT oid::text AS oid, datname AS name, datallowconn AS allows,
         pg_catalog.pg_has_role(current_user, datdba, 'USAGE') AS ours
       FROM pg_catalog.pg_database WHERE ${column} = $1`,
      "the list of databases",
      [value],
    );
    const row = rows[0];
    return row === undefined
      ? null
      : { oid: Number(row.oid), name: row.name, allowsConnections: row.allows, isOurs: row.ours };
  }

  /** Ends every other session in the database, as far as the role may. */
  async disconnectOthers(database: string, keep: readonly number[] = []): Promise<void> {
    const connection = await this.connection();
    try {
      await connection.rows(
        `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
         WHERE datname = $1 AND pid <> ALL ($2::int[]) AND pid <> pg_catalog.pg_backend_pid()`,
        `ending the sessions in ${database}`,
        [database, keep],
      );
    } catch (error) {
      // Sessions of others than us: what needs the database alone will say so itself.
      if (!(error instanceof StatementRefused && error.sqlState === "42501")) throw error;
    }
  }

  /** Drops a database with all that could hold it: subscriptions, sessions. No error when it is not there. */
  async dropDatabase(name: string): Promise<void> {
    if ((await this.find({ name })) === null) return;
    await this.#dropSubscriptions(name);
    const connection = await this.connection();
    const force = connection.serverVersion >= FIRST_WITH_FORCE;
    if (!force) await this.disconnectOthers(name);
    await connection.run(
      `DROP DATABASE IF EXISTS ${quoteIdentifier(name)}${force ? " WITH (FORCE)" : ""}`,
      `dropping the database ${name}`,
    );
  }

  /** A database with a subscription cannot be dropped; ours never had a slot at a publisher. */
  async #dropSubscriptions(database: string): Promise<void> {
    const connection = await this.connection();
    const what = `the subscriptions of ${database}`;
    const rows = await connection.rows<{ name: string }>(
      `SELECT s.subname AS name FROM pg_catalog.pg_subscription s
       JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1`,
      what,
      [database],
    );
    if (rows.length === 0) return;
    const inside = await connect(withDatabase(this.settings, database));
    try {
      for (const { name } of rows) {
        const subscription = quoteIdentifier(name);
        await inside.run(`ALTER SUBSCRIPTION ${subscription} DISABLE`, what);
        await inside.run(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`, what);
        await inside.run(`DROP SUBSCRIPTION ${subscription}`, what);
      }
    } finally {
      await inside.close();
    }
  }
}

async function locked(settings: ConnectionSettings, lock: string): Promise<ServerConnection> {
  const connection = await connectAnywhere(settings);
  try {
    await setTolerantly(connection);
    const rows = await connection.rows<{ got: boolean }>(
      "SELECT pg_catalog.pg_try_advisory_lock($1::bigint) AS got",
      "the lock of the target",
      [lock],
    );
    if (rows[0]?.got === true) return connection;
    throw new TargetRefused(`another run is restoring into ${settings.database} at this moment`, {
      code: "target_busy",
      hint: "wait for it to end, or end it; the lock goes with its connection",
    });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function connectAnywhere(settings: ConnectionSettings): Promise<ServerConnection> {
  const [first, second] = DATABASES;
  try {
    return await connect(withDatabase(settings, first));
  } catch (error) {
    const isElsewhere =
      error instanceof TargetRefused && (error.code === "no_such_database" || error.code === "insufficient_privilege");
    if (!isElsewhere) throw error;
    return await connect(withDatabase(settings, second));
  }
}

/** The advisory lock of a target, as a bigint: the first 64 bits of a digest of the name. */
export function lockKey(database: string): string {
  const digest = createHash("sha256").update(`sanitize restore into ${database}`).digest();
  return digest.readBigInt64BE(0).toString();
}

/** Hours pass between two uses, and that the server ended a connection shows only when it is asked something. */
async function answers(connection: ServerConnection): Promise<boolean> {
  if (!connection.usable) return false;
  try {
    await connection.rows("SELECT 1", "the maintenance connection");
    return true;
  } catch (error) {
    if (error instanceof PostgresFailed && error.code === "connection_lost") return false;
    throw error;
  }
}
