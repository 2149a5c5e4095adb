import { expect, test } from "vitest";
import { readJsonPath } from "./json-path.ts";

test.each<[string, (string | number)[]]>([
  ["$", []],
  ["$.user.id", ["user", "id"]],
  ["$.items[0].id", ["items", 0, "id"]],
  ['$."odd key".x', ["odd key", "x"]],
  ['$."a\\"b"', ['a"b']],
  ["$['odd key'][\"x\"]", ["odd key", "x"]],
  ["$.straße.$ref", ["straße", "$ref"]],
])("%s", (text, steps) => {
  expect(readJsonPath(text)).toEqual(steps);
});

test.each([
  "user.id",
  "",
  "$.",
  "$..id",
  "$.*",
  "$.items[*]",
  "$.items[-1]",
  "$.a b",
  "$.items[0",
  '$."open',
  "$.a?(@.b)",
  "$.size()",
  '$."a\\q"',
])("%j is not read", (text) => {
  expect(readJsonPath(text)).toBeUndefined();
});
