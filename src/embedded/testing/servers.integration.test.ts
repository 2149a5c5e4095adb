import { execFile } from "node:child_process";
import { promisify } from "node:util";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { testServers } from "./servers.ts";

const run = promisify(execFile);
const servers = testServers();

async function ask(url: string, query: string): Promise<unknown> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<{ answer: unknown }>(query)).rows[0]?.answer;
  } finally {
    await client.end();
  }
}

describe("the servers that the tests run against", () => {
  test.each(servers.postgres)("PostgreSQL ($kind) answers its superuser", async ({ url }) => {
    expect(await ask(url, "SELECT rolsuper AS answer FROM pg_roles WHERE rolname = current_user")).toBe(true);
  });

  test.skipIf(servers.postgresTls === null)("PostgreSQL with TLS refuses to talk in the clear", async () => {
    const url = servers.postgresTls ?? "";
    expect(await ask(url, "SELECT ssl AS answer FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).toBe(true);
    await expect(ask(url.replace(/\?.*/, ""), "SELECT 1 AS answer")).rejects.toThrow(/no encryption|pg_hba/);
  });

  test.skipIf(servers.pgTools === null)("pg_dump is not older than the server it dumps", async () => {
    const [first] = servers.postgres;
    await expect(run(servers.pgTools?.pg_dump ?? "", ["--schema-only", "-d", first?.url ?? ""])).resolves.toBeDefined();
  });

  test.skipIf(servers.s3 === null)("both regions of the S3 store answer", async () => {
    for (const endpoint of [servers.s3?.endpoint ?? "", servers.s3?.endpoint2 ?? ""]) {
      expect(await (await fetch(endpoint)).text()).toContain("ListAllMyBucketsResult");
    }
  });
});
