/**
 * Can every request be met at all? A request whose identifiers are of kinds that no rule looks for would be passed over in
 * silence, and its person restored: that is refused. So is a rule that looks for a kind nobody has heard of.
 */
import { PolicyRefused } from "../errors.ts";
import type { ErasureRequest } from "../ledger/model.ts";
import type { Policy } from "../policy/model.ts";

const builtIn: ReadonlySet<string> = new Set(["account_id", "email", "phone"]);

/** Kinds of identifier that the policy's rules match by. */
function matchedKinds(policy: Policy): ReadonlySet<string> {
  const rules = [...policy.tables.values()].flatMap(({ rule }) => (rule.kind === "rule" ? rule.match : []));
  return new Set(rules.map(({ type }) => type));
}

/** Kinds that requests may name: the built-in ones and those of the policy. */
export function knownKinds(policy: Policy): ReadonlySet<string> {
  return new Set([...builtIn, ...matchedKinds(policy), ...(policy.subject?.keys ?? []).map(({ type }) => type)]);
}

/** @throws PolicyRefused (`unmatched_requests`, `unknown_key_kind`). */
export function checkMatchable(policy: Policy, requests: readonly ErasureRequest[]): void {
  const matched = matchedKinds(policy);
  const unmatched = requests.filter(({ keys }) => !keys.some(({ type }) => matched.has(type)));
  if (unmatched.length > 0) {
    const kinds = [...new Set(unmatched.flatMap(({ keys }) => keys.map(({ type }) => type)))].sort();
    const shown = unmatched.slice(0, 5).map(({ requestId }) => requestId);
    throw new PolicyRefused(
      `${unmatched.length} of ${requests.length} requests hold identifiers only of kinds that no rule matches by (${kinds.join(", ")}): ${shown.join(", ")}${unmatched.length > 5 ? ", …" : ""}`,
      {
        code: "unmatched_requests",
        hint: "add the kind to a rule's match, or give the requests further identifiers with: sanitize ledger amend",
      },
    );
  }
  const subject = new Set((policy.subject?.keys ?? []).map(({ type }) => type));
  const held = new Set(requests.flatMap(({ keys }) => keys.map(({ type }) => type)));
  const unknown = [...matched].filter((type) => !builtIn.has(type) && !subject.has(type) && !held.has(type));
  if (requests.length > 0 && unknown.length > 0) {
    throw new PolicyRefused(`rules match by ${unknown.join(", ")}, which no request holds and subject does not name`, {
      code: "unknown_key_kind",
      hint: "check the spelling (account_id, email and phone are built in), or name the kind under subject",
    });
  }
}
