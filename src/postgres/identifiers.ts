/**
 * Quoting of SQL names and literals. Mirrors `fmtId`, `fmtQualifiedId` and `appendStringLiteral` of fe_utils/string_utils.c,
 * except that names are always quoted, which is the same SQL and needs no list of reserved words.
 */

/** A name as an SQL identifier, always in double quotes. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"`, or only the name where there is no schema. */
export function quoteQualified(namespace: string | null, name: string): string {
  return namespace ? `${quoteIdentifier(namespace)}.${quoteIdentifier(name)}` : quoteIdentifier(name);
}

/** A string literal that means the same whatever `standard_conforming_strings` is. */
export function quoteLiteral(value: string): string {
  const doubled = value.replaceAll("'", "''");
  return doubled.includes("\\") ? ` E'${doubled.replaceAll("\\", "\\\\")}'` : `'${doubled}'`;
}
