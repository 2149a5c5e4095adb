/**
 * What must be true of the target server before a byte is loaded.
 *
 * Invariant: read only; every refusal says what to do. The database that exists already under the target's name must be
 * empty: nothing a user made, large objects included.
 */
import { TargetRefused } from "../errors.ts";
import type { ServerConnection } from "./connection.ts";
import type { DumpNeeds } from "./dump-needs.ts";
import { quoteIdentifier } from "./identifiers.ts";

const OLDEST = 120_000;
const RESERVED = new Set(["postgres", "template0", "template1"]);
const LISTED = 10;

/** A name that may be restored into. @throws TargetRefused `target_reserved`, `target_name_too_long`. */
export function checkTargetName(name: string): void {
  if (RESERVED.has(name)) {
    throw new TargetRefused(`the database ${name} belongs to the server itself`, {
      code: "target_reserved",
      hint: "name a database of its own in the target's URL; it need not exist",
    });
  }
  if (Buffer.byteLength(name) > 63) {
    throw new TargetRefused("the target database's name is longer than the 63 bytes PostgreSQL keeps", {
      code: "target_name_too_long",
      hint: "choose a shorter name",
    });
  }
}

/** Version, read-only state, and what the role may do. @throws TargetRefused */
export async function checkServer(connection: ServerConnection): Promise<void> {
  if (connection.serverVersion < OLDEST) {
    throw new TargetRefused(`the target runs PostgreSQL ${Math.floor(connection.serverVersion / 10_000)}`, {
      code: "server_too_old",
      hint: "use PostgreSQL 12 or later",
    });
  }
  const [row] = await connection.rows<{ standby: boolean; may: boolean; name: string }>(
    `SELECT pg_catalog.pg_is_in_recovery() AS standby, rolsuper OR rolcreatedb AS may, rolname AS name
     FROM pg_catalog.pg_roles WHERE rolname = current_user`,
    "the check of the role",
  );
  if (row?.standby) {
    throw new TargetRefused("the target is a standby, which is read-only", {
      code: "target_read_only",
      hint: "name the primary in the target's URL",
    });
  }
  if (row?.may) return;
  throw new TargetRefused(`role ${row?.name} may not create databases`, {
    code: "insufficient_privilege",
    hint: `ALTER ROLE ${quoteIdentifier(row?.name ?? "")} CREATEDB;`,
  });
}

/** Roles, membership in owners, extensions and tablespaces. @throws TargetRefused naming all that is missing of a kind. */
export async function checkNeeds(connection: ServerConnection, needs: DumpNeeds): Promise<void> {
  const roles = await missing(connection, needs.roles, "SELECT rolname AS name FROM pg_catalog.pg_roles");
  if (roles.length > 0) {
    throw new TargetRefused(`the dump names ${count(roles, "role")} that the target does not have: ${some(roles)}`, {
      code: "missing_roles",
      hint: `create them: ${roles.map((role) => `CREATE ROLE ${quoteIdentifier(role)};`).join(" ")}`,
    });
  }
  const tablespaces = await missing(
    connection,
    needs.tablespaces,
    "SELECT spcname AS name FROM pg_catalog.pg_tablespace",
  );
  if (tablespaces.length > 0) {
    throw new TargetRefused(
      `the dump names ${count(tablespaces, "tablespace")} that the target does not have: ${some(tablespaces)}`,
      { code: "missing_tablespaces", hint: "create them with CREATE TABLESPACE … LOCATION …" },
    );
  }
  const extensions = await missing(connection, needs.extensions, "SELECT name FROM pg_catalog.pg_available_extensions");
  if (extensions.length > 0) {
    throw new TargetRefused(
      `the target cannot create ${count(extensions, "extension")} of the dump: ${some(extensions)}`,
      {
        code: "missing_extensions",
        hint: "install the extensions' packages on the server (Debian: postgresql-contrib and the extension's own), or allow them in the managed service",
      },
    );
  }
  await checkMembership(connection, needs.owners);
}

