import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TocEntry } from "../archive/model.ts";
import { Interrupted, TargetRefused } from "../errors.ts";
import { connect } from "./connection.ts";
import { quoteIdentifier } from "./identifiers.ts";
import { lockKey } from "./maintenance.ts";
import { type SideDatabase, Target } from "./side-database.ts";
import {
  databaseNames,
  dropDatabases,
  ensureRoles,
  freshName,
  serverSettings,
  serverUrl,
  withConnection,
} from "./testing/real-server.ts";
import { archiveOf, tocEntry } from "./testing/toc.ts";

const made: string[] = [];

function newTarget(): string {
  const name = freshName("side");
  made.push(name);
  return name;
}

/** The entries of a database called `shop`, as pg_dump writes them. */
function shopEntries(options = "ENCODING = 'UTF8' LOCALE = 'C'"): TocEntry[] {
  const create = `CREATE DATABASE shop WITH TEMPLATE = template0 ${options};\n`;
  return [
    tocEntry({
      dumpId: 1,
      desc: "DATABASE",
      tag: "shop",
      defn: create,
      dropStmt: "DROP DATABASE shop;\n",
      owner: "app_owner",
    }),
    tocEntry({
      dumpId: 2,
      desc: "COMMENT",
      section: "none",
      tag: "DATABASE shop",
      defn: "COMMENT ON DATABASE shop IS 'our shop';\n",
    }),
    tocEntry({
      dumpId: 3,
      desc: "DATABASE PROPERTIES",
      tag: "shop",
      defn: "ALTER DATABASE shop SET work_mem TO '5MB';\n",
    }),
    tocEntry({
      dumpId: 4,
      desc: "ACL",
      section: "none",
      tag: "DATABASE shop",
      defn: "REVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;\nGRANT CONNECT ON DATABASE shop TO app_reader;\n",
    }),
  ];
}

async function withTarget<T>(name: string, work: (target: Target) => Promise<T>): Promise<T> {
  const target = await Target.open(serverSettings(name));
  try {
    return await work(target);
  } finally {
    await target.close();
  }
}

async function sideOf(target: Target, toc = shopEntries(), run = "test"): Promise<SideDatabase> {
  return await target.createSide({ run, archive: archiveOf({ toc }) });
}

