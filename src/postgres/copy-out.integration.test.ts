import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { ServerConnection } from "./connection.ts";
import { copyIn } from "./copy-in.ts";
import { CopyOut } from "./copy-out.ts";
import { serverUrl, withConnection } from "./testing/real-server.ts";

async function rows(connection: ServerConnection, query: string): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of connection.submit(new CopyOut(`COPY (${query}) TO STDOUT`), "test"))
    chunks.push(chunk as Buffer);
  const lines = Buffer.concat(chunks).toString().split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => {
    const [marks, ...fields] = line.split("\t");
    expect(marks).toMatch(/^x{0,5}$/);
    return fields.join("\t");
  });
}

const numbers = (count: number, text: string): string => `SELECT '', g, ${text} FROM generate_series(1, ${count}) g`;

describe.skipIf(serverUrl === null)("COPY out", () => {
  it("gives every row, short and long, over many chunks, and leaves the connection usable", async () => {
    await withConnection("postgres", async (connection) => {
      const found = await rows(connection, numbers(200_000, "repeat('é', (g % 7) * (g % 11))"));
      expect(found).toHaveLength(200_000);
      expect(found.every((line, n) => line === `${n + 1}\t${"é".repeat(((n + 1) % 7) * ((n + 1) % 11))}`)).toBe(true);
      expect(await rows(connection, numbers(3, "repeat('z', 300000 * g)"))).toEqual(
        [1, 2, 3].map((n) => `${n}\t${"z".repeat(300_000 * n)}`),
      );
      expect(await rows(connection, numbers(0, "1"))).toEqual([]);
      expect(await connection.rows("SELECT 1 AS one", "test")).toEqual([{ one: 1 }]);
    });
  });

  it("passes over what the server says in between", async () => {
    await withConnection("postgres", async (connection) => {
      await connection.run(
        `SET client_min_messages = notice; CREATE FUNCTION pg_temp.say(n int) RETURNS text LANGUAGE plpgsql AS
         $$ BEGIN IF n % 10 = 0 THEN RAISE NOTICE 'number %', n; END IF; RETURN 'r' || n; END $$`,
        "test",
      );
      const found = await rows(connection, numbers(5000, "pg_temp.say(g)"));
      expect(found.every((line, n) => line === `${n + 1}\tr${n + 1}`)).toBe(true);
    });
  });

  it("fails with the server's error in the middle, and the connection goes on", async () => {
    await withConnection("postgres", async (connection) => {
      await expect(rows(connection, numbers(100_000, "1 / (99000 - g)"))).rejects.toThrow(/division by zero/);
      expect(await rows(connection, numbers(2, "7"))).toEqual(["1\t7", "2\t7"]);
    });
  });

  it("may be left before its end, also while the server is held back", async () => {
    await withConnection("postgres", async (connection) => {
      for await (const chunk of connection.submit(
        new CopyOut(`COPY (${numbers(100_000, "repeat('y', 500)")}) TO STDOUT`),
        "test",
      )) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect((chunk as Buffer).length).toBeGreaterThan(0);
        break;
      }
      expect(await rows(connection, numbers(1, "2"))).toEqual(["1\t2"]);
      for await (const chunk of connection.submit(
        new CopyOut(`COPY (${numbers(300_000, "repeat('y', 50)")}) TO STDOUT`),
        "test",
      )) {
        expect((chunk as Buffer).length).toBeGreaterThan(0);
        break;
      }
      expect(await rows(connection, numbers(1, "1"))).toEqual(["1\t1"]);
    });
  });

  it("fails when its backend is killed", async () => {
    await withConnection("postgres", async (connection) => {
      const [me] = await connection.rows<{ pid: number }>("SELECT pg_backend_pid() AS pid", "test");
      await expect(
        rows(connection, numbers(2_000_000, `CASE WHEN g = 1000000 THEN pg_terminate_backend(${me!.pid})::text END`)),
      ).rejects.toThrow();
    });
  });
});

describe.skipIf(serverUrl === null)("COPY in", () => {
  it("lets go of every chunk once it is sent, however long the table", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const sent: WeakRef<Buffer>[] = [];
    let alive = 0;
    async function* source(): AsyncGenerator<Buffer> {
      for (let n = 0; n < 60; n++) {
        const chunk = Buffer.from(`${n}\t${"x".repeat(200_000)}\n`);
        sent.push(new WeakRef(chunk));
        yield chunk;
        // a weak reference lives until the turn of the event loop ends
        await new Promise((resolve) => setImmediate(resolve));
      }
      collect();
      alive = sent.filter((reference) => reference.deref() !== undefined).length;
    }
    await withConnection("postgres", async (connection) => {
      await connection.run("CREATE TEMP TABLE big (n int, t text)", "test");
      expect(await copyIn(connection, "COPY big (n, t) FROM stdin;\n", source(), { what: "test" })).toMatchObject({
        rows: 60,
      });
    });
    expect(alive).toBeLessThan(10);
  });
});
