/**
 * What a dump says of its database, made fit for a database of another name on another server version: the options of
 * `CREATE DATABASE` (dumpDatabase of REL_10 to REL_18 pg_dump.c), and the statements that follow it.
 *
 * Invariant: a name is replaced only where it stands as a name behind the word DATABASE. Pure.
 */
import type { TocEntry } from "../archive/model.ts";
import { isWord, meaningful, nameOf, stringOf, type Token, tokens } from "../archive/sql/tokens.ts";
import { ArchiveDamaged } from "../errors.ts";
import { quoteIdentifier, quoteLiteral } from "./identifiers.ts";
import { ownerStatement } from "./owner-statement.ts";
import type { DatabaseEntries } from "./restore-order.ts";

const V13 = 130_000;
const V15 = 150_000;
const V16 = 160_000;
const V17 = 170_000;

/** Options of the dump's CREATE DATABASE by upper-case name; values unquoted. */
export type DatabaseOptions = ReadonlyMap<string, string>;

/** @throws ArchiveDamaged `bad_database_entry` when the entry is not a CREATE DATABASE. */
export function databaseOptions(entry: TocEntry | null): DatabaseOptions {
  const options = new Map<string, string>();
  if (entry === null) return options;
  const list = meaningful(tokens(entry.defn ?? ""));
  if (!isWord(list[0], "CREATE") || !isWord(list[1], "DATABASE") || nameOf(list[2]) === null) throw damaged(entry);
  let at = isWord(list[3], "WITH") ? 4 : 3;
  while (at < list.length && list[at]?.text !== ";") {
    const words: string[] = [];
    for (; list[at]?.kind === "word" && list[at]?.text !== "="; at++) words.push(list[at]?.text.toUpperCase() ?? "");
    if (list[at]?.text === "=") at++;
    const value = optionValue(list[at]);
    if (words.length === 0 || value === null) throw damaged(entry);
    options.set(words.join(" "), value);
    at++;
  }
  return options;
}

function optionValue(token: Token | undefined): string | null {
  return stringOf(token) ?? nameOf(token) ?? (token?.kind === "number" ? token.text : null);
}

/**
 * `CREATE DATABASE … TEMPLATE template0 …` with the options this server version knows. `ignoreLocale` makes a database of
 * the same encoding and locale C: for throw-away servers, which have few locales.
 */
export function createDatabase(
  name: string,
  options: DatabaseOptions,
  serverVersion: number,
  ignoreLocale = false,
): string {
  const clauses = ["TEMPLATE = template0"];
  const encoding = options.get("ENCODING");
  if (encoding !== undefined) clauses.push(`ENCODING = ${literal(encoding)}`);
  if (ignoreLocale) clauses.push("LC_COLLATE = 'C'", "LC_CTYPE = 'C'");
  else clauses.push(...localeClauses(options, serverVersion));
  const tablespace = options.get("TABLESPACE");
  if (tablespace !== undefined) clauses.push(`TABLESPACE = ${quoteIdentifier(tablespace)}`);
  return `CREATE DATABASE ${quoteIdentifier(name)} WITH ${clauses.join(" ")}`;
}

function localeClauses(options: DatabaseOptions, serverVersion: number): string[] {
  const clauses: string[] = [];
  const provider = options.get("LOCALE_PROVIDER")?.toLowerCase();
  const knowsProvider = provider === "builtin" ? serverVersion >= V17 : serverVersion >= V15;
  if (provider !== undefined && knowsProvider) clauses.push(`LOCALE_PROVIDER = ${provider}`);
  const locale = options.get("LOCALE");
  const names = { collate: options.get("LC_COLLATE") ?? locale, ctype: options.get("LC_CTYPE") ?? locale };
  if (locale !== undefined && serverVersion >= V13) clauses.push(`LOCALE = ${literal(locale)}`);
  const spelled = serverVersion < V13 || locale === undefined;
  if (names.collate !== undefined && (spelled || options.has("LC_COLLATE")))
    clauses.push(`LC_COLLATE = ${literal(names.collate)}`);
  if (names.ctype !== undefined && (spelled || options.has("LC_CTYPE")))
    clauses.push(`LC_CTYPE = ${literal(names.ctype)}`);
  for (const [key, since] of [
    ["ICU_LOCALE", V15],
    ["ICU_RULES", V16],
    ["BUILTIN_LOCALE", V17],
  ] as const) {
    const value = options.get(key);
    if (value !== undefined && serverVersion >= since && knowsProvider) clauses.push(`${key} = ${literal(value)}`);
  }
  return clauses;
}

function literal(value: string): string {
  return quoteLiteral(value).trim();
}

/** The statements that make `name` what the dump's database was: owner, settings, comment, privileges. */
export function databaseStatements(entries: DatabaseEntries, name: string): string[] {
  const created = entries.create;
  const old = created?.tag ?? followerName(entries);
  if (old === null) return [];
  const owner = created === null ? null : ownerStatement({ ...created, tag: name });
  const followers = entries.followers.map((entry) => renameDatabase(entry.defn ?? "", old, name));
  return [...(owner === null ? [] : [owner]), ...followers].filter((sql) => sql.trim() !== "");
}

function followerName(entries: DatabaseEntries): string | null {
  return entries.followers.find((entry) => entry.desc === "DATABASE PROPERTIES")?.tag ?? null;
}

/** The statement with the database's name behind the word DATABASE replaced; literals and other names stay. */
export function renameDatabase(sql: string, from: string, to: string): string {
  let behindDatabase = false;
  return tokens(sql)
    .map((token) => {
      const isSpace = token.kind === "space";
      const isName = behindDatabase && nameOf(token) === from;
      if (!isSpace) behindDatabase = isWord(token, "DATABASE");
      return isName ? quoteIdentifier(to) : token.text;
    })
    .join("");
}

function damaged(entry: TocEntry): ArchiveDamaged {
  return new ArchiveDamaged(`the DATABASE entry ${entry.dumpId} is not a CREATE DATABASE statement`, {
    code: "bad_database_entry",
  });
}
