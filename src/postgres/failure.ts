/**
 * Turns what `pg` throws into errors that may be shown, logged and kept.
 *
 * Invariant: no row's bytes leave. PostgreSQL quotes values in `detail`, `where`, `internalQuery`, and in the message of many data
 * exceptions; functions of the database can put anything into theirs. So the server's own text is used only for classes
 * that speak of objects, and only when `where` is empty: a context means that COPY or a function was at work. The pg error
 * is never kept as `cause`, since loggers print causes whole.
 */
import { Interrupted, PostgresFailed, SanitizeError, TargetRefused } from "../errors.ts";
import { type ConnectionSettings, describeServer } from "./connection-settings.ts";
import { conditionOf, speaksOfObjects } from "./sql-state.ts";

/** The fields of an ErrorResponse that are used. */
interface ServerError {
  readonly code: string;
  readonly message: string;
  readonly where?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}

/** The SQLSTATE of an error that the server sent, else `null`. */
export function sqlStateOf(error: unknown): string | null {
  return asServerError(error)?.code ?? null;
}

/** A refusal of the server, with its SQLSTATE at hand for callers that make more of it. */
export class StatementRefused extends PostgresFailed {
  readonly sqlState: string;

  constructor(message: string, details: { code: string; hint?: string; sqlState: string }) {
    super(message, details);
    this.sqlState = details.sqlState;
  }
}

/**
 * What went wrong with a statement. `what` names it: object names, dump ID, never a value.
 * An error of ours comes back as it is.
 */
export function redactedFailure(error: unknown, what: string): SanitizeError {
  if (error instanceof SanitizeError) return error;
  const refused = asServerError(error);
  if (refused === null) return connectionLost(error, what);
  if (refused.code.startsWith("57P")) return connectionLost(error, what);
  const text =
    speaksOfObjects(refused.code) && !refused.where
      ? `: ${oneLine(refused.message)}`
      : `: ${conditionOf(refused.code)}`;
  const hint = hintOf(refused.code);
  return new StatementRefused(`postgresql refused ${what}${text} (SQLSTATE ${refused.code})${placeOf(refused)}`, {
    code: codeOf(refused.code),
    sqlState: refused.code,
    ...(hint === null ? {} : { hint }),
  });
}

/** The connection broke, or the server ended it. */
export function connectionLost(error: unknown, what: string): PostgresFailed {
  const state = sqlStateOf(error);
  const why = state === null ? (networkCode(error) ?? "the connection was closed") : `${conditionOf(state)}, ${state}`;
  return new PostgresFailed(`the connection to postgresql broke at ${what} (${why})`, {
    code: "connection_lost",
    hint: "look into the server's log, then run the same command again; nothing was left servable",
  });
}

/** Why a connection could not be made. */
export function connectFailure(error: unknown, settings: ConnectionSettings): SanitizeError {
  if (error instanceof SanitizeError) return error;
  const server = describeServer(settings);
  const refused = asServerError(error);
  if (refused !== null) return refusedConnection(refused, server, settings);
  const network = networkCode(error);
  const message = error instanceof Error ? error.message : "";
  if (/does not support SSL|establishing an SSL/.test(message)) {
    return refusal(
      "tls_refused",
      `the server ${server} does not offer TLS`,
      "switch ssl on in the server, or use a host on this machine",
    );
  }
  if (network !== null && /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|ALTNAME|HOSTNAME/.test(network)) {
    return refusal(
      "tls_refused",
      `the TLS certificate of ${server} cannot be trusted (${network})`,
      "give the authority's file as sslrootcert= or target.ca_file, and use the host name that the certificate is for",
    );
  }
  const why = network ?? (/timeout/i.test(message) ? "no answer in time" : "the connection was closed");
  return refusal(
    "unreachable",
    `no connection to ${server} (${why})`,
    "check host, port, firewall and that the server runs",
  );
}

