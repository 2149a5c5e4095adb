/**
 * The people whose story the demo tells, each with rows at known places, and the request each has made.
 *
 * Times are counted from the backup's snapshot: requests of the day came in after it, so the backup still holds the
 * people who made them. All addresses are in example domains, and no number is anyone's.
 */

import { erasedPerson, personInTheWindow, reviewer } from "./leaving-people.ts";
import { ghostUserId, type MarketplacePerson, type PersonRole } from "./marketplace-person.ts";
import type { MarketplaceTable } from "./marketplace-tables.ts";
import { RowBook } from "./row-book.ts";
import { namesake, returnedPerson } from "./staying-people.ts";

export interface People {
  readonly people: Readonly<Record<PersonRole, MarketplacePerson>>;
  /** Their rows, as COPY lines. */
  readonly lines: Readonly<Record<MarketplaceTable, readonly string[]>>;
}

/** The people and their rows in a backup whose snapshot was taken at `snapshot`. */
export function makePeople(snapshot: Date): People {
  const book = new RowBook(snapshot);
  const ghost = {
    email: "verwijderd@cursusmarkt.example",
    name: "Verwijderde gebruiker",
    created_at: book.daysAgo(2000),
  };
  book.add("users", "kept", { id: String(ghostUserId), ...ghost });
  book.take();
  const people = {
    erased: erasedPerson(book),
    forgotten_reviews: reviewer(book),
    pending: personInTheWindow(book),
    returned: returnedPerson(book),
    kept: namesake(book),
  };
  return { people, lines: book.lines };
}
