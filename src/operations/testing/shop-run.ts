/** What runs over a shop's backup need: a place with ledger, keys and policy; settings; a way to compare databases. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { appendEraseLines } from "../../ledger/erase.ts";
import { initLedger } from "../../ledger/init.ts";
import { dump, serverUrl } from "../../postgres/testing/real-server.ts";
import { openStore, type StoreLocation } from "../../storage/open-store.ts";
import type { RunContext, RunEvent, Settings } from "../settings.ts";
import { shopPolicy, shopRequests } from "./shop.ts";

/** pg_dump's text with the rows of each table in order: an UPDATE moves a row, a filter does not. */
export async function comparable(name: string): Promise<string> {
  return (await dump(name)).replaceAll(
    /(^COPY .* FROM stdin;\n)((?:.*\n)*?)(\\\.\n)/gm,
    (_, head: string, rows: string, end: string) => head + rows.split("\n").toSorted().join("\n") + end,
  );
}

function settingsIn(place: string, target: string | null, source: StoreLocation, ledger: StoreLocation): Settings {
  const url = new URL(serverUrl ?? "postgres://x@localhost/x");
  if (target) url.pathname = `/${target}`;
  return {
    source: { location: source, region: source.region ?? null, timezone: "UTC" },
    target: target ? { url: url.toString(), region: null, allowedHosts: [], tls: "verify-full", caFile: null } : null,
    ledger: { location: ledger, keyFile: join(place, "ledger.key"), maxStaleness: 900_000 },
    policyFile: join(place, "policy.yaml"),
    limits: { maxBackupAge: 120 * 3_600_000, jobs: 3 },
    evidence: { location: { url: "evidence", baseDirectory: place }, signingKeyFile: null },
  };
}

export interface ShopRun {
  readonly place: string;
  readonly context: (target: string | null, more?: Partial<RunContext>) => RunContext;
  readonly events: RunEvent[];
  readonly ledger: StoreLocation;
}

/** A folder below `folder` with ledger, keys, policy and the shop's requests; the backups come from `source`. */
export async function setUpShopRun(
  folder: string,
  source: StoreLocation,
  ledger?: StoreLocation,
  policy = shopPolicy,
  requests = shopRequests,
): Promise<ShopRun> {
  const place = await mkdtemp(join(folder, "run-"));
  const ledgerAt = ledger ?? { url: "ledger", baseDirectory: place };
  const store = await openStore(ledgerAt);
  const keys = await initLedger(store, join(place, "ledger.key"), { now: new Date() });
  for await (const receipt of appendEraseLines(
    store,
    keys,
    requests.map((line) => JSON.stringify(line)),
    new Date(),
  ))
    void receipt;
  store.close();
  await writeFile(join(place, "policy.yaml"), policy);
  const events: RunEvent[] = [];
  return {
    place,
    events,
    ledger: ledgerAt,
    context: (target, more = {}) => ({
      settings: settingsIn(place, target, source, ledgerAt),
      signal: new AbortController().signal,
      now: () => new Date(),
      onEvent: (event) => events.push(event),
      ...more,
    }),
  };
}
