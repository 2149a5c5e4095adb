import { describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { checkKey, parseStoreUrl } from "./url.ts";

describe("a store's url", () => {
  test.each([
    ["s3://bucket", { kind: "s3", bucket: "bucket", prefix: "" }],
    ["s3://bucket/", { kind: "s3", bucket: "bucket", prefix: "" }],
    ["s3://my.bucket-1/a/b", { kind: "s3", bucket: "my.bucket-1", prefix: "a/b/" }],
    ["s3://bucket/a/b/", { kind: "s3", bucket: "bucket", prefix: "a/b/" }],
    ["s3://bucket/a%20b/é", { kind: "s3", bucket: "bucket", prefix: "a%20b/é/" }],
    ["backups", { kind: "folder", path: "/base/backups" }],
    ["./backups/", { kind: "folder", path: "/base/backups" }],
    ["../other", { kind: "folder", path: "/other" }],
    ["/abs/./path", { kind: "folder", path: "/abs/path" }],
    ["file:///a%20b/c", { kind: "folder", path: "/a b/c" }],
    ["C:backups", { kind: "folder", path: "/base/C:backups" }],
  ])("%s", (url, address) => {
    expect(parseStoreUrl(url, "/base")).toEqual(address);
  });

  test.each([
    "",
    "a\0b",
    "s3://",
    "s3:///key",
    "s3://b/",
    "s3://user:hunter2@bucket/",
    "s3://bucket/a/../b",
    "s3://bucket//a",
    "s3://bucket/./",
    "https://user:hunter2@host/",
    "gs://bucket/",
    "file://host/path",
  ])("%j is refused, unquoted", (url) => {
    const parse = () => parseStoreUrl(url, "/base");
    expect(parse).toThrow(UsageError);
    expect(parse).not.toThrow(/hunter2/);
  });
});

describe("a key", () => {
  test.each(["a", "a/b", "a..b", "...", "a/.hidden", " ", "ü/😀", "a\nb", ".sanitize"])("%j may be used", (key) => {
    expect(checkKey(key)).toBe(key);
  });

  test.each([
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/..",
    "a/./b",
    "\0",
    ".sanitize-tmp-1",
    "a/.sanitize-lock-1/b",
  ])("%j may not", (key) => {
    expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: "bad_key", exitCode: 2 }));
  });
});
