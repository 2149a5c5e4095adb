/**
 * Connections to one bucket: agents, timeouts, trust and the SDK's switches, in one place.
 *
 * Invariants: streams of bodies and short calls have sockets of their own, so that paused readers cannot starve a listing
 * or a ledger append; both are bounded. Bodies are read by a client that never retries by itself, since the SDK repeats a
 * request but never the rest of a body (`resuming-read.ts` does).
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { resolve } from "node:path";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { UsageError } from "../errors.ts";
import type { StoreLimits, StoreLocation } from "./location.ts";
import { s3Failure } from "./s3-errors.ts";

/** Attempts of a short call: a wrong host name should be told within seconds. */
const SHORT_CALL_ATTEMPTS = 5;
const CONNECT_TIMEOUT_MS = 15_000;

/** SSE-C, as every command that touches an object's bytes takes it. */
export interface CustomerKey {
  readonly SSECustomerAlgorithm: "AES256";
  /** Base64 of 32 bytes; the SDK adds its MD5. */
  readonly SSECustomerKey: string;
}

export interface S3Connection {
  readonly bucket: string;
  /** Empty, or ends with `/`. */
  readonly prefix: string;
  /** `s3://bucket/prefix/`. */
  readonly url: string;
  readonly limits: StoreLimits;
  readonly customerKey: CustomerKey | Record<string, never>;
  /** Short calls; retried by the SDK. */
  readonly calls: S3Client;
  /** Uploads; retried by the SDK as often as reads are. */
  readonly uploads: S3Client;
  /** Bodies; one attempt, no socket timeout: both are `resuming-read.ts`'s. */
  readonly bodies: S3Client;
  close(): void;
}

/** @throws UsageError for an endpoint, CA file or SSE-C key that cannot be used. */
export async function connectS3(
  location: StoreLocation,
  address: { readonly bucket: string; readonly prefix: string },
  limits: StoreLimits,
): Promise<S3Connection> {
  const endpoint = location.endpoint === undefined ? null : parseEndpoint(location.endpoint);
  const customerKey =
    location.sseCKeyFile === undefined
      ? {}
      : await readCustomerKey(resolve(location.baseDirectory, location.sseCKeyFile), endpoint);
  const ca = location.caFile === undefined ? undefined : await readCa(resolve(location.baseDirectory, location.caFile));
  const checksums = location.checksums === "when_required" ? "WHEN_REQUIRED" : "WHEN_SUPPORTED";
  const base: S3ClientConfig = {
    ...(location.region === undefined ? {} : { region: location.region }),
    ...(endpoint === null ? {} : { endpoint: endpoint.href }),
    ...(location.credentials === undefined ? {} : { credentials: location.credentials }),
    forcePathStyle: location.pathStyle ?? endpoint !== null,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
  };
  const short = agents(limits.maxSockets, ca);
  const long = agents(limits.maxSockets, ca);
  const handler = {
    ...short,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: limits.idleTimeoutMs,
    logger: SILENT,
  };
  silenceNodeVersionWarning();
  const calls = new S3Client({
    ...base,
    requestHandler: handler,
    maxAttempts: Math.min(SHORT_CALL_ATTEMPTS, limits.maxAttempts),
  });
  const uploads = new S3Client({ ...base, requestHandler: handler, maxAttempts: limits.maxAttempts });
  const bodies = new S3Client({
    ...base,
    requestHandler: { ...long, socketTimeout: 0, logger: SILENT },
    maxAttempts: 1,
    // A checksum covers a whole object, never the rest of one.
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  if (checksums === "WHEN_REQUIRED" || endpoint !== null) {
    addContentMd5(calls);
    addContentMd5(uploads);
  }
  const clients = [calls, uploads, bodies];
  return {
    ...address,
    url: `s3://${address.bucket}/${address.prefix}`,
    limits,
    customerKey,
    calls,
    uploads,
    bodies,
    close: () => {
      for (const closable of [...clients, ...Object.values(short), ...Object.values(long)]) {
        closable.destroy();
      }
    },
  };
}

/** The error of a failed call on `key` (or on the whole store). */
export function failureAt(connection: S3Connection, doing: string, key: string, error: unknown, attempts?: number) {
  return s3Failure(error, `${doing} ${connection.url}${key}`, attempts);
}

/** The SDK's handler prints to the console unless it is given a logger. */
const SILENT = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function agents(maxSockets: number, ca: string | undefined): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const pool = { keepAlive: true, maxSockets, scheduling: "lifo" } as const;
  return {
    httpAgent: new HttpAgent(pool),
    httpsAgent: new HttpsAgent({ ...pool, ...(ca === undefined ? {} : { ca }) }),
  };
}

/**
 * The SDK's pinned version supports Node 20 and says on standard error, for every process, that later ones will not. It
 * knows no option against that but an environment variable; this is the only touch of the environment in this room.
 */
function silenceNodeVersionWarning(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
}

/**
 * Where the SDK's own checksums are off, or the service may be one that does not verify them (Ceph 16 does not), an MD5
 * still lets it refuse a body that was damaged on its way.
 */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body?: unknown; headers?: Record<string, string>; method?: string };
      if (request.method === "PUT" && request.body instanceof Uint8Array && request.headers !== undefined) {
        request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
      }
      return next(args);
    },
    { step: "build", name: "sanitizeContentMd5" },
  );
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new UsageError("endpoint is not an http:// or https:// URL without credentials", {
      code: "bad_endpoint",
      hint: "write endpoint as https://host or https://host:port",
    });
  }
  return url;
}

async function readCa(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UsageError(`ca_file cannot be read: ${path}`, {
      code: "ca_file_unreadable",
      hint: "check the path and its permissions",
      cause,
    });
  });
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new UsageError(`ca_file holds no PEM certificate: ${path}`, {
      code: "ca_file_unreadable",
      hint: "give the CA's certificate in PEM form",
    });
  }
  return text;
}

async function readCustomerKey(path: string, endpoint: URL | null): Promise<CustomerKey> {
  if (endpoint?.protocol === "http:") {
    throw new UsageError("sse_c_key_file needs an https:// endpoint: the key travels with every request", {
      code: "bad_endpoint",
      hint: "use the store's TLS endpoint",
    });
  }
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UsageError(`sse_c_key_file cannot be read: ${path}`, {
      code: "sse_key_unreadable",
      hint: "check the path and its permissions",
      cause,
    });
  });
  const key = bytes.length === 32 ? bytes : Buffer.from(bytes.toString("latin1").trim(), "base64");
  if (key.length !== 32) {
    throw new UsageError(`sse_c_key_file does not hold a 256-bit key: ${path}`, {
      code: "sse_key_unreadable",
      hint: "the file must hold 32 bytes, as they are or in base64",
    });
  }
  return { SSECustomerAlgorithm: "AES256", SSECustomerKey: key.toString("base64") };
}
