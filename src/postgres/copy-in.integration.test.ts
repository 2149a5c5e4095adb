import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArchiveDamaged, Interrupted } from "../errors.ts";
import { connect, type ServerConnection } from "./connection.ts";
import { copyIn } from "./copy-in.ts";
import { writeLargeObjects } from "./large-objects.ts";
import { dropDatabases, freshName, serverSettings, serverUrl, withConnection } from "./testing/real-server.ts";
import { chunks } from "./testing/toc.ts";

const database = freshName("copyin");
const COPY = "COPY public.people (id, name) FROM stdin;\n";
const what = "TABLE DATA public.people (entry 7)";

async function withTable(work: (connection: ServerConnection) => Promise<void>): Promise<void> {
  await withConnection(database, async (connection) => {
    await connection.run(
      "CREATE OR REPLACE FUNCTION public.check_name(n text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF n LIKE 'raise%' THEN RAISE EXCEPTION 'bad name %', n USING ERRCODE = '42501', TABLE = n; END IF; RETURN true; END $$",
      "test",
    );
    await connection.run(
      "DROP TABLE IF EXISTS public.people; CREATE TABLE public.people (id int PRIMARY KEY, name text CHECK (public.check_name(name)))",
      "test",
    );
    await work(connection);
  });
}

async function count(connection: ServerConnection): Promise<number> {
  const [row] = await connection.rows<{ n: number }>("SELECT count(*)::int AS n FROM public.people", "test");
  return row?.n ?? -1;
}

function* manyRows(from: number, to: number): Generator<string> {
  for (let id = from; id < to; id++) yield `${id}\t${"naam ".repeat(20)}\n`;
}

