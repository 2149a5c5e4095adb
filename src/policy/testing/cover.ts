/** Covers a built dump with a policy given as the lines of its `tables`. */

import { expect } from "vitest";
import { PolicyRefused } from "../../errors.ts";
import { coverPolicy } from "../coverage.ts";
import { loadPolicy } from "../load.ts";
import type { Coverage } from "../model.ts";
import { copyParser, type DumpBuilder } from "./dump-builder.ts";

export interface CoverOptions {
  /** Top-level lines beside `tables`. */
  readonly head?: string;
  /** The operator's. */
  readonly timezone?: string;
}

/** `rules`: lines of YAML below `tables`, each `name: class`. */
export async function cover(
  rules: readonly string[],
  dump: DumpBuilder,
  options: CoverOptions = {},
): Promise<Coverage> {
  const tables = rules.map((rule) => `  ${rule}\n`).join("");
  const policy = await loadPolicy(`version: 1\n${options.head ?? ""}\ntables:\n${tables}`, "policy.yaml");
  return coverPolicy(policy, dump, { timezone: options.timezone ?? null, parseCopy: await copyParser() });
}

/** The message with which a policy is refused. */
export async function refusal(
  rules: readonly string[],
  dump: DumpBuilder,
  options: CoverOptions = {},
): Promise<string> {
  const error: unknown = await cover(rules, dump, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PolicyRefused);
  expect(error).toMatchObject({ code: "policy_coverage", exitCode: 5 });
  return (error as PolicyRefused).message;
}
