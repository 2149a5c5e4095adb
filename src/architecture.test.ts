/**
 * Holds the code to the shape of DESIGN §6: which room may know which, no cycles, file sizes, names, and a library that
 * leaves the process to its caller. Every rule is first tried on a tree that breaks it.
 */

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const SOURCE = dirname(fileURLToPath(import.meta.url));
const LONGEST_FILE = 300;
/** Tests are tables of cases: longer, but not without end. */
const LONGEST_TEST = 450;

/** Each room with those it may know. A room is a folder of src/, or a file beside this one. */
const MAY_KNOW: Readonly<Record<string, readonly string[]>> = (() => {
  const chain = [
    "errors",
    "version",
    "storage",
    "archive",
    "policy",
    "erasure",
    "postgres",
    "evidence",
    "operations",
    "index",
    "cli",
  ];
  const rooms: Record<string, string[]> = {
    copy: ["errors", "storage"],
    ledger: ["errors", "storage"],
    embedded: ["errors"],
  };
  for (const [place, room] of chain.entries()) {
    const sides = place >= chain.indexOf("erasure") ? ["copy", "ledger"] : [];
    const starters = place >= chain.indexOf("operations") ? ["embedded"] : [];
    rooms[room] = [...chain.slice(0, place), ...sides, ...starters];
  }
  return rooms;
})();

/** What of the process a library file may touch all the same, and why. */
const PROCESS_EXCEPTIONS: readonly { readonly file: RegExp; readonly because: string }[] = [
  { file: /^cli\//, because: "the command line is the process's owner" },
  { file: /^embedded\//, because: "it starts processes, and must know as whom it runs" },
  { file: /^storage\/s3-client\.ts$/, because: "only a variable silences the SDK's warning about Node 20" },
];
const PROCESS_USE = /\bprocess\.(argv|env|exit|exitCode|on|once|stdin|stdout|stderr|chdir)\b|\bconsole\.\w/;
const VAGUE_FILE = /(^|[-.])(utils?|helpers?|common|misc|manager|stuff)([-.]|$)/;
const VAGUE_CLASS = /\b(?:class|interface)\s+(\w*(?:Manager|Helper|Utils?))\b/;

/** Sources by path below src/, parts joined by `/`. */
type Tree = ReadonlyMap<string, string>;

function isTest(path: string): boolean {
  return /\.(test|contract)\.ts$/.test(path) || path.split("/").includes("testing");
}

function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : basename(path, ".ts");
}

/** Paths below src/ that a file imports, types and dynamic imports included. */
function importsOf(path: string, text: string): string[] {
  const forms = [
    /^\s*(?:import|export)\s[^;"]*?\sfrom\s+"(\.{1,2}\/[^"]+)"/gm,
    /^\s*import\s+"(\.{1,2}\/[^"]+)"/gm,
    /\bimport\(\s*"(\.{1,2}\/[^"]+)"\s*\)/g,
  ];
  return forms.flatMap((form) =>
    [...text.matchAll(form)].map((match) => posix.join(posix.dirname(path), match[1] ?? "")),
  );
}

function directionFaults(path: string, text: string): string[] {
  if (isTest(path)) {
    return [];
  }
  const known = MAY_KNOW[roomOf(path)];
  if (known === undefined) {
    return [`${path}: no such room in DESIGN §6`];
  }
  return importsOf(path, text).flatMap((target) => {
    if (isTest(target)) {
      return [`${path} imports ${target}, which only tests may`];
    }
    const room = roomOf(target);
    return room === roomOf(path) || known.includes(room)
      ? []
      : [`${path} imports ${target}: ${room} is not on its left`];
  });
}

/** Each cycle once, as the path that closes it. */
function cycleFaults(tree: Tree): string[] {
  const done = new Set<string>();
  const faults: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      faults.push(`cycle: ${[...trail.slice(at), path].join(" -> ")}`);
      return;
    }
    const text = tree.get(path);
    if (text === undefined || done.has(path)) {
      return;
    }
    for (const target of importsOf(path, text)) {
      visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of tree.keys()) {
    visit(path, []);
  }
  return faults;
}