describe.skipIf(serverUrl === null)("COPY into a table", () => {
  beforeAll(() => withConnection("postgres", (server) => server.run(`CREATE DATABASE ${database}`, "test")));
  afterAll(() => dropDatabases([database]));

  it("stores rows and tells their number, with or without the closing line", async () => {
    await withTable(async (connection) => {
      expect(await copyIn(connection, COPY, chunks(manyRows(0, 5000)), { what })).toMatchObject({ rows: 5000 });
      const closed = chunks(["9000\ta\n", "9001\tb\n", "\\.\n\n\n"]);
      expect(await copyIn(connection, COPY, closed, { what })).toMatchObject({ rows: 2 });
      expect(await copyIn(connection, COPY, chunks(["\\.\n\n\n"]), { what })).toMatchObject({ rows: 0 });
      expect(await copyIn(connection, COPY, chunks([]), { what })).toMatchObject({ rows: 0, bytes: 0 });
      expect(await count(connection)).toBe(5002);
    });
  });

  it("empties the table first when told so, in the same transaction", async () => {
    await withTable(async (connection) => {
      const truncate = '"public"."people"';
      await copyIn(connection, COPY, chunks(["1\ta\n"]), { what });
      expect(await copyIn(connection, COPY, chunks(["2\tb\n", "3\tc\n"]), { what, truncate })).toMatchObject({
        rows: 2,
      });
      await expect(copyIn(connection, COPY, chunks(["x\tb\n"]), { what, truncate })).rejects.toThrow();
      expect(await count(connection)).toBe(2);
    });
  });

  it("converts data of another encoding", async () => {
    await withTable(async (connection) => {
      await copyIn(connection, COPY, chunks([Buffer.from([0x31, 0x09, 0x95, 0x5c, 0x0a])]), { what, encoding: "SJIS" });
      expect(await connection.rows("SELECT name FROM public.people", "test")).toEqual([{ name: "表" }]);
    });
  });

  it.each([
    ["a value that is none", "41\ta\nGEHEIM\tb\n", "data_refused", "row 2"],
    ["a repeated key", "1\tGEHEIM\n1\tGEHEIM\n", "constraint_violated", "people_pkey"],
    ["a missing column", "GEHEIM\n", "data_refused", "row 1"],
    ["bytes that are no UTF-8", Buffer.from("1\tGEHEIM \xff\n", "latin1"), "data_refused", "row 1"],
    [
      "an exception of a function that lies about its place",
      "1\traise GEHEIM\n",
      "insufficient_privilege",
      "SQLSTATE 42501",
    ],
  ])("says where %s stands, not what it is", async (_, data, code, place) => {
    await withTable(async (connection) => {
      const error: unknown = await copyIn(connection, COPY, chunks([data]), { what }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code, exitCode: 9 });
      expect(String(error)).toContain(place);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("GEHEIM");
      expect(await count(connection)).toBe(0);
    });
  });

  it("stops early, and stays usable, when the server refuses a row while much more is to come", async () => {
    await withTable(async (connection) => {
      let made = 0;
      async function* endless(): AsyncGenerator<Buffer> {
        yield Buffer.from("x\ty\n");
        for (; made < 100_000; made++) yield Buffer.alloc(256 * 1024, "1\ta\n");
      }
      await expect(copyIn(connection, COPY, endless(), { what })).rejects.toMatchObject({ code: "data_refused" });
      expect(made).toBeLessThan(1000);
      expect(await count(connection)).toBe(0);
    });
  });

  it("keeps nothing when the source fails, throws the source's error, and stays usable", async () => {
    await withTable(async (connection) => {
      const damaged = new ArchiveDamaged("block ends at byte 77", { code: "truncated" });
      async function* failing(): AsyncGenerator<Buffer> {
        for (const row of manyRows(0, 20_000)) yield Buffer.from(row);
        throw damaged;
      }
      await expect(copyIn(connection, COPY, failing(), { what })).rejects.toBe(damaged);
      const failingAtOnce = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(damaged) }) };
      await expect(copyIn(connection, COPY, failingAtOnce, { what })).rejects.toBe(damaged);
      expect(await count(connection)).toBe(0);
    });
  });

  it("names a statement that cannot run, and ends the source", async () => {
    await withTable(async (connection) => {
      let ended = false;
      async function* source(): AsyncGenerator<Buffer> {
        try {
          for (const row of manyRows(0, 50_000)) yield Buffer.from(row);
        } finally {
          ended = true;
        }
      }
      const copy = copyIn(connection, "COPY public.nowhere (id) FROM stdin;\n", source(), { what });
      await expect(copy).rejects.toThrow('relation "public.nowhere" does not exist');
      expect(ended).toBe(true);
      await connection.run("SELECT 1", "the next");
    });
  });

  it("fails, and does not hang or crash, when the backend is killed in the middle", async () => {
    await withTable(async (killer) => {
      const victim = await connect(serverSettings(database));
      const [row] = await victim.rows<{ pid: number }>("SELECT pg_backend_pid() AS pid", "test");
      async function* source(): AsyncGenerator<Buffer> {
        for (let batch = 0; batch < 1000; batch++) {
          if (batch === 3) await killer.rows("SELECT pg_terminate_backend($1)", "test", [row?.pid]);
          yield Buffer.from([...manyRows(batch * 1000, batch * 1000 + 1000)].join(""));
        }
      }
      await expect(copyIn(victim, COPY, source(), { what })).rejects.toMatchObject({ code: "connection_lost" });
      await victim.close();
      expect(await count(killer)).toBe(0);
    });
  });

  it("is interrupted by its signal, with nothing kept", async () => {
    await withTable(async (observer) => {
      const abort = new AbortController();
      const connection = await connect(serverSettings(database), abort.signal);
      async function* source(): AsyncGenerator<Buffer> {
        for (let id = 0; ; id++) {
          if (id === 5000) abort.abort();
          yield Buffer.from(`${id}\tx\n`);
        }
      }
      await expect(copyIn(connection, COPY, source(), { what })).rejects.toBeInstanceOf(Interrupted);
      await connection.close();
      expect(await count(observer)).toBe(0);
    });
  });

  it("writes large objects of every size, leaves skipped ones out, keeps none when one fails", async () => {
    await withConnection(database, async (connection) => {
      const big = Buffer.alloc(700_000, "0123456789abcdef");
      const objects = async function* (broken: boolean) {
        yield { oid: 4_000_000_000, data: chunks([big.subarray(0, 3), big.subarray(3)]) };
        yield { oid: 200_001, data: chunks([]) };
        yield { oid: 200_002, data: chunks(["skipped"]) };
        if (broken) yield { oid: 4_000_000_000, data: chunks(["twice"]) };
      };
      const options = { what, skipOids: new Set([200_002]), create: true };
      const list =
        "SELECT oid::text, length(lo_get(oid)) AS n, md5(lo_get(oid)) AS md5 FROM pg_largeobject_metadata ORDER BY oid";
      await expect(writeLargeObjects(connection, objects(true), options)).rejects.toThrow("large object 4000000000");
      expect(await connection.rows(list, "test")).toEqual([]);
      expect(await writeLargeObjects(connection, objects(false), options)).toEqual({ objects: 2, bytes: 700_000 });
      const md5 = (await import("node:crypto")).createHash("md5").update(big).digest("hex");
      expect(await connection.rows(list, "test")).toMatchObject([
        { oid: "200001", n: 0 },
        { oid: "4000000000", n: 700_000, md5 },
      ]);
    });
  });
});
