/**
 * The target of a restore: checks it, makes the side database that is loaded, and gives that its name at the very end.
 *
 * Invariants: under the target's name there is what was there before, or the finished database, never anything else; the side
 * database lets nobody in but its owner and superusers until go-live; a failed run's database can be told from others by its
 * comment; only an empty database is ever replaced, and emptiness is looked at again when nobody can get in any more.
 */
import type { Archive, TocEntry } from "../archive/model.ts";
import { TargetRefused, throwIfAborted } from "../errors.ts";
import { connect } from "./connection.ts";
import { type ConnectionSettings, withDatabase } from "./connection-settings.ts";
import { createDatabase, databaseOptions, databaseStatements } from "./database-entry.ts";
import { dumpNeeds } from "./dump-needs.ts";
import { StatementRefused } from "./failure.ts";
import { goLive, type LiveDatabase } from "./go-live.ts";
import { quoteIdentifier, quoteLiteral } from "./identifiers.ts";
import { Maintenance } from "./maintenance.ts";
import { checkNeeds, checkServer, checkTargetName, contents, refuseContents } from "./preflight.ts";
import { type DatabaseEntries, planRestore } from "./restore-order.ts";
import { looksLikeSideDatabase, sideDatabaseName } from "./side-name.ts";
import { undescribedOptions } from "./undescribed-database.ts";

/** What CREATE DATABASE says of a locale, collation or encoding it cannot serve. */
const LOCALE_REFUSED = new Set(["0A000", "22023", "42704", "42809"]);
const MARK = "sanitize side database ";

/** A database that an earlier run left when it was killed. */
export interface Leftover {
  readonly name: string;
  /** Bytes on the server's disk. */
  readonly size: number;
}

export interface SideOptions {
  /** Unique; up to 40 of `a-z0-9_`. */
  readonly run: string;
  readonly archive: Pick<Archive, "header" | "toc" | "entry" | "encoding" | "standardConformingStrings">;
  /** Locale C instead of the dump's: for throw-away servers that have few. */
  readonly ignoreLocale?: boolean;
  readonly signal?: AbortSignal;
}

export class Target {
  readonly settings: ConnectionSettings;
  readonly #maintenance: Maintenance;

  private constructor(settings: ConnectionSettings, maintenance: Maintenance) {
    this.settings = settings;
    this.#maintenance = maintenance;
  }

  /**
   * Connects to the server that `settings` names and keeps other runs away from `settings.database`.
   * @throws TargetRefused `target_busy`, `target_reserved`, `unreachable`, `authentication_failed`, `tls_refused`, …
   */
  static async open(settings: ConnectionSettings, signal?: AbortSignal): Promise<Target> {
    checkTargetName(settings.database);
    return new Target(settings, await Maintenance.open(settings, signal));
  }

