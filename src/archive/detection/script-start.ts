/**
 * Whether a text begins like SQL for psql. pg_dump's own comment says so at once; scripts of `pg_restore -f`, edited ones
 * and those behind lines of a log begin otherwise.
 */

const OWN_COMMENT = /^-- PostgreSQL database (?:cluster )?dump\r?$/m;
const OTHER_DUMP = /^-- (?:MySQL|MariaDB) dump /m;
/** What a program says beside its output: `pg_dump: warning: …`, a server's notices, a password prompt. */
const LOG_LINE = /(?:[\w./-]+(?:\.exe)?|WARNING|NOTICE|INFO|DETAIL|HINT|Password[^\n]{0,40}): ?[^\n]*(?:\n|$)/y;
const BLANK = /\s+/y;
const LINE_COMMENT = /--[^\n]*(?:\n|$)/y;
const BLOCK_COMMENT = /\/\*[\s\S]*?\*\//y;
const STATEMENT =
  /(?:\\(?:restrict|unrestrict|connect|c|encoding|set|unset|echo|pset|timing|if|i|ir|include)|set|select|create|insert|copy|begin|start|drop|alter|comment|grant|revoke|with|do|truncate|update|delete|lock|vacuum|analyze|reset|reindex|refresh|security|rollback|commit|call)(?=[\s;]|$)/iy;

/** `text` is the file's beginning, one character a byte; `cut` when the file goes on behind it. */
export function looksLikeScript(text: string, cut: boolean): boolean {
  if (OTHER_DUMP.test(text)) {
    return false;
  }
  if (OWN_COMMENT.test(text)) {
    return true;
  }
  if (text.includes("\0")) {
    return false;
  }
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const matched = pattern.test(text);
    at = matched ? pattern.lastIndex : at;
    return matched;
  };
  while (skip(BLANK) || skip(LINE_COMMENT) || skip(BLOCK_COMMENT) || skip(LOG_LINE)) {
    if (at === text.length) {
      // Comments beyond what was looked at: the script's reader will see.
      return cut && text.trimStart().startsWith("--");
    }
  }
  return skip(STATEMENT);
}
