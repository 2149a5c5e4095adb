/**
 * The demo's proof, by the plainest means: every row of every table of the restored database, as text, is searched for the
 * people's addresses, numbers and avatars. Knows nothing of policy, plan or ledger.
 */
import type { ServerConnection } from "../postgres/connection.ts";
import { quoteQualified } from "../postgres/identifiers.ts";
import type { MarketplaceBackup } from "./marketplace/marketplace-backup.ts";
import type { MarketplacePerson, PersonRole } from "./marketplace/marketplace-person.ts";

export interface PersonTrace {
  readonly role: PersonRole;
  readonly accountRows: number;
  /** Tables whose rows still hold an address or number of the person, with the number of rows. */
  readonly found: Readonly<Record<string, number>>;
  readonly avatar: boolean;
  /** What was to be expected of this person. */
  readonly asExpected: boolean;
}

/** Looks for each person everywhere. @throws PostgresFailed. */
export async function tracePeople(connection: ServerConnection, backup: MarketplaceBackup): Promise<PersonTrace[]> {
  const tables = await connection.rows<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2`,
    "the list of tables",
  );
  const traces: PersonTrace[] = [];
  for (const person of Object.values(backup.people)) traces.push(await trace(connection, person, tables));
  return traces;
}

async function trace(
  connection: ServerConnection,
  person: MarketplacePerson,
  tables: readonly { readonly schema: string; readonly name: string }[],
): Promise<PersonTrace> {
  const pattern = [...person.emails, ...person.emails.map(domainInAscii), person.phone, lastDigits(person.phone)]
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("|");
  const found: Record<string, number> = {};
  for (const { schema, name } of tables) {
    const count = await countRows(
      connection,
      `SELECT count(*) AS n FROM ${quoteQualified(schema, name)} t WHERE t::text ~* $1`,
      pattern,
    );
    if (count > 0) found[name] = count;
  }
  const accountRows = await countRows(
    connection,
    "SELECT count(*) AS n FROM public.users WHERE id = $1::bigint",
    String(person.accountId),
  );
  const avatar =
    (await countRows(
      connection,
      "SELECT count(*) AS n FROM pg_catalog.pg_largeobject_metadata WHERE oid = $1::oid",
      String(person.avatar),
    )) === 1;
  const trace = { role: person.role, accountRows, found, avatar };
  return { ...trace, asExpected: isAsExpected(trace) };
}

async function countRows(connection: ServerConnection, sql: string, value: string): Promise<number> {
  const [row] = await connection.rows<{ n: string }>(sql, "the search for a person", [value]);
  return Number(row?.n ?? 0);
}

/** Erased people may be left in invoices alone, which the law keeps; those in the thirty days in leads too, restricted. */
function isAsExpected(trace: Omit<PersonTrace, "asExpected">): boolean {
  const tables = Object.keys(trace.found);
  switch (trace.role) {
    case "kept":
    case "returned":
      return trace.accountRows === 1 && trace.avatar && tables.includes("users") && tables.includes("leads");
    case "pending":
      return trace.accountRows === 0 && !trace.avatar && tables.every((table) => table === "leads");
    default:
      return trace.accountRows === 0 && !trace.avatar && tables.every((table) => table === "invoices");
  }
}

function domainInAscii(email: string): string {
  const at = email.lastIndexOf("@");
  return `${email.slice(0, at)}@${new URL(`http://${email.slice(at + 1)}`).hostname}`;
}

function lastDigits(phone: string): string {
  return phone.replaceAll(/\D/g, "").slice(-8);
}
