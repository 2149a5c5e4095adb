import { describe, expect, it } from "vitest";
import { PostgresFailed, TargetRefused } from "../errors.ts";
import { parseConnectionUrl } from "./connection-settings.ts";
import { connectFailure, redactedFailure, sqlStateOf } from "./failure.ts";

/** As pg throws it: an Error with the fields of the ErrorResponse. */
function serverError(fields: { code: string; message: string; [field: string]: string }): Error {
  return Object.assign(new Error(fields.message), { severity: "ERROR", ...fields });
}

describe("redactedFailure", () => {
  it("says condition, table, column and row number of a bad value, and not the value", () => {
    const error = redactedFailure(
      serverError({
        code: "22P02",
        message: 'invalid input syntax for type integer: "Jan Jansen"',
        where: 'COPY users, line 41, column id: "Jan Jansen, line 99"',
        schema: "public",
        table: "users",
        column: "id",
      }),
      "TABLE DATA public.users (entry 7)",
    );
    expect(error).toBeInstanceOf(PostgresFailed);
    expect(error.message).toBe(
      "postgresql refused TABLE DATA public.users (entry 7): a value is not valid for its column's type (SQLSTATE 22P02) at table public.users, column id, row 41",
    );
    expect(error.code).toBe("data_refused");
  });

  it("leaves nothing of the pg error behind: no cause, no detail", () => {
    const error = redactedFailure(
      serverError({
        code: "23505",
        message: 'duplicate key value violates unique constraint "users_email_key"',
        detail: "Key (email)=(jan@voorbeeld.nl) already exists.",
        table: "users",
        constraint: "users_email_key",
      }),
      "x",
    );
    expect(error.cause).toBeUndefined();
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("jan@");
    expect(error.message).toContain("constraint users_email_key");
    expect(error.code).toBe("constraint_violated");
  });

  it("gives the server's words only for classes that speak of objects", () => {
    const missing = { code: "42P01", message: 'relation "x" does not exist' };
    expect(redactedFailure(serverError(missing), "y").message).toContain('relation "x" does not exist');
    const raised = { code: "P0001", message: "bad e-mail jan@voorbeeld.nl" };
    expect(redactedFailure(serverError(raised), "y").message).not.toContain("jan@");
  });

  it("distrusts even those words and names when a function or COPY was at work", () => {
    const error = serverError({
      code: "42501",
      message: "no access for jan@voorbeeld.nl",
      table: "jan@voorbeeld.nl",
      where: "PL/pgSQL function public.check_email(text) line 3 at RAISE",
    });
    expect(redactedFailure(error, "y").message).not.toContain("jan@");
  });

  it.each(["57P01", "57P02"])("calls an ended backend (%s) a lost connection", (code) => {
    expect(redactedFailure(serverError({ code, message: "terminating" }), "y").code).toBe("connection_lost");
  });

  it("calls a broken socket a lost connection and keeps only its code", () => {
    const error = redactedFailure(Object.assign(new Error("read ECONNRESET secret"), { code: "ECONNRESET" }), "y");
    expect(error.code).toBe("connection_lost");
    expect(error.message).toContain("ECONNRESET");
    expect(error.message).not.toContain("secret");
  });

  it("passes our own errors through", () => {
    const own = new TargetRefused("x", { code: "y" });
    expect(redactedFailure(own, "z")).toBe(own);
  });

  it("does not take a network code for an SQLSTATE", () => {
    expect(sqlStateOf(Object.assign(new Error("x"), { code: "EPIPE" }))).toBeNull();
    expect(sqlStateOf(serverError({ code: "3D000", message: "x" }))).toBe("3D000");
  });
});

describe("connectFailure", () => {
  const settings = parseConnectionUrl("postgres://bob:geheim@db.example.nl/shop");
  it.each([
    [serverError({ code: "28P01", message: 'password authentication failed for user "bob"' }), "authentication_failed"],
    [serverError({ code: "3D000", message: "no" }), "no_such_database"],
    [serverError({ code: "53300", message: "too many" }), "too_many_connections"],
    [serverError({ code: "57P03", message: "starting up" }), "unreachable"],
    [serverError({ code: "08P01", message: "unsupported startup parameter: options" }), "unreachable"],
    [Object.assign(new Error("x"), { code: "ECONNREFUSED" }), "unreachable"],
    [new Error("timeout expired"), "unreachable"],
    [new Error("The server does not support SSL connections"), "tls_refused"],
    [Object.assign(new Error("x"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }), "tls_refused"],
    [Object.assign(new Error("x"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" }), "tls_refused"],
  ])("%s becomes %s", (error, code) => {
    const refused = connectFailure(error, settings);
    expect(refused).toBeInstanceOf(TargetRefused);
    expect(refused.code).toBe(code);
    expect(refused.hint).toBeTruthy();
    expect(refused.message).not.toContain("geheim");
  });

  it("finds the code of the first address when all were tried", () => {
    const both = new AggregateError([Object.assign(new Error("x"), { code: "ECONNREFUSED" })]);
    expect(connectFailure(both, settings).message).toContain("ECONNREFUSED");
  });
});
