/**
 * The comments that frame a script: where a dump begins and is complete, who made it from what, and when. Mirrors
 * RestoreArchive and dumpTimestamp of pg_backup_archiver.c, and main of pg_dumpall.c.
 *
 * Invariant: a dump that was begun and not completed, and one with something behind it, are refused.
 */

import type { LocalTime } from "../model.ts";
import { incomplete, ScriptFault } from "./script-fault.ts";

/** One dump in a script; pg_dumpall's has one for each database. */
export interface ScriptUnit {
  serverVersion: string;
  dumpVersion: string;
  startedAt: LocalTime | null;
}

const BEGINS = "-- PostgreSQL database dump";
const CLUSTER_BEGINS = "-- PostgreSQL database cluster dump";

export class ScriptUnits {
  /** What the dump in hand says of itself. */
  unit: ScriptUnit = { serverVersion: "", dumpVersion: "", startedAt: null };
  /** Made by pg_dumpall. */
  isCluster = false;
  /** Some header was seen: the script claims to be pg_dump's. */
  isFramed = false;
  #isOpen = false;
  #isComplete = false;
  #clusterStartedAt: LocalTime | null = null;

  /** A comment outside of statements, without its newline. @throws ScriptFault */
  comment(bytes: Buffer, offset: number): void {
    if (bytes.length > 300) return;
    const text = bytes.toString("latin1");
    if (text === CLUSTER_BEGINS || text === BEGINS) this.#begin(text === CLUSTER_BEGINS, offset);
    else if (text === `${BEGINS} complete`) {
      this.#isOpen = false;
      this.#isComplete ||= !this.isCluster;
    } else if (text === `${CLUSTER_BEGINS} complete`) {
      this.#checkClosed(offset);
      this.#isComplete = true;
    } else this.#fact(text);
  }

  /** Something other than a comment or the end of restricted mode. @throws ScriptFault behind a complete dump. */
  content(offset: number): void {
    if (this.#isComplete) throw appended("something stands behind the end of the dump", offset);
  }

  /** @throws ScriptFault when the script ends at `offset` before its dump does. */
  end(offset: number): void {
    this.#checkClosed(offset);
    if (this.isFramed && !this.#isComplete) throw incomplete('the script ends without "dump complete"', offset);
  }

  #begin(isCluster: boolean, offset: number): void {
    if (this.#isComplete) throw appended("a second dump begins behind the end of the first", offset);
    this.#checkClosed(offset);
    if (isCluster) {
      if (this.isFramed) throw appended("a second dump begins behind another", offset);
      this.isCluster = true;
    } else {
      this.#isOpen = true;
      this.unit = { serverVersion: "", dumpVersion: "", startedAt: this.#clusterStartedAt };
    }
    this.isFramed = true;
  }

  #checkClosed(offset: number): void {
    if (this.#isOpen) throw incomplete('a dump ends without "dump complete"', offset);
  }

  #fact(text: string): void {
    const { unit } = this;
    const server = /^-- Dumped from database version (.+)$/.exec(text)?.[1];
    if (server !== undefined && unit.serverVersion === "") unit.serverVersion = server;
    const dumper = /^-- Dumped by pg_dump version (.+)$/.exec(text)?.[1];
    if (dumper !== undefined && unit.dumpVersion === "") unit.dumpVersion = dumper;
    const started = /^-- Started on (.+)$/.exec(text)?.[1];
    if (started === undefined) return;
    if (this.isCluster && !this.#isOpen) this.#clusterStartedAt ??= readTime(started);
    else unit.startedAt = readTime(started) ?? unit.startedAt;
  }
}

/** `2026-11-23 06:23:49 UTC`: pg_dump's own clock and, where it knows one, its zone. `null` for anything else. */
function readTime(text: string): LocalTime | null {
  const match = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?: (.+))?$/.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const inRange = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60;
  if (!inRange) return null;
  const offset = utcOffset(match[7] ?? "");
  return { year, month, day, hour, minute, second, isDst: null, ...(offset === null ? {} : { utcOffset: offset }) };
}

/** Minutes east of UTC; `null` for names that do not mean the same everywhere. */
function utcOffset(zone: string): number | null {
  if (zone === "UTC" || zone === "GMT" || zone === "Z") return 0;
  const match = /^([+-])(\d\d):?(\d\d)?$/.exec(zone);
  if (match === null) return null;
  const minutes = Number(match[2]) * 60 + Number(match[3] ?? 0);
  return match[1] === "-" ? -minutes : minutes;
}

function appended(fact: string, offset: number): ScriptFault {
  return new ScriptFault(
    "appended",
    fact,
    offset,
    "two outputs were written to one file (>> or a second run); make the backup again",
  );
}
