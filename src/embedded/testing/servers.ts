/** What integration tests use: the servers that the global setup started or that were named from outside. */

import { join } from "node:path";

export interface TestPostgres {
  /** Superuser, some maintenance database. */
  readonly url: string;
  readonly kind: "embedded" | "debian";
}

export interface TestS3 {
  readonly endpoint: string;
  readonly endpointTls: string;
  readonly region: string;
  /** The other region's gateway, of the same realm. */
  readonly endpoint2: string;
  readonly endpoint2Tls: string;
  readonly region2: string;
  /** PEM file of the CA behind the TLS endpoints. */
  readonly caFile: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A second user, who owns nothing of the first one's. */
  readonly otherAccessKeyId: string;
  readonly otherSecretAccessKey: string;
}

export interface PgTools {
  readonly pg_dump: string;
  readonly pg_restore: string;
  readonly psql: string;
}

export interface TestServers {
  /** Every plain PostgreSQL there is; the first is the one whose version {@link PgTools} suits. */
  readonly postgres: readonly TestPostgres[];
  /** Speaks TLS only; the URL says sslmode=verify-full and names the CA. */
  readonly postgresTls: string | null;
  readonly s3: TestS3 | null;
  readonly pgTools: PgTools | null;
}

/** Environment variables of the S3 server, as scripts/servers/s3/start.sh prints them. */
const S3_VARIABLES = {
  endpoint: "S3_ENDPOINT",
  endpointTls: "S3_ENDPOINT_TLS",
  region: "S3_REGION",
  endpoint2: "S3_ENDPOINT_2",
  endpoint2Tls: "S3_ENDPOINT_2_TLS",
  region2: "S3_REGION_2",
  caFile: "S3_CA_FILE",
  accessKeyId: "AWS_ACCESS_KEY_ID",
  secretAccessKey: "AWS_SECRET_ACCESS_KEY",
  otherAccessKeyId: "S3_OTHER_ACCESS_KEY_ID",
  otherSecretAccessKey: "S3_OTHER_SECRET_ACCESS_KEY",
} as const satisfies Record<keyof TestS3, string>;

/**
 * The servers of this run. A suite that needs one that is not there skips (`describe.skipIf`): the run's closing lines
 * say what was left out, and where nothing may be (`SANITIZE_REQUIRE_ALL=1`) the run fails.
 */
export function testServers(environment: NodeJS.ProcessEnv = process.env): TestServers {
  const { PG_TEST_URL, PG_TEST_EMBEDDED_URL, PG_TEST_TLS_URL, PG_TEST_BIN, S3_ENDPOINT } = environment;
  const postgres: TestPostgres[] = [];
  if (PG_TEST_URL !== undefined && PG_TEST_URL !== PG_TEST_EMBEDDED_URL) {
    postgres.push({ url: PG_TEST_URL, kind: "debian" });
  }
  if (PG_TEST_EMBEDDED_URL !== undefined) {
    postgres.push({ url: PG_TEST_EMBEDDED_URL, kind: "embedded" });
  }
  return {
    postgres,
    postgresTls: PG_TEST_TLS_URL ?? null,
    s3: S3_ENDPOINT === undefined ? null : s3Of(environment),
    pgTools: PG_TEST_BIN === undefined ? null : toolsIn(PG_TEST_BIN),
  };
}

function s3Of(environment: NodeJS.ProcessEnv): TestS3 {
  const of = (key: keyof TestS3): string => {
    const value = environment[S3_VARIABLES[key]];
    if (value === undefined) {
      throw new Error(`S3_ENDPOINT is set, so ${S3_VARIABLES[key]} must be too (see scripts/servers/s3/start.sh)`);
    }
    return value;
  };
  return {
    endpoint: of("endpoint"),
    endpointTls: of("endpointTls"),
    region: of("region"),
    endpoint2: of("endpoint2"),
    endpoint2Tls: of("endpoint2Tls"),
    region2: of("region2"),
    caFile: of("caFile"),
    accessKeyId: of("accessKeyId"),
    secretAccessKey: of("secretAccessKey"),
    otherAccessKeyId: of("otherAccessKeyId"),
    otherSecretAccessKey: of("otherSecretAccessKey"),
  };
}

function toolsIn(bin: string): PgTools {
  return { pg_dump: join(bin, "pg_dump"), pg_restore: join(bin, "pg_restore"), psql: join(bin, "psql") };
}
