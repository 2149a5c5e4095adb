/** Collects what stands between a policy and a dump, to refuse once with all of it. */

import { PolicyRefused } from "../errors.ts";
import { countOf, issueList } from "./issue-list.ts";
import { type Policy, type TableName, tableKey } from "./model.ts";
import { tableLabel } from "./names.ts";

export class Problems {
  readonly #policy: Policy;
  /** A set: the partitions of one table share its rule, and its problems. */
  readonly #problems = new Set<string>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** A problem with a table, at the line of the policy that classifies it when there is one. */
  add(table: TableName, fact: string, hint?: string): void {
    const position = this.#policy.tables.get(tableKey(table))?.position;
    const place = position === undefined ? "" : `${position} `;
    this.#problems.add(`${place}${tableLabel(table)} ${fact}${hint === undefined ? "" : `; hint: ${hint}`}`);
  }

  /** A problem with the dump or the policy as a whole. */
  addGeneral(fact: string, hint: string): void {
    this.#problems.add(`${fact}; hint: ${hint}`);
  }

  get count(): number {
    return this.#problems.size;
  }

  /** @throws PolicyRefused (`policy_coverage`) when there is any problem. */
  refuse(): void {
    if (this.#problems.size > 0) {
      throw new PolicyRefused(
        issueList(`the policy does not cover this dump, ${countOf(this.count, "problem")}`, [...this.#problems]),
        {
          code: "policy_coverage",
          hint: "correct the policy, then run: sanitize policy check",
        },
      );
    }
  }
}
