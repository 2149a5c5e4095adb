/**
 * What a script says of the server rather than of a database: roles, memberships, tablespaces.
 *
 * Invariant: names alone are kept, never passwords or settings.
 */

import type { Meaning } from "./meaning.ts";

/** What belongs to the server and not to a database. */
export interface Globals {
  readonly roles: ReadonlySet<string>;
  readonly tablespaces: ReadonlySet<string>;
  /** Groups by member. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  add(meaning: Extract<Meaning, { does: "global" }>): void;
}

export function noGlobals(): Globals {
  const roles = new Set<string>();
  const tablespaces = new Set<string>();
  const groups = new Map<string, string[]>();
  return {
    roles,
    tablespaces,
    groups,
    add: ({ role, tablespace, memberOf }) => {
      if (role !== undefined) roles.add(role);
      if (tablespace !== undefined) tablespaces.add(tablespace);
      if (memberOf !== undefined) groups.set(memberOf[1], [...(groups.get(memberOf[1]) ?? []), memberOf[0]]);
    },
  };
}
