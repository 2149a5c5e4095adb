/** Puts a signed evidence document into its store: `<run>.json` and `<run>.json.sig`, never replacing one. */
import type { KeyObject } from "node:crypto";
import { SourceFailed } from "../errors.ts";
import type { ObjectStore } from "../storage/contract.ts";
import type { EvidenceDocument } from "./document.ts";
import { signEvidence } from "./signature.ts";

export interface WrittenEvidence {
  /** URL of the document. */
  readonly location: string;
  readonly kid: string;
}

/** @throws SourceFailed. */
export async function writeEvidence(
  store: ObjectStore,
  document: EvidenceDocument,
  key: KeyObject,
): Promise<WrittenEvidence> {
  const signature = signEvidence(document, key);
  const name = `${document.run}.json`;
  // the signature last: a document without one is one whose writing broke off
  await create(store, name, document);
  await create(store, `${name}.sig`, signature);
  return { location: `${store.url}${name}`, kid: signature.kid };
}

async function create(store: ObjectStore, key: string, content: object): Promise<void> {
  const created = await store.createIfAbsent(key, Buffer.from(`${JSON.stringify(content, null, 2)}\n`));
  if (created === "exists") {
    throw new SourceFailed(`evidence ${key} exists already in ${store.url}`, {
      code: "evidence_exists",
      hint: "evidence is never replaced: use another evidence.url",
    });
  }
}
