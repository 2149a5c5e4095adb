import { describe, expect, it } from "vitest";
import { Interrupted, PostgresFailed, TargetRefused } from "../errors.ts";
import { connect } from "./connection.ts";
import { parseConnectionUrl } from "./connection-settings.ts";
import { StatementRefused } from "./failure.ts";
import { prepareSession } from "./session.ts";
import { serverSettings, serverUrl, tlsUrl, withConnection } from "./testing/real-server.ts";

async function refusal(work: Promise<unknown>): Promise<TargetRefused> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TargetRefused);
  return error as TargetRefused;
}

describe.skipIf(serverUrl === null)("a connection", () => {
  it("says why it could not be made", async () => {
    const settings = serverSettings();
    const codes = await Promise.all(
      [
        { ...settings, password: "wrong" },
        { ...settings, database: "there_is_no_such_database" },
        { ...settings, port: 1 },
        { ...settings, host: "/there/is/no/such/socket" },
        { ...settings, tls: "verify-full" as const },
        { ...settings, caFile: "/there/is/no/such/file", tls: "verify-full" as const },
      ].map(async (bad) => (await refusal(connect(bad))).code),
    );
    expect(codes).toEqual([
      "authentication_failed",
      "no_such_database",
      "unreachable",
      "unreachable",
      "tls_refused",
      "tls_refused",
    ]);
  });

  it("takes no settings out of the environment and says who it is", async () => {
    process.env.PGOPTIONS = "-c statement_timeout=12345";
    process.env.PGAPPNAME = "somebody else";
    try {
      await withConnection("postgres", async (connection) => {
        const sql = "SELECT current_setting('statement_timeout') AS t, current_setting('application_name') AS a";
        expect(await connection.rows(sql, "test")).toEqual([{ t: "0", a: "sanitize" }]);
      });
    } finally {
      delete process.env.PGOPTIONS;
      delete process.env.PGAPPNAME;
    }
  });

  it("survives the end of its backend: the statement fails, the process does not", async () => {
    await withConnection("postgres", async (killer) => {
      const victim = await connect(serverSettings());
      const [row] = await victim.rows<{ pid: number }>("SELECT pg_backend_pid() AS pid", "test");
      const running = victim.run("SELECT pg_sleep(60)", "a long statement");
      const failed = expect(running).rejects.toMatchObject({ code: "connection_lost", exitCode: 9 });
      await killer.rows("SELECT pg_terminate_backend($1)", "test", [row?.pid]);
      await failed;
      expect(victim.usable).toBe(false);
      await expect(victim.run("SELECT 1", "the next")).rejects.toMatchObject({ code: "connection_lost" });
      await victim.close();
    });
  });

  it("survives the end of an idle backend", async () => {
    await withConnection("postgres", async (killer) => {
      const victim = await connect(serverSettings());
      const [row] = await victim.rows<{ pid: number }>("SELECT pg_backend_pid() AS pid", "test");
      await killer.rows("SELECT pg_terminate_backend($1)", "test", [row?.pid]);
      await expect.poll(() => victim.usable).toBe(false);
      await expect(victim.run("SELECT 1", "the next")).rejects.toBeInstanceOf(PostgresFailed);
      await victim.close();
    });
  });

  it("is cut by its signal, in the middle of a statement", async () => {
    const abort = new AbortController();
    const connection = await connect(serverSettings(), abort.signal);
    const running = connection.run("SELECT pg_sleep(60)", "a long statement");
    setImmediate(() => abort.abort());
    await expect(running).rejects.toBeInstanceOf(Interrupted);
    await expect(connection.run("SELECT 1", "the next")).rejects.toBeInstanceOf(Interrupted);
    await connection.close();
    await expect(connect(serverSettings(), abort.signal)).rejects.toBeInstanceOf(Interrupted);
  });

  it("passes a server's refusal on with its SQLSTATE and stays usable", async () => {
    await withConnection("postgres", async (connection) => {
      const refused = connection.run("SELECT 1/0", "a division");
      await expect(refused).rejects.toBeInstanceOf(StatementRefused);
      await expect(refused).rejects.toThrow("division by zero (SQLSTATE 22012)");
      await connection.run("SELECT 1", "the next");
    });
  });

  it("gets the archive's session settings, whatever the server's version knows", async () => {
    await withConnection("postgres", async (connection) => {
      const searchPath = "SELECT pg_catalog.set_config('search_path', '', false);\n";
      await prepareSession(connection, { searchPath, standardConformingStrings: true });
      const names = ["search_path", "check_function_bodies", "row_security", "client_encoding", "synchronous_commit"];
      const values = await connection.rows(
        "SELECT pg_catalog.current_setting(n) AS v FROM unnest($1::text[]) n",
        "test",
        [names],
      );
      expect(values.map(({ v }) => v)).toEqual(["", "off", "off", "UTF8", "off"]);
    });
  });
});

describe.skipIf(tlsUrl === null)("a TLS connection", () => {
  const url = tlsUrl ?? "";

  it("is encrypted, with certificate and name checked", async () => {
    const connection = await connect(parseConnectionUrl(url));
    const sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    const [row] = await connection.rows<{ ssl: boolean; version: string }>(sql, "test");
    expect(row?.ssl).toBe(true);
    expect(["TLSv1.2", "TLSv1.3"]).toContain(row?.version);
    await connection.close();
  });

  it("is refused when the authority is unknown", async () => {
    const settings = { ...parseConnectionUrl(url), caFile: null };
    const error = await refusal(connect(settings));
    expect(error.code).toBe("tls_refused");
    expect(error.hint).toContain("sslrootcert");
  });

  it("is refused when the certificate is for another name", async () => {
    // ::ffff:127.0.0.1 reaches the same server under a name its certificate does not have.
    const settings = { ...parseConnectionUrl(url), host: "::ffff:127.0.0.1" };
    expect((await refusal(connect(settings))).code).toBe("tls_refused");
  });

  it("may go unchecked on this machine alone", async () => {
    const connection = await connect({ ...parseConnectionUrl(url), caFile: null, tls: "unverified" });
    await connection.run("SELECT 1", "test");
    await connection.close();
  });

  it("is what a server that wants TLS asks of a plain connection", async () => {
    const error = await refusal(connect({ ...parseConnectionUrl(url), tls: "off" }));
    expect(error.code).toBe("authentication_failed");
    expect(error.hint).toContain("TLS");
  });
});
