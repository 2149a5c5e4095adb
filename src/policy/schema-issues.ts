/**
 * Zod's issues as a person would list them. A value that may take several forms fails all of them at once; what its author
 * meant is the form that fits best, and only that form's issues are worth showing.
 */

import type { z } from "zod";

type ZodIssue = z.core.$ZodIssue;

export interface SchemaIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The issue is with the key itself, not with its value. */
  readonly atKey: boolean;
}

/** Weight of a form whose very kind is wrong (a text where a mapping is expected). */
const OTHER_KIND = 1000;

/** One issue per fact, unions reduced to the form that was meant. `input` is what the schema was given. */
export function flattenIssues(issues: readonly ZodIssue[], input: unknown): SchemaIssue[] {
  return issues.flatMap((issue) => flatten(issue, [], input));
}

function flatten(issue: ZodIssue, base: readonly PropertyKey[], input: unknown): SchemaIssue[] {
  const path = [...base, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], message: "unknown key", atKey: true }));
  }
  if (issue.code === "invalid_key") {
    return [{ path, message: issue.issues[0]?.message ?? issue.message, atKey: true }];
  }
  const meant = issue.code === "invalid_union" ? formMeant(issue.errors, valueAt(input, path)) : undefined;
  return meant === undefined
    ? [{ path, message: plainMessage(issue, path, input), atKey: false }]
    : meant.flatMap((inner) => flatten(inner, path, input));
}

/** The form with the fewest structural misfits; `undefined` when none stands out. */
function formMeant(forms: readonly (readonly ZodIssue[])[], value: unknown): readonly ZodIssue[] | undefined {
  const ranked = forms
    .map((issues) => ({ issues, misfit: issues.reduce((sum, issue) => sum + misfitOf(issue, value), 0) }))
    .sort((a, b) => a.misfit - b.misfit);
  const [best, second] = ranked;
  if (best === undefined || best.misfit >= OTHER_KIND || best.misfit === second?.misfit) {
    return undefined;
  }
  return best.issues;
}

function misfitOf(issue: ZodIssue, value: unknown): number {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.length;
  }
  if (issue.path.length === 0) {
    if (issue.code === "invalid_union") {
      return Math.min(...issue.errors.map((form) => form.reduce((sum, inner) => sum + misfitOf(inner, value), 0)));
    }
    return issue.code === "invalid_type" || issue.code === "invalid_value" ? OTHER_KIND : 0;
  }
  return valueAt(value, issue.path) === undefined ? 1 : 0;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, step)) {
      return undefined;
    }
    current = Reflect.get(current, step);
  }
  return current;
}

/** "Invalid input: expected string, received number" -> "expected string, received number". */
function plainMessage(issue: ZodIssue, path: readonly PropertyKey[], input: unknown): string {
  if (path.length > 0 && valueAt(input, path) === undefined) {
    return "missing";
  }
  return issue.message.replace(/^Invalid (input|option): /, "").replaceAll("|", " | ");
}
