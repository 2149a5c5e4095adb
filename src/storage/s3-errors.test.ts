import { describe, expect, test } from "vitest";
import { LedgerRefused } from "../errors.ts";
import { BrokenOff } from "./resuming-read.ts";
import { isTransient, s3Failure } from "./s3-errors.ts";

/** As the SDK makes them. */
function sdkError(name: string, status?: number, more: Record<string, unknown> = {}): Error {
  const $metadata = { ...(status === undefined ? {} : { httpStatusCode: status }), requestId: "REQ-1", attempts: 1 };
  return Object.assign(new Error("UnknownError"), { name, $metadata, ...more });
}

function network(code: string, name = "Error"): Error {
  return Object.assign(new Error(`x ${code}`), { code, name });
}

describe("what is told of a failure", () => {
  test.each<[error: unknown, code: string, exitCode: number, transient: boolean]>([
    [sdkError("InvalidAccessKeyId", 403), "credentials_refused", 2, false],
    [sdkError("SignatureDoesNotMatch", 403), "credentials_refused", 2, false],
    [sdkError("ExpiredToken", 400), "credentials_refused", 2, false],
    [sdkError("CredentialsProviderError"), "credentials_missing", 2, false],
    [new Error("Region is missing"), "region_missing", 2, false],
    [sdkError("NoSuchBucket", 404), "no_such_bucket", 2, false],
    [sdkError("Unknown", 301), "wrong_region", 2, false],
    [sdkError("AuthorizationHeaderMalformed", 400), "wrong_region", 2, false],
    [sdkError("AccessDenied", 403), "access_denied", 8, false],
    [sdkError("403", 403), "access_denied", 8, false],
    [sdkError("InvalidObjectState", 403), "object_archived", 8, false],
    [sdkError("RequestTimeTooSkewed", 403), "clock_skew", 8, true],
    [sdkError("SlowDown", 503), "throttled", 8, true],
    [sdkError("Whatever", 429), "throttled", 8, true],
    [sdkError("InternalError", 500), "server_error", 8, true],
    [sdkError("Unknown", 504), "server_error", 8, true],
    [sdkError("Teapot", 418), "unexpected_answer", 8, false],
    [network("ENOTFOUND"), "host_not_found", 8, true],
    [network("EAI_AGAIN"), "host_not_found", 8, true],
    [network("ECONNREFUSED"), "connection_refused", 8, true],
    [network("ECONNRESET", "TimeoutError"), "connection_lost", 8, true],
    [network("ETIMEDOUT", "TimeoutError"), "stalled", 8, true],
    [sdkError("TimeoutError"), "stalled", 8, true],
    [new AggregateError([network("ECONNREFUSED"), network("ECONNREFUSED")]), "connection_refused", 8, true],
    [new Error("wrapped", { cause: network("ECONNRESET") }), "connection_lost", 8, true],
    [network("SELF_SIGNED_CERT_IN_CHAIN"), "tls_failed", 8, false],
    [network("ERR_TLS_CERT_ALTNAME_INVALID"), "tls_failed", 8, false],
    [network("CERT_HAS_EXPIRED"), "tls_failed", 8, false],
    [network("EPROTO"), "tls_failed", 8, false],
    [network("ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC"), "tls_failed", 8, true],
    [new BrokenOff("cut", "the answer ended early"), "connection_lost", 8, true],
    [new BrokenOff("stalled", "no byte came"), "stalled", 8, true],
    [new BrokenOff("overlong", "too much"), "wrong_length", 8, false],
    ["not even an error", "unexpected_answer", 8, false],
    [undefined, "unexpected_answer", 8, false],
  ])("%s: %s", (error, code, exitCode, transient) => {
    const failure = s3Failure(error, "listing s3://bucket/");
    expect(failure).toMatchObject({ code, exitCode, hint: expect.stringMatching(/./) });
    expect(failure.message).toMatch(/^listing s3:\/\/bucket\/: /);
    expect(isTransient(error)).toBe(transient);
  });

  test("the server's own words stay out: they repeat keys and what was signed", () => {
    const error = sdkError("SignatureDoesNotMatch", 403, {
      message: "key AKIASECRET",
      AWSAccessKeyId: "AKIASECRET",
      StringToSign: "AKIASECRET",
    });
    const failure = s3Failure(error, "reading s3://b/k");
    expect(JSON.stringify([failure.message, failure.hint, String(failure.cause), failure.cause])).not.toContain(
      "AKIASECRET",
    );
    expect(failure.message).toContain("SignatureDoesNotMatch, HTTP 403, request REQ-1");
  });

  test("attempts are counted, and our own errors come back as they are", () => {
    expect(s3Failure(network("ECONNRESET"), "reading x", 7).message).toContain("after 7 attempts");
    const own = new LedgerRefused("x", { code: "y" });
    expect(s3Failure(own, "reading")).toBe(own);
  });
});