async function checkMembership(connection: ServerConnection, owners: readonly string[]): Promise<void> {
  const rows = await connection.rows<{ name: string; me: string }>(
    `SELECT rolname AS name, current_user AS me FROM pg_catalog.pg_roles
     WHERE rolname = ANY ($1::text[]) AND NOT pg_catalog.pg_has_role(current_user, oid, 'MEMBER')`,
    "the check of the owners",
    [owners],
  );
  if (rows.length === 0) return;
  const names = rows.map((row) => row.name);
  const me = quoteIdentifier(rows[0]?.me ?? "");
  throw new TargetRefused(`role ${rows[0]?.me} may not give objects to ${some(names)}`, {
    code: "insufficient_privilege",
    hint: names.map((name) => `GRANT ${quoteIdentifier(name)} TO ${me};`).join(" "),
  });
}

async function missing(connection: ServerConnection, wanted: readonly string[], present: string): Promise<string[]> {
  if (wanted.length === 0) return [];
  const rows = await connection.rows<{ name: string }>(
    `SELECT w AS name FROM pg_catalog.unnest($1::text[]) AS w WHERE w NOT IN (${present}) ORDER BY 1`,
    "the check of what the dump needs",
    [wanted],
  );
  return rows.map((row) => row.name);
}

/**
 * What a user has made in the connected database, as `kind name`, at most a few; empty when there is nothing.
 * Members of extensions and the objects initdb makes do not count.
 */
export async function contents(connection: ServerConnection): Promise<string[]> {
  const rows = await connection.rows<{ thing: string }>(CONTENTS, "the check that the target is empty", [LISTED]);
  return rows.map((row) => row.thing);
}

/** @throws TargetRefused `target_not_empty` when there is anything. */
export function refuseContents(database: string, things: readonly string[]): void {
  if (things.length === 0) return;
  throw new TargetRefused(`the target database ${database} is not empty: ${things.slice(0, 5).join(", ")}, …`, {
    code: "target_not_empty",
    hint: "name a database that does not exist or is empty; to replace this one, rename or drop it yourself first",
  });
}

/** OIDs below 16384 are initdb's, but a large object may have any; extension members are extensions' business, and an empty database may have some. */
const CONTENTS = `
WITH things AS (
  SELECT 'pg_class'::regclass AS class, c.oid, 'relation ' || n.nspname || '.' || c.relname AS thing
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_(toast|temp)'
  UNION ALL
  SELECT 'pg_proc'::regclass, oid, 'function ' || proname FROM pg_catalog.pg_proc
  UNION ALL
  SELECT 'pg_type'::regclass, oid, 'type ' || typname FROM pg_catalog.pg_type WHERE typrelid = 0 AND typelem = 0
  UNION ALL
  SELECT 'pg_namespace'::regclass, oid, 'schema ' || nspname FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast|temp)'
  UNION ALL
  SELECT 'pg_publication'::regclass, oid, 'publication ' || pubname FROM pg_catalog.pg_publication
  UNION ALL
  SELECT 'pg_event_trigger'::regclass, oid, 'event trigger ' || evtname FROM pg_catalog.pg_event_trigger
  UNION ALL
  SELECT 'pg_collation'::regclass, oid, 'collation ' || collname FROM pg_catalog.pg_collation
  UNION ALL
  SELECT 'pg_foreign_server'::regclass, oid, 'foreign server ' || srvname FROM pg_catalog.pg_foreign_server
  UNION ALL
  SELECT 'pg_ts_config'::regclass, oid, 'text search configuration ' || cfgname FROM pg_catalog.pg_ts_config
  UNION ALL
  SELECT 'pg_subscription'::regclass, s.oid, 'subscription ' || subname FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'pg_largeobject_metadata'::regclass, oid, 'large object ' || oid FROM pg_catalog.pg_largeobject_metadata
)
SELECT thing FROM things t
WHERE (oid >= 16384 OR class = 'pg_largeobject_metadata'::regclass) AND thing <> 'schema public' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d WHERE d.classid = t.class AND d.objid = t.oid AND d.deptype = 'e'
)
ORDER BY thing LIMIT $1`;

function count(names: readonly string[], what: string): string {
  return names.length === 1 ? `a ${what}` : `${names.length} ${what}s`;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).join(", ");
  return names.length > LISTED ? `${shown} and ${names.length - LISTED} more` : shown;
}
