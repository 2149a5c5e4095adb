/**
 * Which database of a script is meant, and what of the rest of a pg_dumpall script it needs. Mirrors the order in which
 * pg_dumpall.c writes: roles, memberships, tablespaces, then one dump for each database.
 *
 * Invariant: of roles only names are kept, never passwords or settings.
 */

import { BackupRefused } from "../../errors.ts";
import type { TocEntry } from "../model.ts";
import { meaningful, nameOf, tokens } from "../sql/tokens.ts";
import type { DatabaseScript, ScriptIndex } from "./index-script.ts";

const MAINTENANCE = new Set(["template0", "template1", "postgres"]);

export interface ChosenDatabase {
  /** "" when the script does not say. */
  readonly name: string;
  readonly script: DatabaseScript;
  readonly remarks: readonly string[];
}

/** @throws BackupRefused `database_not_named`, `database_not_found`. */
export function chooseDatabase({ databases, isCluster }: ScriptIndex, wanted: string | undefined): ChosenDatabase {
  const unnamed = databases.get("");
  const names = [...databases.keys()].filter((name) => name !== "");
  const inPlace = unnamed !== undefined && unnamed.section.drafts.length > 0;
  const chosen = (name: string, remarks: readonly string[] = []): ChosenDatabase => {
    const script = databases.get(name);
    if (script === undefined) throw notFound(names);
    return { name, script, remarks };
  };
  if (wanted !== undefined && names.length > 0) return chosen(wanted);
  if (inPlace && names.length > 0) throw notNamed(names);
  if (names.length === 0) {
    if (unnamed === undefined) throw empty();
    return chosen("");
  }
  if (names.length === 1) return chosen(names[0]!);
  const own = names.filter((name) => !MAINTENANCE.has(name));
  if (own.length !== 1) throw notNamed(names);
  const remark = `the script holds ${names.length} databases; ${shown(own[0]!)} was taken, the only one that is not a server's own`;
  return chosen(own[0]!, isCluster ? [remark] : []);
}

/** What of the script's roles and tablespaces the entries name. */
export function globalsNeeded({ globals }: ScriptIndex, toc: readonly TocEntry[]): readonly string[] {
  if (globals.roles.size === 0 && globals.tablespaces.size === 0) return [];
  const roles = new Set(toc.flatMap(({ owner }) => (owner !== null && globals.roles.has(owner) ? [owner] : [])));
  for (const entry of toc) {
    if (entry.desc !== "ACL" && entry.desc !== "DEFAULT ACL") continue;
    for (const token of meaningful(tokens(entry.defn ?? ""))) {
      const name = nameOf(token);
      if (name !== null && globals.roles.has(name)) roles.add(name);
    }
  }
  // A set grows while it is walked: groups of groups are met too.
  for (const role of roles) for (const group of globals.groups.get(role) ?? []) roles.add(group);
  const tablespaces = new Set(
    toc.flatMap(({ tablespace }) => (tablespace !== null && globals.tablespaces.has(tablespace) ? [tablespace] : [])),
  );
  const needed = [list("role", roles), list("tablespace", tablespaces)].filter((text) => text !== "").join(" and ");
  return needed === "" ? [] : [`the script's ${needed} must exist on the target: this tool does not create them`];
}

function list(what: string, names: ReadonlySet<string>): string {
  if (names.size === 0) return "";
  return `${what}${names.size > 1 ? "s" : ""} ${[...names].sort().map(shown).join(", ")}`;
}

function shown(name: string): string {
  return name.replaceAll(/\s+/g, " ");
}

function notNamed(names: readonly string[]): BackupRefused {
  return new BackupRefused(`the script holds ${names.length} databases: ${names.map(shown).join(", ")}`, {
    code: "database_not_named",
    hint: "say which one with --database",
  });
}

function notFound(names: readonly string[]): BackupRefused {
  return new BackupRefused(`the script does not hold the database asked for, but ${names.map(shown).join(", ")}`, {
    code: "database_not_found",
    hint: "correct --database",
  });
}

function empty(): BackupRefused {
  return new BackupRefused("the script holds no database", {
    code: "empty_script",
    hint: "look at how the backup was made: pg_dump wrote nothing",
  });
}
