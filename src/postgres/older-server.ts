/**
 * Statements of a newer pg_dump on an older server: what the older server does anyway is not said to it.
 *
 * Invariant: an option is left out only where its value is the older server's one and only behaviour; everything else stays,
 * and the server refuses it.
 */
import type { TocEntry } from "../archive/model.ts";
import { isWord, tokens } from "../archive/sql/tokens.ts";

const V16 = 160_000;

/** The entry's defn for a server of that version (`server_version_num`). */
export function defnForServer(entry: TocEntry, serverVersion: number): string {
  const defn = entry.defn ?? "";
  // Before 16 a subscription always applied changes as its owner; pg_dump 17 spells it out for servers of any age.
  if (entry.desc !== "SUBSCRIPTION" || serverVersion >= V16) return defn;
  const list = tokens(defn);
  const at = list.findIndex((token) => isWord(token, "RUN_AS_OWNER"));
  const end = list.findIndex((token, index) => index > at && isWord(token, "TRUE"));
  const start = list.findLastIndex((token, index) => index < at && token.text === ",");
  const stated = list.slice(at, end + 1).map((token) => token.text);
  if (at < 0 || start < 0 || stated.join("").replaceAll(/\s/g, "").toLowerCase() !== "run_as_owner=true") return defn;
  return [...list.slice(0, start), ...list.slice(end + 1)].map((token) => token.text).join("");
}
