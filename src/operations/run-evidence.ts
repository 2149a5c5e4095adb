/** Frames a run: whatever happens, there is a signed document that says so, and the error goes on its way. */

import type { KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import type { EvidenceDocument, RunOutcome } from "../evidence/document.ts";
import { readSigningKey } from "../evidence/signature.ts";
import { writeEvidence } from "../evidence/write.ts";
import { loadKeyFile } from "../ledger/key-file.ts";
import { openStore } from "../storage/open-store.ts";
import { Journal, outcomeOfError } from "./journal.ts";
import type { RunContext, Settings } from "./settings.ts";

export interface RunResult {
  readonly evidence: EvidenceDocument;
  /** Where the signed copy lies; `null` when the configuration names no place. */
  readonly location: string | null;
  /** What ended the run, when it did not succeed. */
  readonly error: unknown;
}

/**
 * Runs a recipe and keeps its evidence. Never throws for a run that failed: the result carries the error, so that the
 * caller can print the evidence first.
 */
export async function withEvidence(
  run: RunContext,
  command: string,
  success: RunOutcome,
  recipe: (journal: Journal) => Promise<void>,
): Promise<RunResult> {
  const journal = new Journal(run, command);
  let error: unknown;
  let outcome = success;
  try {
    await checkPlace(run.settings, journal.runId);
    await recipe(journal);
  } catch (thrown) {
    error = thrown;
    outcome = outcomeOfError(thrown);
  }
  const evidence = journal.document(outcome, error);
  try {
    return { evidence, location: await keep(run.settings, evidence), error };
  } catch (thrown) {
    // the run's own failure is the news; without one, missing evidence is
    const what = error === undefined ? `the run ended as ${outcome}, but its evidence` : "the evidence of this run";
    run.onEvent({ type: "note", text: `${what} could not be kept` });
    return { evidence, location: null, error: error ?? thrown };
  }
}

/** Evidence that could not be written at the end is found out at the beginning. @throws UsageError, SourceFailed. */
async function checkPlace(settings: Settings, runId: string): Promise<void> {
  if (!settings.evidence) return;
  await signingKey(settings);
  const store = await openStore(settings.evidence.location);
  try {
    await store.head(`${runId}.json`);
  } finally {
    store.close();
  }
}

async function keep(settings: Settings, evidence: EvidenceDocument): Promise<string | null> {
  if (!settings.evidence) return null;
  const key = await signingKey(settings);
  const store = await openStore(settings.evidence.location);
  try {
    return (await writeEvidence(store, evidence, key)).location;
  } finally {
    store.close();
  }
}

/** The evidence key: a PEM of its own, or the one in the ledger's key file. @throws UsageError (`signing_key`). */
export async function signingKey(settings: Settings): Promise<KeyObject> {
  const file = settings.evidence?.signingKeyFile;
  if (file) {
    const pem = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new UsageError(`the evidence signing key ${file} cannot be read`, {
        code: "signing_key",
        hint: "check evidence.signing_key_file",
        cause,
      });
    });
    return readSigningKey(pem);
  }
  const keys = await loadKeyFile(settings.ledger.keyFile);
  const key = keys.evidence?.privateKey;
  if (key) return key;
  throw new UsageError("there is no key to sign evidence with", {
    code: "signing_key",
    hint: "set evidence.signing_key_file, or use the key file that ledger init made",
  });
}