function refusedConnection(refused: ServerError, server: string, settings: ConnectionSettings): TargetRefused {
  const role = settings.user;
  switch (refused.code) {
    case "28P01":
    case "28000":
      return refusal(
        "authentication_failed",
        `the server ${server} does not let role ${role} in (SQLSTATE ${refused.code})`,
        settings.tls === "off"
          ? "check user and password, and whether pg_hba.conf wants TLS for this host (sslmode=verify-full)"
          : "check user and password, and the server's pg_hba.conf",
      );
    case "3D000":
      return refusal("no_such_database", `there is no database ${settings.database} at ${server}`, "check the name");
    case "42501":
      return refusal("insufficient_privilege", `role ${role} may not connect to ${server}`, "grant it CONNECT");
    case "08P01":
      return refusal(
        "unreachable",
        `${server} does not speak PostgreSQL's protocol`,
        "connect to the server itself, not to a pooler",
      );
    default:
      return refusal(
        refused.code === "53300" ? "too_many_connections" : "unreachable",
        `the server ${server} refused the connection: ${conditionOf(refused.code)} (SQLSTATE ${refused.code})`,
        "wait until the server accepts connections, or lower --jobs",
      );
  }
}

/** What a run that was aborted ends with: the abort's own reason where it is one of our errors. */
export function abortReason(signal: AbortSignal): SanitizeError {
  return signal.reason instanceof SanitizeError ? signal.reason : new Interrupted();
}

function refusal(code: string, message: string, hint: string): TargetRefused {
  return new TargetRefused(message, { code, hint });
}

function asServerError(error: unknown): ServerError | null {
  if (!(error instanceof Error) || !("severity" in error) || !("code" in error)) return null;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? (error as Error & ServerError) : null;
}

function networkCode(error: unknown): string | null {
  if (error instanceof AggregateError) return networkCode(error.errors[0]);
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** A function can RAISE with any table and constraint name it likes, so those are believed only of the server itself. */
function placeOf(refused: ServerError): string {
  const row = rowNumber(refused.where);
  const names =
    refused.code.startsWith("P0") || refused.code.startsWith("38") || isRaised(refused.where) ? {} : namesOf(refused);
  const parts = [
    ...Object.entries(names).map(([kind, name]) => `${kind} ${name}`),
    ...(row === null ? [] : [`row ${row}`]),
  ];
  return parts.length === 0 ? "" : ` at ${parts.join(", ")}`;
}

function isRaised(where: string | undefined): boolean {
  return where !== undefined && !where.startsWith("COPY ");
}

function namesOf(refused: ServerError): { table?: string; column?: string; constraint?: string } {
  const names: { table?: string; column?: string; constraint?: string } = {};
  if (refused.table) names.table = refused.schema ? `${refused.schema}.${refused.table}` : refused.table;
  if (refused.column) names.column = refused.column;
  if (refused.constraint) names.constraint = refused.constraint;
  return names;
}

/** `COPY table, line 3, column a: "…"`: digits are all that is taken from the context. */
function rowNumber(where: string | undefined): string | null {
  return /^COPY .*?, line (\d+)/ms.exec(where ?? "")?.[1] ?? null;
}

function codeOf(sqlState: string): string {
  if (sqlState.startsWith("23")) return "constraint_violated";
  if (sqlState.startsWith("22")) return "data_refused";
  if (sqlState === "42501") return "insufficient_privilege";
  if (sqlState === "53100") return "disk_full";
  return "statement_refused";
}

function hintOf(sqlState: string): string | null {
  if (sqlState === "42501")
    return "run as a role that owns, or is a member of, every owner in the dump, or as superuser";
  if (sqlState === "53100") return "free or add disk space on the server, then run the same command again";
  if (sqlState.startsWith("22") || sqlState.startsWith("23")) {
    return "row values are withheld on purpose; look the row up in the server's log, or in the backup by its number";
  }
  return null;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 300);
}
