/**
 * A YAML file read against a schema: either the value, or every issue at once as `file:line:column path: message`.
 * Used for the policy and for sanitize.yaml.
 *
 * Invariants: an issue never quotes a value of the file (a configuration may hold a secret); `yaml` and `zod` are loaded on
 * first use only, since `--help` must be fast; the environment is not read here (`interpolate` is the caller's).
 */

import type { Document, ErrorCode, LineCounter, Node, Pair } from "yaml";
import type { ZodType, z } from "zod";
import type { SanitizeError } from "../errors.ts";
import { flattenIssues, type SchemaIssue } from "./schema-issues.ts";

type Yaml = typeof import("yaml");
type Path = readonly PropertyKey[];

/** What to read, and how to refuse it. */
export interface YamlSource<T> {
  readonly text: string;
  /** Shown in positions. */
  readonly fileName: string;
  readonly schema: (zod: typeof z) => ZodType<T>;
  /** Makes the error that carries all issues, each `file:line:column path: message`. */
  readonly refuse: (issues: readonly string[]) => SanitizeError;
  /** Gives the value of `${NAME}` inside string values; `undefined` is an issue. Without it, `${NAME}` is plain text. */
  readonly interpolate?: (name: string) => string | undefined;
}

export interface YamlDocument<T> {
  readonly value: T;
  /** `file:line:column` of the value (or the key) at a path, or of the nearest thing above it that exists. */
  positionOf(path: Path, at?: "key" | "value"): string;
  /** An issue of the caller's own, in the same form as those of the schema. */
  issue(path: Path, message: string): string;
}

/** Reads, interpolates and checks. @throws what `refuse` makes, with every issue found. */
export async function readYamlDocument<T>(source: YamlSource<T>): Promise<YamlDocument<T>> {
  const [yaml, { z }] = await Promise.all([import("yaml"), import("zod")]);
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(source.text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const place = new Places(yaml, document, lines, source.fileName);
  const broken = [...document.errors, ...document.warnings].map(
    (error) => `${place.at(error.pos[0])} ${SYNTAX[error.code] ?? "this is not valid YAML"}`,
  );
  if (broken.length > 0) {
    throw source.refuse(broken);
  }
  const issues = [...checkScalars(yaml, document, place), ...interpolate(yaml, document, place, source.interpolate)];
  if (issues.length > 0) {
    throw source.refuse(issues);
  }
  const raw = plainValue(document, place, source);
  const parsed = source.schema(z).safeParse(raw);
  if (!parsed.success) {
    throw source.refuse(flattenIssues(parsed.error.issues, raw).map((issue) => place.schemaIssue(issue)));
  }
  return {
    value: parsed.data,
    positionOf: (path, at) => place.of(path, at === "key"),
    issue: (path, message) => place.schemaIssue({ path, message, atKey: false }),
  };
}

/** Positions of paths in one document. */
class Places {
  readonly #yaml: Yaml;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #fileName: string;

  constructor(yaml: Yaml, document: Document.Parsed, lines: LineCounter, fileName: string) {
    this.#yaml = yaml;
    this.#document = document;
    this.#lines = lines;
    this.#fileName = fileName;
  }

  at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#fileName}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  }

  of(path: Path, atKey = false): string {
    let node: unknown = this.#document.contents;
    let offset = startOf(node) ?? 0;
    for (const [depth, step] of path.entries()) {
      const pair = this.#child(node, step);
      if (pair === undefined) {
        break;
      }
      const key = startOf(pair.key);
      offset = (atKey && depth === path.length - 1 ? key : (startOf(pair.value) ?? key)) ?? offset;
      node = pair.value;
    }
    return this.at(offset);
  }

  schemaIssue(issue: SchemaIssue): string {
    return `${this.of(issue.path, issue.atKey)} ${[pathText(issue.path), issue.message].filter(Boolean).join(": ")}`;
  }

  #child(parent: unknown, step: PropertyKey): { key: unknown; value: unknown } | undefined {
    const node = this.#yaml.isAlias(parent) ? parent.resolve(this.#document) : parent;
    if (this.#yaml.isMap(node)) {
      return node.items.find((pair) => keyText(pair) === String(step));
    }
    if (this.#yaml.isSeq(node) && typeof step === "number") {
      const value = node.items[step];
      return value === undefined ? undefined : { key: value, value };
    }
    return undefined;
  }
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function keyText(pair: Pair): string {
  const key: unknown = pair.key;
  return typeof key === "object" && key !== null && "value" in key ? String(key.value) : String(key);
}

/** `tables."public.users".match.email`: parts that are not plain words are quoted. */
function pathText(path: Path): string {
  return path.map((step) => (/^\w+$/.test(String(step)) ? String(step) : JSON.stringify(String(step)))).join(".");
}

/** The parser's own messages quote what they stumble over, which may be a password; so only its codes are used. */
const SYNTAX: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DQ_ESCAPE: "an escape in double quotes that YAML does not know; hint: use single quotes",
  BAD_INDENT: "wrong indentation",
  BAD_SCALAR_START: "a text that starts with this character must be quoted",
  BLOCK_AS_IMPLICIT_KEY: "a nested mapping must start on a line of its own, or the text must be quoted",
  DUPLICATE_KEY: "a key that stands there already",
  MISSING_CHAR: "a colon, comma, quote or bracket is missing before this",
  MULTILINE_IMPLICIT_KEY: "a key without its colon, or wrong indentation",
  MULTIPLE_DOCS: "a second document: only one is read",
  NON_STRING_KEY: "a key that is not a text",
  TAB_AS_INDENT: "a tab in the indentation: use blanks",
  TAG_RESOLVE_FAILED: "an unknown tag; hint: a text that starts with ! must be quoted",
  UNEXPECTED_TOKEN: "something that YAML does not expect here",
};

