/** Scripts as pg_dump's options shape them, of objects of every kind: restored by us, they are the database they came from. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Archive, ByteSource, TocEntry } from "../archive/model.ts";
import { openArchive } from "../archive/open-archive.ts";
import { runRestore } from "./run-restore.ts";
import { Target } from "./side-database.ts";
import {
  dropDatabases,
  dump,
  ensureRoles,
  freshName,
  samplePath,
  serverSettings,
  serverUrl,
  tool,
  tools,
  withConnection,
} from "./testing/real-server.ts";

const run = promisify(execFile);
const made: string[] = [];
const ROLES = ["app_owner", "app_reader", 'weird "role'];
/** What the sample database has none of. */
const MORE = `
CREATE SCHEMA more; ALTER SCHEMA more OWNER TO app_owner; COMMENT ON SCHEMA more IS 'it''s; more';
CREATE TABLE more.a (id int PRIMARY KEY, b text, n int CHECK (n > 0), v text COLLATE "C");
CREATE TABLE more.heir (extra text) INHERITS (more.a);
ALTER TABLE more.a ALTER COLUMN b SET STORAGE EXTERNAL, ALTER COLUMN n SET STATISTICS 7, REPLICA IDENTITY FULL;
ALTER TABLE more.a FORCE ROW LEVEL SECURITY;
ALTER TABLE more.a ADD CONSTRAINT late CHECK (n < 1000) NOT VALID;
COMMENT ON CONSTRAINT late ON more.a IS 'c'; COMMENT ON CONSTRAINT a_pkey ON more.a IS 'pk';
CREATE INDEX a_b ON more.a (lower(b)); COMMENT ON INDEX more.a_b IS 'i'; ALTER INDEX more.a_b ALTER COLUMN 1 SET STATISTICS 9;
CREATE UNIQUE INDEX a_v ON more.a (v); CREATE TABLE more.r (x int NOT NULL UNIQUE); ALTER TABLE more.r REPLICA IDENTITY USING INDEX r_x_key;
CREATE VIEW more.grouped AS SELECT id, b, count(*) AS c FROM more.a GROUP BY id; COMMENT ON VIEW more.grouped IS 'needs a key';
CREATE VIEW more.upon AS SELECT * FROM more.grouped; ALTER VIEW more.upon ALTER COLUMN c SET DEFAULT 3;
CREATE MATERIALIZED VIEW more.m1 AS SELECT * FROM more.upon; CREATE MATERIALIZED VIEW more.m2 AS SELECT count(*) FROM more.m1;
CREATE UNIQUE INDEX m1_id ON more.m1 (id);
CREATE FUNCTION more.f(a integer, b double precision DEFAULT 1, VARIADIC c text[] DEFAULT '{}', OUT d timestamp with time zone) LANGUAGE sql AS 'SELECT now()';
CREATE FUNCTION more.f("we ird, (" text) RETURNS text LANGUAGE sql AS $f$ SELECT '$$' $f$; ALTER FUNCTION more.f(text) OWNER TO app_owner;
COMMENT ON FUNCTION more.f(text) IS 'f';
CREATE PROCEDURE more.p(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := 1; END'; GRANT EXECUTE ON PROCEDURE more.p(int) TO app_reader;
CREATE AGGREGATE more.total(int) (SFUNC = int4pl, STYPE = int); ALTER AGGREGATE more.total(int) OWNER TO app_owner;
CREATE AGGREGATE more.every_row(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE OPERATOR more.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int); ALTER OPERATOR more.=== (int, int) OWNER TO app_owner;
CREATE OPERATOR FAMILY more.fam USING btree; ALTER OPERATOR FAMILY more.fam USING btree OWNER TO app_owner;
CREATE OPERATOR CLASS more.cls FOR TYPE int USING btree FAMILY more.fam AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE TYPE more.shell; CREATE FUNCTION more.sin(cstring) RETURNS more.shell LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION more.sout(more.shell) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE more.shell (INPUT = more.sin, OUTPUT = more.sout, LIKE = text); ALTER TYPE more.shell OWNER TO app_owner;
CREATE TYPE more.rng AS RANGE (SUBTYPE = float8); CREATE CAST (more.shell AS text) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (more.shell AS text) IS 'cast';
CREATE DOMAIN more.dom AS int; ALTER DOMAIN more.dom ADD CONSTRAINT ok CHECK (VALUE > 0) NOT VALID; COMMENT ON CONSTRAINT ok ON DOMAIN more.dom IS 'd';
CREATE COLLATION more.coll (LOCALE = 'C'); ALTER COLLATION more.coll OWNER TO app_owner;
CREATE DEFAULT CONVERSION more.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY more.dict (TEMPLATE = simple); ALTER TEXT SEARCH DICTIONARY more.dict OWNER TO app_owner;
CREATE TEXT SEARCH CONFIGURATION more.conf (COPY = simple); ALTER TEXT SEARCH CONFIGURATION more.conf ALTER MAPPING FOR word WITH more.dict;
CREATE SERVER more_server FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere'); CREATE USER MAPPING FOR app_owner SERVER more_server OPTIONS (user 'u;');
GRANT USAGE ON FOREIGN SERVER more_server TO app_reader;
CREATE FUNCTION more.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER off BEFORE UPDATE OF b ON more.a FOR EACH ROW WHEN (OLD.b IS DISTINCT FROM NEW.b) EXECUTE FUNCTION more.t();
ALTER TABLE more.a DISABLE TRIGGER off; COMMENT ON TRIGGER off ON more.a IS 't';
CREATE RULE r AS ON UPDATE TO more.r DO ALSO (SELECT 1; SELECT 2); ALTER TABLE more.r ENABLE ALWAYS RULE r; COMMENT ON RULE r ON more.r IS 'r';
CREATE POLICY pol ON more.a FOR SELECT TO app_reader USING (id IN (SELECT x FROM more.r)); COMMENT ON POLICY pol ON more.a IS 'p';
CREATE TABLE more.parts (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE more.parts_1 PARTITION OF more.parts FOR VALUES FROM (0) TO (10) PARTITION BY LIST (id);
CREATE TABLE more.parts_11 PARTITION OF more.parts_1 FOR VALUES IN (1); CREATE TABLE more.parts_rest PARTITION OF more.parts DEFAULT;
CREATE TABLE more.refers (id int, at int, FOREIGN KEY (id, at) REFERENCES more.parts); CREATE INDEX ON more.parts (at);
CREATE STATISTICS more.st (ndistinct) ON b, v FROM more.a; ALTER STATISTICS more.st SET STATISTICS 5; COMMENT ON STATISTICS more.st IS 's';
CREATE SEQUENCE more.seq OWNED BY more.a.n; GRANT USAGE ON SEQUENCE more.seq TO app_reader; SELECT setval('more.seq', 9, false);
GRANT SELECT ON more.a TO app_owner WITH GRANT OPTION; SET ROLE app_owner; GRANT SELECT ON more.a TO app_reader; RESET ROLE;
REVOKE ALL ON FUNCTION more.f(text) FROM PUBLIC; ALTER DEFAULT PRIVILEGES IN SCHEMA more GRANT ALL ON SEQUENCES TO app_reader;
CREATE PUBLICATION pub_more FOR TABLES IN SCHEMA more; ALTER PUBLICATION pub_more OWNER TO postgres;
INSERT INTO more.a VALUES (1, E'x\\\\y''\\n', 5, '\\.'), (2, '', NULL, NULL);
INSERT INTO more.parts VALUES (1, 5), (7, 70); INSERT INTO more.refers VALUES (7, 70), (1, 5); INSERT INTO more.r VALUES (1);
REFRESH MATERIALIZED VIEW more.m1; REFRESH MATERIALIZED VIEW more.m2;
`;

