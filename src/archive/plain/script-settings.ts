/**
 * What a script's SETs say of the statements behind them. Mirrors _doSetFixedOutputState, _selectOutputSchema,
 * _selectTablespace, _selectTableAccessMethod and _doSetSessionAuth of pg_backup_archiver.c, read backwards.
 *
 * Invariant: a setting that could change what rows or definitions mean is followed or refused, never passed over.
 */

import { decoderFor, type TextDecoding } from "../toc/encoding.ts";
import { leadBytes } from "../toc/lead-bytes.ts";
import { ScriptFault } from "./script-fault.ts";
import type { StatementWords } from "./statement-words.ts";

/** Parameters that neither rows nor definitions depend on, or that a restore sets itself. */
const WITHOUT_MEANING = new Set(
  `statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout transaction_timeout
  check_function_bodies xmloption client_min_messages escape_string_warning row_security default_transaction_read_only
  synchronous_commit maintenance_work_mem work_mem extra_float_digits session_replication_role bytea_output
  default_toast_compression log_statement log_min_duration_statement log_min_messages max_parallel_maintenance_workers
  default_with_oids synchronize_seqscans`.split(/\s+/),
);

export class ScriptSettings {
  /** PostgreSQL's name; `null` while the script has not said. */
  encoding: string | null = null;
  standardConformingStrings = true;
  /** `SELECT pg_catalog.set_config('search_path', …);\n`, of scripts since 2018. */
  searchPath: string | null = null;
  /** What a name without a schema means: `SET search_path = sales, pg_catalog`. */
  schema = "public";
  tablespace: string | null = null;
  tableam: string | null = null;
  /** `SET SESSION AUTHORIZATION 'role'`: whoever makes an object owns it. */
  owner: string | null = null;
  /** `SET SESSION AUTHORIZATION role`, which pg_dump writes in front of privileges that somebody else granted. */
  grantor: string | null = null;
  #decode: TextDecoding | null = null;

  get leads(): Uint8Array | null {
    return this.encoding === null ? null : leadBytes(this.encoding);
  }

  /** A statement's text. @throws ScriptFault when nothing says which encoding it is in. */
  text(bytes: Buffer, offset: number): string {
    if (this.encoding === null) {
      const latin = bytes.toString("latin1");
      if (/^[\0-\x7f]*$/.test(latin)) return latin;
      throw encodingUnknown(offset);
    }
    this.#decode ??= decoderFor(this.encoding);
    return this.#decode(bytes);
  }

  /** Takes in a SET, RESET or set_config statement; false for any other. @throws ScriptFault for what it cannot follow. */
  take(words: StatementWords, offset: number): boolean {
    words.at = 0;
    if (words.take("RESET")) {
      if (!words.is("SESSION", "AUTHORIZATION")) throw unsupportedSetting("RESET", offset);
      this.owner = null;
      this.grantor = null;
      return true;
    }
    if (words.take("SET")) {
      const isLocal = words.is("LOCAL");
      this.#set(words.skip("SESSION", "LOCAL"), isLocal, offset);
      return true;
    }
    return words.take("SELECT") && this.#setConfig(words, offset);
  }

  /** `isLocal`: until the transaction's end, which nobody follows here. */
  #set(words: StatementWords, isLocal: boolean, offset: number): void {
    if (words.take("AUTHORIZATION")) {
      const literal = words.string();
      const role = literal ?? (words.is("DEFAULT") ? null : words.identifier());
      this.owner = literal;
      this.grantor = literal === null ? role : null;
      return;
    }
    // A restore acts as the role that its target names.
    if (words.take("ROLE")) return;
    const name = words.identifier()?.toLowerCase() ?? "";
    if (isLocal && !WITHOUT_MEANING.has(name)) throw unsupportedSetting(name, offset);
    if (!words.takeText("=")) words.take("TO");
    switch (name) {
      case "client_encoding":
        this.#setEncoding(words.string() ?? words.identifier() ?? "");
        return;
      case "standard_conforming_strings":
        this.standardConformingStrings = isOn(words, name, offset);
        return;
      case "search_path":
        this.#setSchema(words, offset);
        return;
      case "default_tablespace":
        this.tablespace = words.string() ?? words.identifier() ?? "";
        return;
      case "default_table_access_method":
        this.tableam = words.string() ?? words.identifier();
        return;
      case "default_with_oids":
        if (isOn(words, name, offset)) throw unsupportedSetting(name, offset);
        return;
      default:
        if (!WITHOUT_MEANING.has(name)) throw unsupportedSetting(name, offset);
    }
  }

  #setEncoding(name: string): void {
    const upper = name.toUpperCase();
    this.encoding = upper === "UTF-8" ? "UTF8" : upper;
    this.#decode = null;
  }

  /** One schema, and pg_catalog behind it: more would make names ambiguous. */
  #setSchema(words: StatementWords, offset: number): void {
    const path: string[] = [];
    do {
      const schema = words.string() ?? words.identifier();
      if (schema !== null && schema !== "") path.push(schema);
    } while (words.takeText(","));
    const own = path.filter((schema) => schema !== "pg_catalog");
    if (own.length > 1) throw unsupportedSetting("search_path (several schemas)", offset);
    this.schema = own[0] ?? path[0] ?? "";
    this.searchPath = null;
  }

  #setConfig(words: StatementWords, offset: number): boolean {
    if (words.name()?.name !== "set_config" || !words.takeText("(")) return false;
    const name = words.string();
    const value = words.takeText(",") ? words.string() : null;
    if (name !== "search_path" || value !== "") throw unsupportedSetting(name ?? "", offset);
    // What is passed on is this statement: nothing may stand in it beside the one call.
    const isAlone = words.takeText(",") && words.skip("TRUE", "FALSE").takeText(")") && words.ended;
    if (!isAlone) throw unsupportedSetting(name, offset);
    this.searchPath = `${words.text}\n`;
    this.schema = "";
    return true;
  }
}

/** The value as parse_bool of bool.c reads it. */
function isOn(words: StatementWords, name: string, offset: number): boolean {
  const value = words.string() ?? words.identifier() ?? words.number() ?? "";
  if (words.ended && /^(?:on|t(?:r(?:ue?)?)?|y(?:es?)?|1)$/i.test(value)) return true;
  if (words.ended && /^(?:off?|f(?:a(?:l(?:se?)?)?)?|no?|0)$/i.test(value)) return false;
  throw unsupportedSetting(name, offset);
}

export function encodingUnknown(offset: number): ScriptFault {
  return new ScriptFault(
    "unsupported_encoding",
    "the script does not say in which encoding it is, and goes beyond ASCII",
    offset,
    "put SET client_encoding = 'UTF8'; (or whichever it is) in its first line",
  );
}

function unsupportedSetting(name: string, offset: number): ScriptFault {
  const shown = /^[a-z_.]{1,63}( \(several schemas\))?$/i.test(name) ? name : "of an unknown name";
  return new ScriptFault(
    "unsupported_setting",
    `the script sets the parameter ${shown}, which pg_dump does not, and which may change what follows,`,
    offset,
    "make the backup with pg_dump itself, or take the line out of a copy of the script",
  );
}
