import { describe, expect, it } from "vitest";
import { TargetRefused, UsageError } from "../errors.ts";
import { describeServer, isLocal, parseConnectionUrl } from "./connection-settings.ts";

describe("parseConnectionUrl", () => {
  it("reads every part, percent escapes undone", () => {
    const settings = parseConnectionUrl("postgres://us%40er:p%3Aw%2F%40@db.example.nl:6432/my%20db?connect_timeout=3");
    expect(settings).toMatchObject({
      host: "db.example.nl",
      port: 6432,
      user: "us@er",
      password: "p:w/@",
      database: "my db",
      tls: "verify-full",
      connectTimeout: 3000,
    });
  });

  it("reads Unix sockets in both spellings", () => {
    expect(parseConnectionUrl("postgres://u:p@/db?host=/run/pg&port=5433")).toMatchObject({
      host: "/run/pg",
      port: 5433,
      tls: "off",
    });
    expect(parseConnectionUrl("postgresql://u@%2Frun%2Fpg/db?sslmode=verify-full")).toMatchObject({
      host: "/run/pg",
      tls: "off",
    });
  });

  it("reads IPv6 hosts, and names them without credentials", () => {
    const settings = parseConnectionUrl("postgres://u:secret@[::1]:5433/db");
    expect(settings).toMatchObject({ host: "::1", tls: "off" });
    expect(describeServer(settings)).toBe("[::1]:5433/db");
  });

  it.each([
    ["db.example.nl", "", "verify-full"],
    ["db.example.nl", "?sslmode=prefer", "verify-full"],
    ["db.example.nl", "?sslmode=require", "verify-full"],
    ["10.0.0.1", "?sslmode=verify-ca", "verify-full"],
    ["127.1.2.3", "", "off"],
    ["localhost", "?sslmode=prefer", "off"],
    ["localhost", "?sslmode=require", "unverified"],
    ["localhost", "?sslmode=verify-full", "verify-full"],
  ])("%s%s is reached with tls %s", (host, query, tls) => {
    expect(parseConnectionUrl(`postgres://u@${host}/db${query}`).tls).toBe(tls);
  });

  it.each(["disable", "allow"])("refuses sslmode=%s to another machine", (mode) => {
    expect(() => parseConnectionUrl(`postgres://u@db.example.nl/db?sslmode=${mode}`)).toThrow(TargetRefused);
  });

  it("takes the CA file of the URL before the default one", () => {
    const url = "postgres://u@h.nl/db";
    expect(parseConnectionUrl(url, { caFile: "/a" }).caFile).toBe("/a");
    expect(parseConnectionUrl(`${url}?sslrootcert=/b`, { caFile: "/a" }).caFile).toBe("/b");
    expect(parseConnectionUrl(`${url}?sslrootcert=system`).caFile).toBeNull();
  });

  it.each([
    "mysql://u:geheim@h/db",
    "postgres://u:geheim@h",
    "postgres://:geheim@h/db",
    "postgres://u:geheim@a,b/db",
    "postgres://u:geheim@h:99999/db",
    "postgres://u:geheim@h:0/db",
    "postgres://u:geheim%@h/db",
    "postgres://u:geheim@h/db?sslmode=maybe",
    "postgres://u:geheim@h/db?nonsense=geheim",
    "postgres://u:geheim@h:1:2/db",
    "postgres://u:geheim@h/db?connect_timeout=soon",
  ])("refuses %s without repeating the password", (url) => {
    let thrown: unknown;
    try {
      parseConnectionUrl(url);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(UsageError);
    expect(`${(thrown as UsageError).message} ${(thrown as UsageError).hint}`).not.toContain("geheim");
  });
});

describe("isLocal", () => {
  it.each([
    ["/run/pg", true],
    ["LOCALHOST", true],
    ["127.0.0.1", true],
    ["::1", true],
    ["127.evil.nl", false],
    ["localhost.evil.nl", false],
    ["10.0.0.1", false],
  ])("%s: %s", (host, expected) => {
    expect(isLocal({ host })).toBe(expected);
  });
});