function fileFaults(path: string, text: string): string[] {
  const faults: string[] = [];
  const lines = text.split("\n").length - 1;
  const name = basename(path);
  const longest = isTest(path) ? LONGEST_TEST : LONGEST_FILE;
  if (lines > longest) {
    faults.push(`${path} has ${lines} lines, more than ${longest}`);
  }
  if (VAGUE_FILE.test(name)) {
    faults.push(`${path}: the name says nothing about what it owns`);
  }
  if (!/^[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(name)) {
    faults.push(`${path}: file names are kebab-case`);
  }
  const vague = VAGUE_CLASS.exec(text)?.[1];
  if (vague !== undefined) {
    faults.push(`${path}: ${vague} says nothing about what it owns`);
  }
  if (/^export default\b/m.test(text)) {
    faults.push(`${path}: exports have names`);
  }
  return faults;
}

function processFaults(path: string, text: string): string[] {
  if (isTest(path) || PROCESS_EXCEPTIONS.some(({ file }) => file.test(path))) {
    return [];
  }
  return text.split("\n").flatMap((line, index) => {
    const use = /^\s*(\*|\/\/|\/\*)/.test(line) ? null : PROCESS_USE.exec(line);
    return use === null ? [] : [`${path}:${index + 1} uses ${use[0]}, which belongs to the command line`];
  });
}

function faultsOf(tree: Tree): string[] {
  const faults = [...tree].flatMap(([path, text]) => [
    ...directionFaults(path, text),
    ...fileFaults(path, text),
    ...processFaults(path, text),
  ]);
  return [...faults, ...cycleFaults(tree)];
}

function readTree(): Tree {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  return new Map(files.map((path) => [path.split(sep).join("/"), readFileSync(join(SOURCE, path), "utf8")]));
}

describe("the rules see what breaks them", () => {
  test.each<[rule: string, files: Record<string, string>, fault: RegExp]>([
    [
      "an import from the right",
      { "storage/s3.ts": 'import { a } from "../policy/load.ts";' },
      /policy is not on its left/,
    ],
    [
      "a type import from the right",
      { "archive/toc.ts": 'import type { A } from "../erasure/plan.ts";' },
      /not on its left/,
    ],
    [
      "an import over several lines",
      { "errors.ts": 'import {\n  a,\n  b,\n} from "./storage/s3.ts";' },
      /not on its left/,
    ],
    ["a dynamic import", { "policy/load.ts": 'const a = await import("../cli/main.ts");' }, /cli is not on its left/],
    ["a re-export", { "copy/rows.ts": 'export { a } from "../archive/toc.ts";' }, /archive is not on its left/],
    ["an import for its effects", { "ledger/chain.ts": 'import "../policy/load.ts";' }, /not on its left/],
    [
      "embedded knowing more than errors",
      { "embedded/a.ts": 'import { b } from "../storage/s3.ts";' },
      /not on its left/,
    ],
    ["anyone knowing the command line", { "index.ts": 'export { a } from "./cli/main.ts";' }, /not on its left/],
    ["a side room before its place", { "archive/toc.ts": 'import { a } from "../ledger/mac.ts";' }, /not on its left/],
    ["a room that is not planned", { "misc-things/a.ts": "" }, /no such room/],
    ["test code in the product", { "storage/s3.ts": 'import { a } from "./testing/proxy.ts";' }, /only tests may/],
    [
      "a cycle of three",
      {
        "copy/a.ts": 'import { b } from "./b.ts";',
        "copy/b.ts": 'import { c } from "./c.ts";',
        "copy/c.ts": 'import type { A } from "./a.ts";',
      },
      /^cycle: copy\/a\.ts -> copy\/b\.ts -> copy\/c\.ts -> copy\/a\.ts$/,
    ],
    ["a cycle between tests", { "copy/a.test.ts": 'import "./a.test.ts";' }, /^cycle: /],
    ["a long file", { "copy/a.ts": "\n".repeat(LONGEST_FILE + 1) }, /301 lines/],
    ["a long test", { "copy/a.test.ts": "\n".repeat(LONGEST_TEST + 1) }, /451 lines/],
    ["a file named utils", { "copy/row-utils.ts": "" }, /says nothing/],
    ["a file named helper", { "copy/testing/helper.ts": "" }, /says nothing/],
    ["a class named Manager", { "copy/a.ts": `export class Row${"Manager"} {}` }, /RowManager says nothing/],
    ["a file in camelCase", { "copy/rowBatch.ts": "" }, /kebab-case/],
    ["a nameless export", { "copy/a.ts": "export default 1;" }, /exports have names/],
    ["reading the environment", { "copy/a.ts": "const a = process.env.HOME;" }, /copy\/a\.ts:1 uses process\.env/],
    ["printing", { "policy/a.ts": 'console.log("x");' }, /uses console\.l/],
  ])("%s", (_rule, files, fault) => {
    expect(faultsOf(new Map(Object.entries(files)))).toEqual([expect.stringMatching(fault)]);
  });

  test("what is allowed passes", () => {
    const files = {
      "errors.ts": "",
      "operations/restore.ts":
        'import { a } from "../ledger/verify.ts";\nimport { b } from "../embedded/embedded-postgres.ts";',
      "cli/main.ts": 'import { a } from "../index.ts";\nprocess.exitCode = 1;',
      "copy/a.test.ts": 'import { a } from "../postgres/connection.ts";\nprocess.env.X = "1";',
      "copy/b.ts": "/**\n * process.env is not read here.\n */",
    };
    expect(faultsOf(new Map(Object.entries(files)))).toEqual([]);
  });
});

test("the code keeps to its shape", () => {
  const tree = readTree();
  expect(tree.size).toBeGreaterThan(10);
  expect(faultsOf(tree)).toEqual([]);
});
