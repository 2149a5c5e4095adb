/** Collects a run's evidence while it happens, so that whatever the outcome there is a document to sign. */
import { randomBytes } from "node:crypto";
import { Interrupted, SanitizeError } from "../errors.ts";
import { type EvidenceDocument, evidenceSchema, type RunOutcome } from "../evidence/document.ts";
import { toolVersion } from "../version.ts";
import type { RunContext } from "./settings.ts";

type Findings = Partial<
  Pick<
    EvidenceDocument,
    | "backup"
    | "ledger"
    | "policy"
    | "plan"
    | "tables"
    | "requests"
    | "large_objects"
    | "target"
    | "go_live"
    | "verification"
    | "scrub"
    | "advice"
  >
>;

/** Time-ordered and unguessable: `20261123t031500_9f3a1c`. Also part of the side database's name. */
export function newRunId(now: Date): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, "").replace(/\..*$/, "").toLowerCase();
  return `${stamp}_${randomBytes(3).toString("hex")}`;
}

export class Journal {
  readonly runId: string;
  private readonly run: RunContext;
  private readonly command: string;
  private readonly startedAt: Date;
  private findings: Findings = {};
  private readonly phases: { name: string; seconds: number }[] = [];

  constructor(run: RunContext, command: string) {
    this.run = run;
    this.command = command;
    this.startedAt = run.now();
    this.runId = newRunId(this.startedAt);
  }

  add(findings: Findings): void {
    this.findings = { ...this.findings, ...findings };
  }

  /** Runs one step of the recipe, announced and timed. */
  async phase<T>(name: string, step: () => Promise<T>): Promise<T> {
    this.run.onEvent({ type: "phase", name });
    const started = process.hrtime.bigint();
    try {
      return await step();
    } finally {
      this.phases.push({ name, seconds: Number(process.hrtime.bigint() - started) / 1e9 });
    }
  }

  /** A step that was timed elsewhere. */
  addPhase(name: string, seconds: number): void {
    this.phases.push({ name, seconds });
  }

  /** What was known before the rows were read, and what they told. */
  private advice(): Pick<EvidenceDocument, "advice"> {
    const { advice = [], large_objects } = this.findings;
    const orphans = large_objects?.orphans ?? 0;
    if (orphans === 0) return {};
    const fact = `${orphans} large objects come back that no row refers to: whose they are, no rule can tell`;
    return { advice: [...advice, `${fact} (vacuumlo removes such from the live database)`] };
  }

  document(outcome: RunOutcome, error?: unknown): EvidenceDocument {
    return {
      schema: evidenceSchema,
      outcome,
      run: this.runId,
      command: this.command,
      tool: { name: "sanitize", version: toolVersion, node: process.versions.node },
      started_at: this.startedAt.toISOString(),
      finished_at: this.run.now().toISOString(),
      ...this.findings,
      ...this.advice(),
      phases: this.phases.map(({ name, seconds }) => ({ name, seconds: Math.round(seconds * 1000) / 1000 })),
      ...(error === undefined ? {} : { error: errorEvidence(error) }),
    };
  }
}

/** Refused is what a gate stopped; failed is what broke on the way. */
export function outcomeOfError(error: unknown): RunOutcome {
  if (!(error instanceof SanitizeError) || error instanceof Interrupted) return "failed";
  return error.exitCode <= 6 ? "refused" : "failed";
}

function errorEvidence(error: unknown): NonNullable<EvidenceDocument["error"]> {
  if (!(error instanceof SanitizeError)) return { code: "bug", message: "an unexpected error ended the run" };
  return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}
