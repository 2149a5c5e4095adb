/** Paths into a json or jsonb column: the plain part of SQL/JSON's path language, members and array positions. */

/**
 * `$.user.id`, `$.items[0].id`, `$."odd key"`, `$['odd key']` as steps; an empty list for `$` itself.
 * `undefined` when the text is anything else: filters, wildcards and functions are not read.
 */
export function readJsonPath(text: string): readonly (string | number)[] | undefined {
  if (!text.startsWith("$")) {
    return undefined;
  }
  const steps: (string | number)[] = [];
  const step =
    /\.([\p{L}_$][\p{L}\p{N}_$]*)|\.("(?:[^"\\]|\\.)*")|\[(\d{1,9})\]|\['([^'\\]*)'\]|\[("(?:[^"\\]|\\.)*")\]/uy;
  step.lastIndex = 1;
  while (step.lastIndex < text.length) {
    const found = step.exec(text);
    if (found === null) {
      return undefined;
    }
    const [, member, quoted, index, single, double] = found;
    const value = member ?? single ?? (index === undefined ? unquoted(quoted ?? double ?? "") : Number(index));
    if (value === undefined) {
      return undefined;
    }
    steps.push(value);
  }
  return steps;
}

/** A double-quoted step is a JSON text. */
function unquoted(literal: string): string | undefined {
  try {
    const value: unknown = JSON.parse(literal);
    return typeof value === "string" ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}
