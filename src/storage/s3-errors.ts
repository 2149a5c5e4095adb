/**
 * What S3, the SDK, TLS and the network say when something fails, in our own words: one code, one hint, no secrets.
 *
 * Invariant: nothing of the server's answer but its error code, status and request ID gets into an error; an S3 error
 * body repeats the access key, the string to sign and the object's name.
 */

import { SanitizeError, SourceFailed, UsageError } from "../errors.ts";
import { BrokenOff } from "./resuming-read.ts";

interface Diagnosis {
  readonly code: string;
  readonly fact: string;
  readonly hint: string;
  /** The configuration is wrong (exit 2), not the network (exit 8). */
  readonly configuration?: true;
}

const CREDENTIALS: Diagnosis = {
  code: "credentials_refused",
  fact: "the service does not accept the credentials",
  hint: "check access key, secret and session token (they may have expired), and that the endpoint is the right one",
  configuration: true,
};
const NO_BUCKET: Diagnosis = {
  code: "no_such_bucket",
  fact: "there is no such bucket",
  hint: "check the bucket's name, region and endpoint",
  configuration: true,
};
const WRONG_REGION: Diagnosis = {
  code: "wrong_region",
  fact: "the bucket is in another region than the one asked",
  hint: "set region (and endpoint, where one is set) to the bucket's own",
  configuration: true,
};
const DENIED: Diagnosis = {
  code: "access_denied",
  fact: "access is denied",
  hint: "grant s3:GetObject and s3:ListBucket (and s3:PutObject where sanitize writes); without s3:ListBucket a missing object looks forbidden, too",
};
const THROTTLED: Diagnosis = {
  code: "throttled",
  fact: "the service asks to slow down",
  hint: "lower limits.jobs or try later",
};
const NO_HOST: Diagnosis = {
  code: "host_not_found",
  fact: "the host's name cannot be resolved",
  hint: "check endpoint, region and DNS",
};
const LOST: Diagnosis = {
  code: "connection_lost",
  fact: "the connection broke",
  hint: "check the network between here and the store, then run again",
};
const STALLED: Diagnosis = {
  code: "stalled",
  fact: "the service stopped sending",
  hint: "check the network between here and the store, then run again",
};
const TLS: Diagnosis = {
  code: "tls_failed",
  fact: "the TLS connection is not to be trusted or cannot be made",
  hint: "set ca_file to the CA that signed the store's certificate, and check that endpoint's host name is the one in it",
};

const BY_S3_CODE: Readonly<Record<string, Diagnosis>> = {
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  TokenRefreshRequired: CREDENTIALS,
  RequestTimeTooSkewed: {
    code: "clock_skew",
    fact: "the service refuses this machine's clock",
    hint: "set the clock of this machine",
  },
  NoSuchBucket: NO_BUCKET,
  PermanentRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  SlowDown: THROTTLED,
  InvalidObjectState: {
    code: "object_archived",
    fact: "the object is in an archive storage class",
    hint: "restore the object from the archive class first",
  },
  CredentialsProviderError: {
    code: "credentials_missing",
    fact: "no S3 credentials were found",
    hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or run where a role is attached",
    configuration: true,
  },
};

const BY_STATUS: Readonly<Record<number, Diagnosis>> = {
  301: WRONG_REGION,
  307: WRONG_REGION,
  401: CREDENTIALS,
  403: DENIED,
  429: THROTTLED,
};

const BY_NETWORK_CODE: Readonly<Record<string, Diagnosis>> = {
  ENOTFOUND: NO_HOST,
  EAI_AGAIN: NO_HOST,
  ECONNREFUSED: {
    code: "connection_refused",
    fact: "nothing answers there",
    hint: "check endpoint and that the service runs",
  },
  ECONNRESET: LOST,
  EPIPE: LOST,
  EHOSTUNREACH: LOST,
  ENETUNREACH: LOST,
  ERR_STREAM_PREMATURE_CLOSE: LOST,
  HPE_INVALID_EOF_STATE: LOST,
  ETIMEDOUT: STALLED,
};

/** Certificates and handshakes: asking again cannot help. */
const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|SELF_SIGNED|DEPTH_ZERO_SELF|UNABLE_TO_(GET_ISSUER|VERIFY)|HOSTNAME_MISMATCH)/;
const BAD_RECORD = /BAD_RECORD_MAC|DECRYPTION_FAILED/;
const TRANSIENT_NAMES = new Set([
  "AbortError",
  "InternalError",
  "RequestTimeout",
  "RequestTimeTooSkewed",
  "ServiceUnavailable",
  "SlowDown",
  "ThrottlingException",
  "TimeoutError",
  "TooManyRequestsException",
]);

