/**
 * The last step of a restore: the side database takes the target's name.
 *
 * Invariants: owner, settings, privileges and both renames are one transaction, so a run killed at any moment leaves the old
 * state or the new one; an empty database that had the name is replaced only while nobody can get into it; a connection that
 * broke at COMMIT is not guessed about: the database's OID tells who has the name.
 */
import { PostgresFailed, throwIfAborted } from "../errors.ts";
import { connect } from "./connection.ts";
import { quoteIdentifier } from "./identifiers.ts";
import type { Maintenance } from "./maintenance.ts";
import { contents, refuseContents } from "./preflight.ts";
import { oldDatabaseName } from "./side-name.ts";

export interface GoLiveOptions {
  readonly maintenance: Maintenance;
  readonly side: { readonly name: string; readonly oid: number };
  readonly run: string;
  /** The dump's settings of the database, written for the side database's name. */
  readonly statements: readonly string[];
  readonly signal?: AbortSignal;
}

export interface LiveDatabase {
  readonly name: string;
  /** An empty database that had the name and could not be dropped; the restore is done nevertheless. */
  readonly leftover: string | null;
}

/** @throws TargetRefused `target_not_empty`; PostgresFailed; the signal's reason. Then the name is as it was. */
export async function goLive(options: GoLiveOptions): Promise<LiveDatabase> {
  const { maintenance, side } = options;
  const target = maintenance.settings.database;
  throwIfAborted(options.signal);
  await maintenance.disconnectOthers(side.name);
  const existing = await maintenance.find({ name: target });
  const old = existing === null ? null : oldDatabaseName(target, options.run);
  if (old !== null) await makeRoom(maintenance, target);
  try {
    await rename(options, target, old);
  } catch (error) {
    if (!(await hasTakenName(options, target))) {
      if (old !== null) await allowConnections(maintenance, target, true);
      throw error;
    }
  }
  return { name: target, leftover: old === null || (await dropOld(maintenance, old)) ? null : old };
}

/** Closes the existing database to everybody, then looks whether it is empty. */
async function makeRoom(maintenance: Maintenance, target: string): Promise<void> {
  const inside = await connect(maintenance.settings);
  try {
    const [me] = await inside.rows<{ pid: number }>("SELECT pg_catalog.pg_backend_pid() AS pid", "the own session");
    await allowConnections(maintenance, target, false);
    await maintenance.disconnectOthers(target, me === undefined ? [] : [me.pid]);
    refuseContents(target, await contents(inside));
  } catch (error) {
    await allowConnections(maintenance, target, true);
    throw error;
  } finally {
    await inside.close();
  }
}

async function allowConnections(maintenance: Maintenance, database: string, allow: boolean): Promise<void> {
  const connection = await maintenance.connection();
  await connection.run(
    `ALTER DATABASE ${quoteIdentifier(database)} ALLOW_CONNECTIONS ${allow}`,
    `${allow ? "opening" : "closing"} the database ${database}`,
  );
}

async function rename(options: GoLiveOptions, target: string, old: string | null): Promise<void> {
  const connection = await options.maintenance.connection();
  const side = quoteIdentifier(options.side.name);
  const steps: [sql: string, what: string][] = [
    ...(await doorkeeping(options.maintenance, target, side)),
    [`COMMENT ON DATABASE ${side} IS NULL`, "opening the restored database"],
    ...options.statements.map((sql): [string, string] => [sql, "the dump's database settings"]),
  ];
  if (old !== null) {
    steps.push([
      `ALTER DATABASE ${quoteIdentifier(target)} RENAME TO ${quoteIdentifier(old)}`,
      `moving the empty database ${target} away`,
    ]);
  }
  steps.push([
    `ALTER DATABASE ${side} RENAME TO ${quoteIdentifier(target)}`,
    `renaming ${options.side.name} to ${target}`,
  ]);
  await connection.run("BEGIN", "go-live");
  try {
    for (const [sql, what] of steps) await connection.run(sql, what);
    throwIfAborted(options.signal);
    await connection.run("COMMIT", "the commit of go-live");
  } catch (error) {
    if (connection.usable) await connection.run("ROLLBACK", "go-live");
    throw error;
  }
}

/** Who may connect: everybody, as to any new database, or those whom the empty database of that name let in. */
async function doorkeeping(maintenance: Maintenance, target: string, side: string): Promise<[string, string][]> {
  const connection = await maintenance.connection();
  const granted = await connection.rows<{ grantee: string | null; privilege: string }>(
    `SELECT r.rolname AS grantee, a.privilege_type AS privilege FROM pg_catalog.pg_database d
       CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
     WHERE d.datname = $1 AND d.datacl IS NOT NULL AND a.grantee <> d.datdba`,
    "the privileges of the empty database",
    [target],
  );
  const [known] = await connection.rows<{ own: boolean }>(
    "SELECT datacl IS NOT NULL AS own FROM pg_catalog.pg_database WHERE datname = $1",
    "the privileges of the empty database",
    [target],
  );
  const grants = known?.own ? granted : [{ grantee: null, privilege: "CONNECT" }];
  return grants.map(({ grantee, privilege }) => {
    const role = grantee === null ? "PUBLIC" : quoteIdentifier(grantee);
    return [`GRANT ${privilege} ON DATABASE ${side} TO ${role}`, "opening the restored database"];
  });
}

/** After a failure: only a lost connection leaves doubt. */
async function hasTakenName(options: GoLiveOptions, target: string): Promise<boolean> {
  const row = await options.maintenance.find({ oid: options.side.oid });
  return row?.name === target;
}

async function dropOld(maintenance: Maintenance, old: string): Promise<boolean> {
  try {
    await maintenance.dropDatabase(old);
    return true;
  } catch (error) {
    // The restored database has its name: a leftover is worth a remark, not a failed run.
    if (error instanceof PostgresFailed) return false;
    throw error;
  }
}
