/**
 * Runs once before the integration tests: starts every server that this machine has, and tells the tests by environment
 * variables where they are (read them with `testServers`). Servers named from outside are used as they are.
 *
 * PG_TEST_URL is Debian's server when there is one (its pg_dump is not older than itself), else the embedded one.
 * What could not be started goes into SANITIZE_LEFT_OUT, one per line, for the closing lines of the run.
 */

import { startEmbedded } from "../embedded-postgres.ts";
import { debianPostgres, type Provided, startCluster, startS3 } from "./script-server.ts";

const NO_DEBIAN = "no Debian PostgreSQL 15 or newer found: apt-get install -y postgresql";

let stops: (() => Promise<void>)[] = [];

export async function setup(): Promise<void> {
  const bin = process.env.PG_TEST_BIN ?? (await debianPostgres());
  const cluster = (variable: string, tls: boolean): Promise<Provided> =>
    bin === null ? Promise.resolve({ missing: NO_DEBIAN }) : startCluster(bin, variable, tls);
  const wanted: [what: string, variable: string, start: () => Promise<Provided>][] = [
    ["embedded PostgreSQL", "PG_TEST_EMBEDDED_URL", startEmbeddedServer],
    ["a full PostgreSQL with its tools", "PG_TEST_URL", () => cluster("PG_TEST_URL", false)],
    ["PostgreSQL with TLS", "PG_TEST_TLS_URL", () => cluster("PG_TEST_TLS_URL", true)],
    ["S3 store", "S3_ENDPOINT", startS3],
  ];
  const leftOut: string[] = [];
  await Promise.all(
    wanted
      .filter(([, variable]) => process.env[variable] === undefined)
      .map(async ([what, , start]) => {
        const provided = await start();
        if ("missing" in provided) {
          leftOut.push(`${what} (${provided.missing})`);
          return;
        }
        stops.push(() => provided.stop());
        Object.assign(process.env, provided.environment);
      }),
  );
  const embedded = process.env.PG_TEST_EMBEDDED_URL;
  if (embedded !== undefined) {
    process.env.PG_TEST_URL ??= embedded;
  }
  if (bin !== null) {
    process.env.PG_TEST_BIN = bin;
  }
  process.env.SANITIZE_LEFT_OUT = leftOut.sort().join("\n");
}

export async function teardown(): Promise<void> {
  const all = stops;
  stops = [];
  await Promise.all(all.map((stop) => stop()));
}

async function startEmbeddedServer(): Promise<Provided> {
  try {
    const server = await startEmbedded();
    return { environment: { PG_TEST_EMBEDDED_URL: server.url }, stop: () => server.stop() };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