/** What YAML itself accepts and a configuration must not: numbers that lose digits, keys that JavaScript swallows. */
function checkScalars(yaml: Yaml, document: Document.Parsed, place: Places): string[] {
  const issues: string[] = [];
  yaml.visit(document, {
    Alias(_key, node) {
      if (node.resolve(document) === undefined) {
        issues.push(`${place.at(startOf(node) ?? 0)} an unknown alias; hint: a text that starts with * must be quoted`);
      }
    },
    Scalar(key, node) {
      const position = place.at(startOf(node) ?? 0);
      if (key === "key" && node.value === "__proto__") {
        issues.push(`${position} the key __proto__ cannot be used`);
      }
      if (typeof node.value === "number" && Number.isInteger(node.value) && !Number.isSafeInteger(node.value)) {
        issues.push(`${position} the number has more digits than can be kept exactly: put it in quotes`);
      }
    },
  });
  return issues;
}

function interpolate(
  yaml: Yaml,
  document: Document.Parsed,
  place: Places,
  lookUp: ((name: string) => string | undefined) | undefined,
): string[] {
  const issues: string[] = [];
  if (lookUp === undefined) {
    return issues;
  }
  yaml.visit(document, {
    Scalar(key, node) {
      if (key === "key" || typeof node.value !== "string") {
        return;
      }
      node.value = node.value.replaceAll(/\$\{([^}]*)\}/g, (_whole, name: string) => {
        const value = /^[A-Za-z_]\w*$/.test(name) ? lookUp(name) : undefined;
        if (value === undefined) {
          const shown = /^[A-Za-z_]\w*$/.test(name)
            ? `\${${name}} is not set`
            : "what stands between the braces is not a variable's name";
          issues.push(`${place.at(startOf(node) ?? 0)} ${shown}`);
        }
        return value ?? "";
      });
    },
  });
  return issues;
}

/** Alias bombs surface here, when anchors are expanded. */
function plainValue<T>(document: Document.Parsed, place: Places, source: YamlSource<T>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof ReferenceError) {
      throw source.refuse([`${place.at(0)} the aliases expand to too much`]);
    }
    throw error;
  }
}