/** The HTTP status of an SDK error, or `undefined` where no answer came. */
export function statusOf(error: unknown): number | undefined {
  const metadata = propertyOf(error, "$metadata");
  const status = propertyOf(metadata, "httpStatusCode");
  return typeof status === "number" ? status : undefined;
}

/** How often the SDK sent the request that failed so, at least 1. */
export function attemptsOf(error: unknown): number {
  const attempts = propertyOf(propertyOf(error, "$metadata"), "attempts");
  return typeof attempts === "number" ? attempts : 1;
}

/** S3's error code (`NoSuchKey`), or the error's name where the answer had no body (`NotFound`). */
export function s3CodeOf(error: unknown): string {
  const code = propertyOf(error, "Code") ?? propertyOf(error, "name");
  return typeof code === "string" ? code : "";
}

/** Whether asking the same again may succeed: network faults, 429 and 5xx. Used for reads, which the SDK cannot repeat. */
export function isTransient(error: unknown): boolean {
  if (error instanceof BrokenOff) {
    return error.kind !== "overlong";
  }
  const status = statusOf(error);
  if (status === 429 || (status !== undefined && status >= 500) || TRANSIENT_NAMES.has(s3CodeOf(error))) {
    return true;
  }
  const network = networkCodeOf(error);
  if (TLS_CODE.test(network)) {
    return BAD_RECORD.test(network);
  }
  return status === undefined && (network in BY_NETWORK_CODE || network.startsWith("HPE_"));
}

/** The error to show for a failed call; one of ours comes back as it is. `doing` says what and where: "listing s3://bucket/prefix/". */
export function s3Failure(error: unknown, doing: string, attempts = attemptsOf(error)): SanitizeError {
  if (error instanceof SanitizeError) {
    return error;
  }
  const diagnosis = diagnose(error);
  const details = { code: diagnosis.code, hint: diagnosis.hint, cause: new Error(technicalFact(error)) };
  const often = attempts > 1 ? `, after ${attempts} attempts` : "";
  const message = `${doing}: ${diagnosis.fact}${often} (${technicalFact(error)})`;
  return diagnosis.configuration === true ? new UsageError(message, details) : new SourceFailed(message, details);
}

function diagnose(error: unknown): Diagnosis {
  if (error instanceof BrokenOff) {
    return error.kind === "stalled" ? STALLED : error.kind === "cut" ? LOST : { ...LOST, code: "wrong_length" };
  }
  const status = statusOf(error);
  const network = networkCodeOf(error);
  const known = BY_S3_CODE[s3CodeOf(error)] ?? (status === undefined ? undefined : BY_STATUS[status]);
  if (known !== undefined) {
    return known;
  }
  if (status !== undefined && status >= 500) {
    return { code: "server_error", fact: "the service fails", hint: "try later; the service's operator knows more" };
  }
  if (TLS_CODE.test(network)) {
    return TLS;
  }
  if (error instanceof Error && error.message === "Region is missing") {
    return {
      code: "region_missing",
      fact: "no region is known",
      hint: "set region beside the s3:// url",
      configuration: true,
    };
  }
  const broken = BY_NETWORK_CODE[network];
  if (broken !== undefined) {
    return broken;
  }
  // The SDK calls every broken connection so: only what has no code of its own really timed out.
  if (s3CodeOf(error) === "TimeoutError") {
    return STALLED;
  }
  return {
    code: "unexpected_answer",
    fact: "the service gave an answer that is not understood",
    hint: "check that endpoint speaks the S3 protocol",
  };
}

/** Codes, status and request ID only. */
function technicalFact(error: unknown): string {
  if (error instanceof BrokenOff) {
    return error.message;
  }
  const request = propertyOf(propertyOf(error, "$metadata"), "requestId");
  const parts = [networkCodeOf(error) || s3CodeOf(error) || "unknown error"];
  const status = statusOf(error);
  if (status !== undefined) {
    parts.push(`HTTP ${status}`);
  }
  if (typeof request === "string" && /^[\w-]{1,80}$/.test(request)) {
    parts.push(`request ${request}`);
  }
  return parts.join(", ");
}

/** Node's code of a failed connection, also where the SDK or happy eyeballs wrapped it. */
function networkCodeOf(error: unknown, depth = 0): string {
  const code = propertyOf(error, "code");
  if (typeof code === "string") {
    return code;
  }
  const inner = error instanceof AggregateError ? error.errors[0] : propertyOf(error, "cause");
  return inner === undefined || depth > 5 ? "" : networkCodeOf(inner, depth + 1);
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
