/**
 * What becomes of a row that a request covers: the request's scopes, their state at the run's instant, and the table's
 * rule, put together. DESIGN §5, ERASURE.md §2.2.
 */
import type { ErasureRequest, RequestScope, ScopeAction } from "../ledger/model.ts";
import { defaultScopes, scopeState } from "../ledger/requests.ts";
import type { TableRule } from "../policy/model.ts";

/** In order of strictness: of several requests on one row, the strictest wins. */
export const outcomes = ["none", "retain", "pending", "anonymise", "delete"] as const;
export type Outcome = (typeof outcomes)[number];

export function stricter(one: Outcome, other: Outcome): boolean {
  return outcomes.indexOf(one) > outcomes.indexOf(other);
}

/** A request as the matching sees it at one instant. */
export interface RequestView {
  readonly request: ErasureRequest;
  /** Microseconds since 1970 UTC: rows created later belong to somebody else. */
  readonly cutoff: number;
  /** State of a scope at the run's instant; scopes the request does not list take the table's rule at once. */
  scope(name: string): {
    readonly state: "pending" | "effective";
    readonly action: ScopeAction | null;
    readonly effectiveAt: Date;
  };
}

/** The requests of a ledger that concern this policy's controller, seen at `at`; others are left out by `null`. */
export function viewRequests(
  requests: readonly ErasureRequest[],
  at: Date,
  controller: string | null,
): readonly (RequestView | null)[] {
  return requests.map((request) => {
    // a policy that names no controller describes a database of one: every request is meant
    const concerned = controller === null || request.controller === "*" || request.controller === controller;
    return concerned ? viewRequest(request, at) : null;
  });
}

function viewRequest(request: ErasureRequest, at: Date): RequestView {
  const scopes = new Map(request.scopes.map((scope) => [scope.scope, scope]));
  const states = new Map<string, ReturnType<RequestView["scope"]>>();
  return {
    request,
    cutoff: request.cutoffAt.getTime() * 1000,
    scope: (name) => {
      let known = states.get(name);
      if (!known) {
        known = describe(scopes.get(name), request, at);
        states.set(name, known);
      }
      return known;
    },
  };
}

function describe(
  scope: RequestScope | undefined,
  request: ErasureRequest,
  at: Date,
): ReturnType<RequestView["scope"]> {
  if (!scope) return { state: "effective", action: null, effectiveAt: request.requestedAt };
  return { state: scopeState(scope, at), action: scope.action, effectiveAt: new Date(scope.effective_at) };
}

/**
 * What a request does to a row of a table. A request that asks a scope to be deleted which is anonymised by default
 * ("remove my reviews entirely") overrides an anonymising rule; it never softens one.
 */
export function outcomeOf(rule: TableRule, view: RequestView): Outcome {
  const scope = rule.scope ?? "identity";
  const { state, action } = view.scope(scope);
  // withdrawn, or spared by the request itself: as if it had not been asked
  if (action === "retain") return "none";
  if (state === "pending") return "pending";
  if (rule.action === "retain") return "retain";
  return action === "delete" && defaultScopes[scope]?.action !== "delete" ? "delete" : rule.action;
}

/**
 * What becomes of a row whose parent row goes. Whatever the times say, the reference must not dangle: where the row's own
 * rule would leave it alone, it is treated as the rule says of a row that matches.
 */
export function outcomeBehindParent(rule: TableRule, view: RequestView, parentGoes: boolean): Outcome {
  if (!parentGoes) return "pending";
  if (rule.match.length === 0 && rule.action === "delete") return "delete";
  const outcome = outcomeOf(rule, view);
  if (outcome !== "none") return outcome;
  return rule.pendingSet.size > 0 ? "pending" : rule.action;
}
