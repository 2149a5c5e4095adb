/** What is told of one known person of the marketplace. */

import type { MarketplaceTable } from "./marketplace-tables.ts";

export type PersonRole = "erased" | "forgotten_reviews" | "pending" | "returned" | "kept";
/** What a restore under the marketplace's policy does with a row; `skipped`: its table comes back empty. */
export type RowFate = "erased" | "anonymised" | "pending" | "retained" | "kept" | "skipped";

/** One line of `ledger erase`'s standard input. */
export interface EraseLine {
  readonly request_id: string;
  readonly requested_at: string;
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly scopes?: Readonly<Record<string, "delete" | "anonymise">>;
  readonly recipients?: readonly string[];
}

export interface MarketplacePerson {
  readonly role: PersonRole;
  readonly accountId: number;
  readonly name: string;
  /** As they stand in the user's row; leads may spell them otherwise. */
  readonly emails: readonly string[];
  readonly phone: string;
  readonly avatar: number;
  /** `null`: has asked for nothing. */
  readonly request: EraseLine | null;
  /** Providers that have let go of the contact data since: with all of them, the thirty days are over. */
  readonly released: { readonly recipients: readonly string[]; readonly at: string } | null;
  /** Rows of the backup that are about this person, by table and by what becomes of them. */
  readonly rows: Readonly<Partial<Record<MarketplaceTable, Partial<Record<RowFate, number>>>>>;
}

/** Anonymised reviews refer to this one shared account. */
export const ghostUserId = 1;
/** Keys below this belong to rows of this file (providers and courses excepted). */
export const firstGeneratedId = 1001;
/** Large objects from here on are avatars; the first five belong to the people of this file. */
export const firstAvatar = 100_000;
