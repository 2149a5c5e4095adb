import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { UsageError } from "../errors.ts";
import { readYamlDocument } from "./yaml-document.ts";

const schema = (zod: typeof z) =>
  zod.strictObject({
    url: zod.string().optional(),
    jobs: zod.number().optional(),
    tags: zod.array(zod.string()).optional(),
    store: zod.strictObject({ region: zod.string() }).optional(),
  });

function read(text: string, environment?: Readonly<Record<string, string>>) {
  return readYamlDocument({
    text,
    fileName: "sanitize.yaml",
    schema,
    refuse: (issues) => new UsageError(issues.join("\n"), { code: "config_invalid" }),
    ...(environment === undefined ? {} : { interpolate: (name: string) => environment[name] }),
  });
}

async function issuesOf(text: string, environment?: Readonly<Record<string, string>>): Promise<string[]> {
  const error: unknown = await read(text, environment).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as UsageError).message.split("\n");
}

describe("issues", () => {
  test("all of them, each at its place", async () => {
    expect(await issuesOf("url: 5\nstore:\n  regoin: x\ntags:\n  - a\n  - 7\n")).toEqual([
      "sanitize.yaml:1:6 url: expected string, received number",
      "sanitize.yaml:6:5 tags.1: expected string, received number",
      "sanitize.yaml:3:3 store.region: missing",
      "sanitize.yaml:3:3 store.regoin: unknown key",
    ]);
  });

  test.each([
    ["a key twice", "url: a\nurl: b\n", "sanitize.yaml:2:1 a key that stands there already"],
    ["broken YAML", 'url: "a\njobs: 1\n', "sanitize.yaml:3:1 a colon, comma, quote or bracket is missing before this"],
    ["two documents", "url: a\n---\nurl: b\n", "sanitize.yaml:2:1 a second document"],
    ["an unknown tag", "url: !secret a\n", "sanitize.yaml:1:6 an unknown tag"],
    ["an empty file", "", "sanitize.yaml:1:1 expected object, received null"],
    ["a list", "- a\n", "sanitize.yaml:1:1 expected object, received array"],
    ["a number that loses digits", "jobs: 9007199254740993\n", "sanitize.yaml:1:7 the number has more digits"],
    ["a key that JavaScript swallows", "__proto__: { url: a }\n", "sanitize.yaml:1:1 the key __proto__"],
    ["an unknown alias", "url: *nobody\n", "sanitize.yaml:1:6 an unknown alias"],
  ])("%s", async (_name, text, expected) => {
    expect((await issuesOf(text)).join("\n")).toContain(expected);
  });

  test("an alias bomb is refused", async () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x,x]",
      ..."bcdefg".split("").map((name, n) => `${name}: &${name} [${Array(10).fill(`*${"abcdef"[n]}`).join(",")}]`),
    ].join("\n");
    expect((await issuesOf(bomb)).join("\n")).toContain("sanitize.yaml:1:1 the aliases expand to too much");
  });

  test("an issue behind an alias is placed where the value stands", async () => {
    expect(await issuesOf("x: &x { region: 5 }\nstore: *x\n")).toEqual([
      "sanitize.yaml:1:17 store.region: expected string, received number",
      "sanitize.yaml:1:1 x: unknown key",
    ]);
  });

  test("a value is never quoted", async () => {
    const secret = "hunter2-canary";
    for (const text of [
      `url: [${secret}]\n`,
      `url: "${secret}\n`,
      `jobs: ${secret}\n`,
      `url: ${secret}: ${secret}\n`,
      `url: {${secret}\n`,
      `store: ${secret}\n`,
      `${secret}\nurl: x\n`,
      `url: "a" ${secret}\n`,
      `url: !${secret} a\n`,
      `url: *${secret}\n`,
      `url: "\\q${secret}"\n`,
      `%${secret}\n---\nurl: a\n`,
    ]) {
      expect((await issuesOf(text)).join("\n")).not.toContain(secret);
    }
  });
});

describe("interpolation", () => {
  const ref = (name: string): string => ["$", "{", name, "}"].join("");

  test("inside values of text, once, and nowhere else", async () => {
    const document = await read(`url: 'postgres://${ref("PASS")}@${ref("HOST")}/x'\njobs: 2\n`, {
      HOST: "db",
      PASS: ref("HOST"),
    });
    expect(document.value).toEqual({ url: `postgres://${ref("HOST")}@db/x`, jobs: 2 });
  });

  test("a variable that is not set, and a name that is none", async () => {
    expect(await issuesOf(`url: '${ref("NOBODY")}'\ntags: ['${ref("")}', '${ref("a-b")}']\n`, {})).toEqual([
      `sanitize.yaml:1:6 ${ref("NOBODY")} is not set`,
      "sanitize.yaml:2:8 what stands between the braces is not a variable's name",
      "sanitize.yaml:2:15 what stands between the braces is not a variable's name",
    ]);
  });

  test("without a hook it is plain text", async () => {
    expect((await read(`url: '${ref("HOST")}'\n`)).value).toEqual({ url: ref("HOST") });
  });
});

test("positions are given for values and for keys, and for what is not there by what is above it", async () => {
  const document = await read("store:\n  region: eu\n");
  expect(document.positionOf(["store", "region"])).toBe("sanitize.yaml:2:11");
  expect(document.positionOf(["store", "region"], "key")).toBe("sanitize.yaml:2:3");
  expect(document.positionOf(["store", "endpoint"])).toBe("sanitize.yaml:2:3");
  expect(document.issue(["store", "odd key"], "is odd")).toBe('sanitize.yaml:2:3 store."odd key": is odd');
});
