/** psql's `\connect`, as appendPsqlMetaConnect of fe_utils/string_utils.c writes it. */

/**
 * The database; `null` where none is named, or more than its name: other connection strings hold passwords, and could pass
 * for a name in a message. `line` begins with the command.
 */
export function databaseOfConnect(line: string): string | null {
  const rest = line
    .replace(/^\\(?:connect|c)\s*/, "")
    .replace(/^-reuse-previous=\w+\s+/, "")
    .trim();
  const quoted = /^"((?:[^"]|"")*)"/.exec(rest);
  const name = quoted === null ? rest.split(/\s+/)[0]! : quoted[1]!.replaceAll('""', '"');
  if (name === "" || name === "-") return null;
  const inside = /^dbname=(?:'((?:[^'\\]|\\.)*)'|([^\s']+))$/s.exec(name);
  if (inside === null) return /=|:\/\//.test(name) ? null : name;
  return (inside[1] ?? inside[2] ?? "").replace(/\\(.)/gs, "$1");
}
