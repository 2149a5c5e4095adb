/**
 * A sanitised copy as a plain script to write: the steps of a restore, in its order, as items of a script.
 *
 * What belongs to the database itself (CREATE DATABASE, its settings, comment and privileges) is left out, as `pg_restore -f`
 * leaves it out: the script restores into the database that psql is connected to.
 */
import type { TocEntry } from "../../archive/model.ts";
import type { ScriptHeading, ScriptItem, ScriptToWrite } from "../../archive/plain/plain-writer.ts";
import { planRestore, type RestorePlan, type Step } from "../../postgres/restore-order.ts";
import { SessionState } from "../../postgres/session-state.ts";
import type { ScrubContent } from "./scrub-content.ts";

/** `encode` writes a text in the dump's encoding. */
export function scriptToWrite(content: ScrubContent, startedAt: Date, encode: (text: string) => Buffer): ScriptToWrite {
  const { archive } = content;
  const plan = planRestore(archive, {
    skipData: (entry) => content.skips(entry),
    skipLargeObjects: content.plan.largeObjects,
  });
  return {
    encoding: archive.encoding,
    encode,
    standardConformingStrings: archive.standardConformingStrings,
    searchPath: plan.session.searchPath,
    serverVersion: archive.header.serverVersion,
    dumpVersion: archive.header.dumpVersion,
    startedAt,
    items: items(content, plan),
  };
}

function* items(content: ScrubContent, plan: RestorePlan): Generator<ScriptItem> {
  // a script is read by servers of any age from 12 on, as pg_dump's own
  const state = new SessionState(plan.session.searchPath === null, Number.POSITIVE_INFINITY);
  const body = content.archive.sequential ? dataForwards(plan.body, content.archive.dataOrder) : plan.body;
  for (const step of [...plan.preData, ...body, ...plan.acl, ...plan.postAcl]) {
    yield itemOf(step, content, plan, state.statementsFor(step.entry));
  }
}

function itemOf(step: Step, content: ScrubContent, plan: RestorePlan, settings: readonly string[]): ScriptItem {
  const { entry, statements } = step;
  const heading = headingOf(entry);
  if (!entry.hasData) return { kind: "statements", heading, settings, statements };
  if (entry.desc === "BLOBS") {
    const objects = () => content.objects(entry);
    return { kind: "large-objects", heading, settings, create: plan.createLargeObjects, objects };
  }
  return {
    kind: "rows",
    heading,
    settings,
    copyStmt: entry.copyStmt ?? "",
    note: entry.defn,
    data: () => content.rows(entry),
  };
}

function headingOf({ dumpId, tag, desc, namespace, owner, tablespace }: TocEntry): ScriptHeading {
  return { dumpId, tag, desc, namespace, owner, tablespace };
}

/** Data in the order in which it can be read, behind what else the data section has: large objects are made before. */
function dataForwards(body: readonly Step[], dataOrder: readonly TocEntry[]): readonly Step[] {
  const place = new Map(dataOrder.map(({ dumpId }, at) => [dumpId, at]));
  const placeOf = ({ entry }: Step) => place.get(entry.dumpId) ?? dataOrder.length;
  const data = body.filter(({ entry }) => entry.hasData).sort((one, other) => placeOf(one) - placeOf(other));
  const rest = body.filter(({ entry }) => !entry.hasData);
  const before = rest.filter(({ section }) => section !== "post-data");
  return [...before, ...data, ...rest.filter(({ section }) => section === "post-data")];
}