async function createDatabase(name: string): Promise<void> {
  await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${quoteIdentifier(name)}`, "test"));
}

async function code(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TargetRefused);
  expect((error as TargetRefused).hint).toBeTruthy();
  return (error as TargetRefused).code;
}

describe.skipIf(serverUrl === null)("the target", () => {
  beforeAll(() => ensureRoles(["app_owner", "app_reader"]));
  afterAll(async () => {
    for (const name of made) await dropDatabases(await databaseNames(name));
  });

  it("gets its name last: until go-live there is only the side database, closed to others", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      await target.preflight(shopEntries());
      const side = await sideOf(target);
      expect(await databaseNames(name)).toEqual([`${name}__sanitize_test`]);
      const door = "SELECT has_database_privilege('app_reader', current_database(), 'CONNECT') AS open";
      expect(await withConnection(side.name, (inside) => inside.rows(door, "test"))).toEqual([{ open: false }]);
      expect(await side.goLive()).toEqual({ name, leftover: null });
      await side.drop();
      expect(await databaseNames(name)).toEqual([name]);
    });
  });

  it("is like the empty one that was made for it when the dump does not describe its database", async () => {
    const [latin, fresh] = [newTarget(), newTarget()];
    await withConnection("postgres", (server) =>
      server.run(`CREATE DATABASE ${latin} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`, "test"),
    );
    const kind = `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate FROM pg_database
      WHERE datname = current_database()`;
    for (const [name, encoding, collate] of [
      [latin, "LATIN1", "C"],
      [fresh, "UTF8", "C.UTF-8"],
    ] as const) {
      await withTarget(name, async (target) => {
        const side = await sideOf(target, []);
        expect(await withConnection(side.name, (inside) => inside.rows(kind, "test"))).toEqual([{ encoding, collate }]);
        await side.goLive();
        expect(await withConnection(name, (inside) => inside.rows(kind, "test"))).toEqual([{ encoding, collate }]);
      });
    }
  });

  it("is, once live, what the dump says of its database, and nothing of ours sticks to it", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      await (await sideOf(target)).goLive();
    });
    const [row] = await withConnection(name, (inside) =>
      inside.rows(
        `SELECT pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment, datacl::text AS acl,
           (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings, datallowconn AS open
         FROM pg_database d WHERE datname = current_database()`,
        "test",
      ),
    );
    expect(row).toEqual({
      owner: "app_owner",
      comment: "our shop",
      acl: "{app_owner=CTc/app_owner,app_reader=c/app_owner}",
      settings: ["work_mem=5MB"],
      open: true,
    });
  });

  it("has default privileges and no comment when the dump says nothing of them", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      await (await sideOf(target, [])).goLive();
    });
    const sql = `SELECT shobj_description(oid, 'pg_database') AS comment,
        (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a)
        = (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(acldefault('d', datdba)) a) AS same
      FROM pg_database WHERE datname = current_database()`;
    expect(await withConnection(name, (inside) => inside.rows(sql, "test"))).toEqual([{ comment: null, same: true }]);
  });

  it("may exist when it is empty, even with clients connected, and is replaced", async () => {
    const name = newTarget();
    await createDatabase(name);
    await withConnection(name, (inside) => inside.run("CREATE EXTENSION IF NOT EXISTS plpgsql", "test"));
    await withTarget(name, async (target) => {
      await target.preflight(shopEntries());
      const client = await connect(serverSettings(name));
      const side = await sideOf(target);
      expect(await side.goLive()).toEqual({ name, leftover: null });
      await expect.poll(() => client.usable).toBe(false);
      await client.close();
    });
    expect(await databaseNames(name)).toEqual([name]);
  });

  it.each([
    ["a table", "CREATE TABLE public.x ()"],
    ["a function", "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
    ["a schema", "CREATE SCHEMA s"],
    ["a type", "CREATE TYPE public.t AS ENUM ()"],
    ["a large object", "SELECT lo_create(77)"],
    ["a sequence", "CREATE SEQUENCE public.s"],
    ["a publication", "CREATE PUBLICATION p"],
    [
      "a subscription",
      "CREATE SUBSCRIPTION side_sub CONNECTION 'host=x' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    ],
  ])("is refused when it has %s", async (_, sql) => {
    const name = newTarget();
    await createDatabase(name);
    await withConnection(name, (inside) => inside.run(sql, "test"));
    await withTarget(name, async (target) => {
      expect(await code(target.preflight([]))).toBe("target_not_empty");
    });
  });

  it("is looked at again before the rename: what came meanwhile stays, open as before", async () => {
    const name = newTarget();
    await createDatabase(name);
    await withTarget(name, async (target) => {
      await target.preflight(shopEntries());
      const side = await sideOf(target);
      await withConnection(name, (inside) => inside.run("CREATE TABLE public.precious ()", "test"));
      expect(await code(side.goLive())).toBe("target_not_empty");
      const sql = "SELECT to_regclass('public.precious') IS NOT NULL AS there";
      expect(await withConnection(name, (inside) => inside.rows(sql, "test"))).toEqual([{ there: true }]);
      await side.drop();
    });
    expect(await databaseNames(name)).toEqual([name]);
  });

  it("keeps its name and door when go-live is interrupted", async () => {
    const name = newTarget();
    await createDatabase(name);
    await withTarget(name, async (target) => {
      const side = await sideOf(target);
      await expect(side.goLive(AbortSignal.abort())).rejects.toBeInstanceOf(Interrupted);
      await side.drop();
    });
    await withConnection(name, (inside) => inside.run("SELECT 1", "test"));
    expect(await databaseNames(name)).toEqual([name]);
  });

  it("lets one run in at a time", async () => {
    const name = newTarget();
    await withTarget(name, async () => {
      expect(await code(Target.open(serverSettings(name)))).toBe("target_busy");
    });
    await withTarget(name, async (target) => {
      await target.preflight([]);
    });
  });

  it("is found again, lock included, after its maintenance connection was killed", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      const side = await sideOf(target);
      await withConnection("postgres", async (killer) => {
        const holder = `SELECT pg_terminate_backend(pid) FROM pg_locks
          WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = $1::bigint`;
        expect(await killer.rows(holder, "test", [lockKey(name)])).toHaveLength(1);
      });
      expect(await side.goLive()).toEqual({ name, leftover: null });
      expect(await code(Target.open(serverSettings(name)))).toBe("target_busy");
    });
  });

  it("names what the server lacks", async () => {
    await withTarget(newTarget(), async (target) => {
      const refusal = async (entry: Partial<TocEntry>) => await code(target.preflight([tocEntry(entry)]));
      expect(await refusal({ owner: "no such role", dropStmt: "DROP TABLE t;" })).toBe("missing_roles");
      expect(await refusal({ desc: "ACL", defn: "GRANT ALL ON TABLE t TO nobody_here;" })).toBe("missing_roles");
      expect(await refusal({ desc: "EXTENSION", tag: "no_such_extension" })).toBe("missing_extensions");
      expect(await refusal({ tablespace: "no_such_disk" })).toBe("missing_tablespaces");
      const onDisk = "CREATE DATABASE x WITH TEMPLATE = template0 TABLESPACE = no_such_disk;";
      expect(await refusal({ desc: "DATABASE", tag: "x", defn: onDisk })).toBe("missing_tablespaces");
      await expect(target.preflight([tocEntry({ owner: 'a "b"', dropStmt: "x" })])).rejects.toMatchObject({
        hint: 'create them: CREATE ROLE "a ""b""";',
      });
    });
  });

  it("cannot be made with a locale the server does not have, and nothing is left", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      const toc = shopEntries("ENCODING = 'UTF8' LC_COLLATE = 'xx_XX.UTF-8' LC_CTYPE = 'xx_XX.UTF-8'");
      expect(await code(sideOf(target, toc))).toBe("locale_missing");
      const side = await target.createSide({ run: "drill", archive: archiveOf({ toc }), ignoreLocale: true });
      await side.drop();
    });
    expect(await databaseNames(name)).toEqual([]);
  });

  it("learns before the load that the dump's database settings cannot be had", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      const bad = tocEntry({
        dumpId: 9,
        desc: "DATABASE PROPERTIES",
        tag: "shop",
        defn: "ALTER DATABASE shop SET no_such TO '1';",
      });
      await expect(sideOf(target, [...shopEntries(), bad])).rejects.toMatchObject({ exitCode: 9 });
    });
    expect(await databaseNames(name)).toEqual([]);
  });

  it("refuses the server's own databases, and names that PostgreSQL would cut", async () => {
    expect(await code(Target.open(serverSettings("postgres")))).toBe("target_reserved");
    expect(await code(Target.open(serverSettings("x".repeat(64))))).toBe("target_name_too_long");
  });

  it("names what killed runs left, and drops nothing else", async () => {
    const name = newTarget();
    const other = newTarget();
    await withTarget(other, (target) => sideOf(target));
    await createDatabase(`${name}__notes`);
    await withTarget(name, (target) => sideOf(target, shopEntries(), "killed"));
    await withTarget(name, async (target) => {
      const left = await target.leftovers();
      expect(left.map((leftover) => leftover.name)).toEqual([`${name}__sanitize_killed`]);
      expect(left[0]?.size).toBeGreaterThan(1_000_000);
      expect(await code(target.removeLeftover(`${name}__notes`))).toBe("not_a_leftover");
      expect(await code(target.removeLeftover(`${other}__sanitize_test`))).toBe("not_a_leftover");
      await target.removeLeftover(`${name}__sanitize_killed`);
      expect(await target.leftovers()).toEqual([]);
    });
    expect(await databaseNames(name)).toEqual([`${name}__notes`]);
  });

  it("is dropped with sessions, prepared statements and subscriptions in it", async () => {
    const name = newTarget();
    await withTarget(name, async (target) => {
      const side = await sideOf(target);
      const client = await connect(side.settings);
      const subscribe = `CREATE SUBSCRIPTION ${quoteIdentifier(name)} CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p
        WITH (connect = false, slot_name = 'a_slot')`;
      await client.run(subscribe, "test");
      await side.drop();
      await client.close();
    });
    expect(await databaseNames(name)).toEqual([]);
  });

  it("asks for the privileges it needs", async () => {
    const name = newTarget();
    const role = freshName("plain");
    await withConnection("postgres", (server) => server.run(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`, "test"));
    const open = () => Target.open({ ...serverSettings(name), user: role, password: "p" });
    const target = await open();
    try {
      expect(await code(target.preflight([]))).toBe("insufficient_privilege");
      await withConnection("postgres", (server) => server.run(`ALTER ROLE ${role} CREATEDB`, "test"));
      await target.preflight([]);
      expect(await code(target.preflight(shopEntries()))).toBe("insufficient_privilege");
      await createDatabase(name);
      expect(await code(target.preflight([]))).toBe("insufficient_privilege");
      await dropDatabases([name]);
      await withConnection("postgres", (server) => server.run(`GRANT app_owner TO ${role}`, "test"));
      await target.preflight(shopEntries());
      expect(await (await sideOf(target)).goLive()).toEqual({ name, leftover: null });
    } finally {
      await target.close();
      await dropDatabases([name]);
      await withConnection("postgres", (server) => server.run(`DROP ROLE ${role}`, "test"));
    }
  });
});