const FORMS: readonly (readonly string[])[] = [
  [],
  ["--create"],
  ["--clean", "--if-exists"],
  ["--clean"],
  ["--create", "--clean"],
  ["--use-set-session-authorization"],
  ["--load-via-partition-root"],
  ["--quote-all-identifiers", "--disable-dollar-quoting"],
  ["--verbose", "--serializable-deferrable"],
  ["--inserts", "--rows-per-insert=3", "--quote-all-identifiers"],
  ["--column-inserts", "--on-conflict-do-nothing"],
];

/** The tool's output as it is, without a file. */
async function script(path: string, args: readonly string[], options = ""): Promise<Buffer> {
  const { host, port, user, password } = serverSettings();
  const env = { ...process.env, PGPASSWORD: password ?? "", PGOPTIONS: options };
  const where = ["-h", host, "-p", String(port), "-U", user];
  const { stdout } = await run(path, [...where, ...args], { env, maxBuffer: 1 << 28, encoding: "buffer" });
  return stdout;
}

function source(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    async *read(start, end = bytes.length) {
      for (let at = start; at < end; at += 1000) yield Buffer.from(bytes.subarray(at, Math.min(end, at + 1000)));
    },
  };
}

/** By entry behind the data, or said of one: the entries behind the data, and tables, that it waits for in the end. */
function needs(archive: Archive): Map<string, Set<string>> {
  const label = ({ desc, namespace, tag }: TocEntry) => `${desc} ${namespace} ${tag}`;
  const reached = (entry: TocEntry, found = new Set<TocEntry>()): Set<TocEntry> => {
    for (const id of entry.dependencies) {
      const next = archive.entry.get(id);
      if (next === undefined || found.has(next)) continue;
      found.add(next);
      reached(next, found);
    }
    return found;
  };
  const matters = (entry: TocEntry) => entry.section === "post-data" || entry.desc === "TABLE";
  const tasks = archive.toc.filter(({ section, desc }) => section === "post-data" || desc === "COMMENT");
  return new Map(
    tasks.map((entry) => [label(entry), new Set([...reached(entry)].filter(matters).map(label))] as const),
  );
}