  /** As `server_version_num`. */
  async serverVersion(): Promise<number> {
    return (await this.#maintenance.connection()).serverVersion;
  }

  /**
   * Everything that can be known before loading. Changes nothing.
   * @throws TargetRefused `target_not_empty`, `missing_roles`, `missing_extensions`, `missing_tablespaces`,
   * `insufficient_privilege`, `target_read_only`, `server_too_old`.
   */
  async preflight(toc: readonly TocEntry[]): Promise<void> {
    const connection = await this.#maintenance.connection();
    await checkServer(connection);
    await this.#checkExisting();
    const needs = dumpNeeds(toc);
    const create = toc.find((entry) => entry.desc === "DATABASE") ?? null;
    const tablespace = databaseOptions(create).get("TABLESPACE");
    await checkNeeds(connection, {
      ...needs,
      tablespaces: tablespace === undefined ? needs.tablespaces : [...needs.tablespaces, tablespace],
    });
  }

  /** Databases that killed runs for this same target left behind. */
  async leftovers(): Promise<Leftover[]> {
    const connection = await this.#maintenance.connection();
    const rows = await connection.rows<{ name: string; comment: string | null; size: string }>(
      `SELECT datname AS name, pg_catalog.shobj_description(oid, 'pg_database') AS comment,
         CASE WHEN pg_catalog.pg_has_role(current_user, datdba, 'USAGE')
           THEN pg_catalog.pg_database_size(oid) ELSE 0 END AS size
       FROM pg_catalog.pg_database WHERE datname LIKE '%\\_\\_sanitize\\_%' ORDER BY datname`,
      "the list of databases",
    );
    const target = this.settings.database;
    return rows
      .filter(({ name, comment }) =>
        comment?.startsWith(MARK)
          ? comment === markOf(target)
          : // Killed before the comment was made, or an emptied target; a shortened name could be another target's.
            looksLikeSideDatabase(name, target) && name.startsWith(target),
      )
      .map(({ name, size }) => ({ name, size: Number(size) }));
  }

  /** Drops a database that {@link leftovers} names. @throws TargetRefused `not_a_leftover` for any other. */
  async removeLeftover(name: string): Promise<void> {
    if (!(await this.leftovers()).some((leftover) => leftover.name === name)) {
      throw new TargetRefused(`the database ${name} is not one that a run for ${this.settings.database} left`, {
        code: "not_a_leftover",
        hint: "drop it yourself when it is no longer wanted",
      });
    }
    await this.#maintenance.dropDatabase(name);
  }

  /**
   * Makes the database that will be loaded, with the dump's encoding and locale, and tries the dump's database settings on
   * it, so that go-live cannot fail on them hours later. Leaves nothing when it throws.
   * @throws TargetRefused `locale_missing`, `insufficient_privilege`; PostgresFailed.
   */
  async createSide(options: SideOptions): Promise<SideDatabase> {
    throwIfAborted(options.signal);
    const entries = planRestore(options.archive).database;
    const name = sideDatabaseName(this.settings.database, options.run);
    const connection = await this.#maintenance.connection();
    const wanted =
      entries.create === null
        ? await undescribedOptions(connection, this.settings.database, options.archive.encoding)
        : databaseOptions(entries.create);
    const sql = createDatabase(name, wanted, connection.serverVersion, options.ignoreLocale);
    try {
      await connection.run(sql, `creating the database ${name}`);
    } catch (error) {
      throw localeMissing(error, wanted.get("LOCALE") ?? wanted.get("LC_COLLATE") ?? "not said");
    }
    try {
      await this.#closeDoor(name);
      await this.#rehearse(name, entries);
      const row = await this.#maintenance.find({ name });
      throwIfAborted(options.signal);
      return new SideDatabase(this.#maintenance, { name, oid: row?.oid ?? 0, run: options.run, entries });
    } catch (error) {
      await this.#maintenance.dropDatabase(name);
      throw error;
    }
  }

  /** Lets another run in. */
  async close(): Promise<void> {
    await this.#maintenance.close();
  }

  async #checkExisting(): Promise<void> {
    const name = this.settings.database;
    const existing = await this.#maintenance.find({ name });
    if (existing === null) return;
    if (!existing.isOurs) {
      throw new TargetRefused(`the database ${name} exists and belongs to another role`, {
        code: "insufficient_privilege",
        hint: "connect as its owner, or name a database that does not exist",
      });
    }
    if (!existing.allowsConnections) {
      throw new TargetRefused(`the database ${name} exists and allows no connections`, {
        code: "target_closed",
        hint: `when it is a leftover: ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true;`,
      });
    }
    const inside = await connect(this.settings);
    try {
      refuseContents(name, await contents(inside));
    } finally {
      await inside.close();
    }
  }

  async #closeDoor(name: string): Promise<void> {
    const connection = await this.#maintenance.connection();
    const database = quoteIdentifier(name);
    await connection.run(
      `COMMENT ON DATABASE ${database} IS ${quoteLiteral(markOf(this.settings.database))};
       REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC;`,
      `closing the database ${name} to others`,
    );
  }

  async #rehearse(name: string, entries: DatabaseEntries): Promise<void> {
    const connection = await this.#maintenance.connection();
    await connection.run("BEGIN", "the rehearsal of go-live");
    try {
      for (const sql of databaseStatements(entries, name)) await connection.run(sql, "the dump's database settings");
    } finally {
      if (connection.usable) await connection.run("ROLLBACK", "the rehearsal of go-live");
    }
  }
}

/** The database that is being loaded. Must end in {@link goLive} or {@link drop}. */
export class SideDatabase {
  readonly name: string;
  /** To connect to it. */
  readonly settings: ConnectionSettings;
  readonly #maintenance: Maintenance;
  readonly #oid: number;
  readonly #run: string;
  readonly #entries: DatabaseEntries;
  #isLive = false;

  /** Use {@link Target.createSide}. */
  constructor(maintenance: Maintenance, parts: { name: string; oid: number; run: string; entries: DatabaseEntries }) {
    this.name = parts.name;
    this.settings = withDatabase(maintenance.settings, parts.name);
    this.#maintenance = maintenance;
    this.#oid = parts.oid;
    this.#run = parts.run;
    this.#entries = parts.entries;
  }

  /**
   * Gives the database the target's name, with the dump's owner, settings, comment and privileges, in one transaction.
   * Every connection to it should be closed; strays are ended. The signal is heeded up to the commit.
   * @throws TargetRefused `target_not_empty`, PostgresFailed; then nothing has changed under the target's name.
   */
  async goLive(signal?: AbortSignal): Promise<LiveDatabase> {
    const live = await goLive({
      maintenance: this.#maintenance,
      side: { name: this.name, oid: this.#oid },
      run: this.#run,
      statements: databaseStatements(this.#entries, this.name),
      ...(signal === undefined ? {} : { signal }),
    });
    this.#isLive = true;
    return live;
  }

  /** Removes the side database with all in it. Does nothing after go-live. */
  async drop(): Promise<void> {
    if (!this.#isLive) await this.#maintenance.dropDatabase(this.name);
  }
}

function markOf(target: string): string {
  return `${MARK}for ${target}`;
}

function localeMissing(error: unknown, locale: string): unknown {
  if (!(error instanceof StatementRefused && LOCALE_REFUSED.has(error.sqlState))) return error;
  return new TargetRefused(`the target cannot make a database with the dump's encoding and locale (${locale})`, {
    code: "locale_missing",
    hint: "install the locale on the server (Debian: dpkg-reconfigure locales, then restart PostgreSQL); for a script that names none, make an empty database with the wanted encoding and locale under the target's name",
    cause: error,
  });
}
