/**
 * Where and how to reach a PostgreSQL server: parsing of `postgres://` URLs as libpq understands them.
 *
 * Invariants: a host that is not this machine is reached over verified TLS or not at all; no message holds the URL, since
 * the URL holds the password. Pure: certificate files are read when connecting.
 */
import { isIP } from "node:net";
import { TargetRefused, UsageError } from "../errors.ts";

/** `verify-full` checks chain and name; `unverified` encrypts only, and is accepted on this machine alone. */
export type TlsMode = "off" | "unverified" | "verify-full";

export interface ConnectionSettings {
  /** Host name, IP address, or the directory of a Unix socket (starts with `/`). */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `null`: libpq's password file, or none. */
  readonly password: string | null;
  readonly database: string;
  readonly tls: TlsMode;
  /** PEM file of the certificate authority; `null` means the ones Node trusts. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Extra start-up options as in libpq's `options`, or "". */
  readonly options: string;
  /** Milliseconds. */
  readonly connectTimeout: number;
}

/** Parameters that say nothing we would not do anyway. */
const IGNORED = new Set([
  "application_name",
  "fallback_application_name",
  "channel_binding",
  "client_encoding",
  "gssencmode",
  "keepalives",
  "keepalives_idle",
  "keepalives_interval",
  "keepalives_count",
  "ssl_min_protocol_version",
  "sslnegotiation",
  "tcp_user_timeout",
]);
const KNOWN = new Set([
  "connect_timeout",
  "dbname",
  "host",
  "options",
  "password",
  "port",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslrootcert",
  "target_session_attrs",
  "user",
]);
const SSL_MODES = new Set(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]);
const DEFAULT_CONNECT_TIMEOUT = 10_000;

/** True for Unix sockets and loopback addresses: such a target needs neither TLS nor a region. */
export function isLocal(settings: Pick<ConnectionSettings, "host">): boolean {
  const host = settings.host.toLowerCase();
  return (
    host.startsWith("/") || host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))
  );
}

/** `host:port/database`, for messages and reports; never credentials. */
export function describeServer(settings: ConnectionSettings): string {
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  return `${host}:${settings.port}/${settings.database}`;
}

/** The same server, another database. */
export function withDatabase(settings: ConnectionSettings, database: string): ConnectionSettings {
  return { ...settings, database };
}

/**
 * Parses a `postgres://` URL. `defaults.caFile` is used where the URL names no `sslrootcert`.
 * @throws UsageError `bad_target_url` when the URL cannot be read.
 * @throws TargetRefused `tls_required` when TLS is switched off for a host that is not this machine.
 */
export function parseConnectionUrl(url: string, defaults: { readonly caFile?: string } = {}): ConnectionSettings {
  const parts = splitUrl(url);
  const params = parameters(parts.query);
  const host = params.get("host") ?? (parts.host === "" ? "localhost" : parts.host);
  if (host.includes(",")) throw badUrl("it names several hosts", "name the primary alone");
  const user = params.get("user") ?? parts.user;
  const database = params.get("dbname") ?? parts.database;
  if (user === "") throw badUrl("it names no user", "write postgres://user@host/database");
  if (database === "") throw badUrl("it names no database", "write postgres://user@host/database");
  const rootCert = params.get("sslrootcert");
  const settings = {
    host,
    port: integer(params.get("port") ?? (parts.port === "" ? "5432" : parts.port), "port", 65_535),
    user,
    password: params.get("password") ?? parts.password,
    database,
    caFile: rootCert === undefined || rootCert === "system" ? (defaults.caFile ?? null) : rootCert,
    certFile: params.get("sslcert") ?? null,
    keyFile: params.get("sslkey") ?? null,
    options: params.get("options") ?? "",
    connectTimeout: connectTimeout(params.get("connect_timeout")),
  };
  return { ...settings, tls: tlsMode(settings, params.get("sslmode")) };
}

/** sslmode says what the user asks for; what is not this machine gets at least verify-full, whatever was asked. */
function tlsMode(settings: { host: string }, mode: string | undefined): TlsMode {
  if (mode !== undefined && !SSL_MODES.has(mode)) throw badUrl("its sslmode is unknown", "use sslmode=verify-full");
  if (settings.host.startsWith("/")) return "off";
  if (!isLocal(settings)) {
    if (mode === "disable" || mode === "allow") {
      throw new TargetRefused(`sslmode=${mode} for the host ${settings.host}, which is not this machine`, {
        code: "tls_required",
        hint: "use sslmode=verify-full, with sslrootcert=<file> when the server's certificate is of an own authority",
      });
    }
    return "verify-full";
  }
  if (mode === "verify-full" || mode === "verify-ca") return "verify-full";
  return mode === "require" ? "unverified" : "off";
}

interface UrlParts {
  readonly user: string;
  readonly password: string | null;
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly query: string;
}

/** WHATWG URL refuses credentials without a host, which is how a Unix socket is written; hence by hand. */
function splitUrl(url: string): UrlParts {
  const match = /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url);
  if (!match) throw badUrl("it does not look like postgres://user@host:port/database", "percent-encode odd characters");
  const authority = match[1] ?? "";
  const at = authority.lastIndexOf("@");
  const credentials = at < 0 ? "" : authority.slice(0, at);
  const colon = credentials.indexOf(":");
  const place = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority.slice(at + 1));
  if (!place) throw badUrl("its host and port cannot be read", "percent-encode odd characters of user and password");
  return {
    user: decode(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? null : decode(credentials.slice(colon + 1)),
    host: decode((place[1] ?? "").replace(/^\[(.*)\]$/, "$1")),
    port: place[2] ?? "",
    database: decode(match[2] ?? ""),
    query: match[3] ?? "",
  };
}

function parameters(query: string): Map<string, string> {
  const params = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (IGNORED.has(name)) continue;
    if (!KNOWN.has(name)) {
      throw badUrl(`it has the unknown parameter ${JSON.stringify(name)}`, "remove the parameter");
    }
    params.set(name, equals < 0 ? "" : decode(pair.slice(equals + 1)));
  }
  return params;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badUrl("it has a broken percent escape", "write % as %25");
  }
}

function integer(text: string, what: string, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw badUrl(`its ${what} is not a number from 1 to ${max}`, `correct the ${what}`);
  return value;
}

function connectTimeout(seconds: string | undefined): number {
  return seconds === undefined || seconds === "0"
    ? DEFAULT_CONNECT_TIMEOUT
    : integer(seconds, "connect_timeout", 3_600) * 1_000;
}

function badUrl(fact: string, hint: string): UsageError {
  return new UsageError(`the PostgreSQL URL cannot be used: ${fact}`, { code: "bad_target_url", hint });
}