async function restored(bytes: Buffer): Promise<string> {
  const database = freshName("form");
  made.push(database);
  const archive = await openArchive(source(bytes));
  const server = await Target.open(serverSettings(database));
  try {
    const side = await server.createSide({ run: "test", archive });
    await runRestore({
      jobs: 3,
      settings: side.settings,
      archive,
      tableData: (entry, signal) => ({ data: archive.tableData(entry, signal) }),
    });
    await side.goLive();
  } finally {
    await server.close();
  }
  return await dump(database);
}

describe.skipIf(serverUrl === null || tools === null)("a script of", () => {
  let database = "";
  let expected = "";
  beforeAll(async () => {
    await ensureRoles(ROLES);
    database = freshName("forms");
    made.push(database);
    await withConnection("postgres", (server) =>
      server.run(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`, "test"),
    );
    await tool(tools?.pg_restore ?? "", database, "--exit-on-error", samplePath("pg15-gzip.dump") ?? "");
    for (const statement of MORE.split("\n"))
      await withConnection(database, (inside) => inside.run(statement, statement));
    expected = await dump(database);
  });
  afterAll(() => dropDatabases(made));

  it.each(FORMS.map((options) => [options.join(" "), options] as const))("pg_dump %s", async (_, options) => {
    expect(await restored(await script(tools?.pg_dump ?? "", [...options, database]))).toBe(expected);
  });

  it("pg_dump waits, entry by entry, for all that pg_dump's own archive waits for", async () => {
    const [plain, custom] = [
      await openArchive(source(await script(tools?.pg_dump ?? "", [database]))),
      await openArchive(source(await script(tools?.pg_dump ?? "", ["-Fc", database]))),
    ];
    const [ours, theirs] = [needs(plain), needs(custom)];
    expect(theirs.size).toBeGreaterThan(40);
    const missing = [...theirs].flatMap(([label, wanted]) => {
      const found = ours.get(label) ?? new Set();
      return [...wanted].filter((other) => !found.has(other)).map((other) => `${label} does not wait for ${other}`);
    });
    expect(missing).toEqual([]);
  });

  it("pg_dump with standard_conforming_strings off", async () => {
    const bytes = await script(tools?.pg_dump ?? "", ["--inserts", database], "-c standard_conforming_strings=off");
    expect(await restored(bytes)).toBe(expected);
  });

  it("pg_restore -f -, as one transaction", async () => {
    const path = samplePath("pagila-pg15-gzip.dump") ?? "";
    const bytes = await script(tools?.pg_restore ?? "", ["-f", "-", "-1", path]);
    const oracle = freshName("pagila");
    made.push(oracle);
    await withConnection("postgres", (server) =>
      server.run(`CREATE DATABASE ${oracle} TEMPLATE template0 LOCALE 'C.UTF-8'`, "test"),
    );
    await tool(tools?.pg_restore ?? "", oracle, "--exit-on-error", path);
    expect(await restored(bytes)).toBe(await dump(oracle));
  });
});
