/**
 * What a dump needs of the server that is not in the dump: roles, tablespaces, extensions.
 *
 * Pure. Roles are those of the owner fields and those that privileges name; a role named in a policy or a function body is
 * found out when its statement runs.
 */
import type { TocEntry } from "../archive/model.ts";
import { isWord, meaningful, nameOf, type Token, tokens } from "../archive/sql/tokens.ts";

export interface DumpNeeds {
  /** Every role named, sorted. */
  readonly roles: readonly string[];
  /** Roles that own something, sorted: the restoring role must be able to act as each. */
  readonly owners: readonly string[];
  readonly extensions: readonly string[];
  readonly tablespaces: readonly string[];
}

const PRIVILEGES = new Set(["ACL", "ACL LANGUAGE", "DEFAULT ACL"]);
const NOT_A_ROLE = new Set(["public", "current_user", "session_user", "current_role"]);

/** `entries`: those that will be restored. */
export function dumpNeeds(entries: readonly TocEntry[]): DumpNeeds {
  const owners = new Set<string>();
  const roles = new Set<string>();
  const extensions = new Set<string>();
  const tablespaces = new Set<string>();
  for (const entry of entries) {
    if (entry.owner && entry.dropStmt) owners.add(entry.owner);
    if (entry.tablespace) tablespaces.add(entry.tablespace);
    if (entry.desc === "EXTENSION") extensions.add(entry.tag);
    if (PRIVILEGES.has(entry.desc)) for (const role of grantees(entry.defn ?? "")) roles.add(role);
  }
  const sorted = (names: Iterable<string>) => [...names].sort();
  return {
    roles: sorted(new Set([...owners, ...roles])),
    owners: sorted(owners),
    extensions: sorted(extensions),
    tablespaces: sorted(tablespaces),
  };
}

/** Roles of GRANT, REVOKE, ALTER DEFAULT PRIVILEGES and SET SESSION AUTHORIZATION statements. */
export function grantees(sql: string): string[] {
  const list = meaningful(tokens(sql));
  const roles = new Set<string>();
  let statement: Token[] = [];
  for (const token of [...list, { kind: "other", text: ";", start: sql.length } as const]) {
    if (token.text !== ";") {
      statement.push(token);
      continue;
    }
    for (const role of rolesOf(statement)) roles.add(role);
    statement = [];
  }
  return [...roles];
}

function rolesOf(statement: readonly Token[]): string[] {
  const found: string[] = [];
  // The last TO or FROM introduces the role; names before it may be called "to" only in quotes.
  const at = statement.findLastIndex((token) => isWord(token, "TO") || isWord(token, "FROM"));
  if (at >= 0) found.push(...role(statement[at + 1]));
  statement.forEach((token, index) => {
    const isFor = isWord(token, "ROLE") && isWord(statement[index - 1], "FOR");
    const isSession = isWord(token, "AUTHORIZATION") && isWord(statement[index - 1], "SESSION");
    if (isFor || isSession) found.push(...role(statement[index + 1], isSession));
  });
  return found;
}

function role(token: Token | undefined, isSession = false): string[] {
  const name = nameOf(token);
  const isKeyword = token?.kind === "word" && (NOT_A_ROLE.has(name ?? "") || (isSession && name === "default"));
  return name === null || isKeyword ? [] : [name];
}
