import type { Command } from "commander";
import type { KeySet } from "../../ledger/key-set.ts";
import type { ObjectStore } from "../../storage/contract.ts";
import { alignedTable, counted } from "../evidence-text.ts";
import type { CommandIo } from "../io.ts";
import type { IoOf, Register } from "../register.ts";
import { registerErase, registerFollowUps, registerHeartbeat } from "./ledger-records.ts";
import { withKeys, withStore } from "./ledger-store.ts";

export const registerLedger: Register = (program, io) => {
  const ledger = program.command("ledger").description("the record of erasure requests: keep it, look at it, prove it");
  registerInit(ledger, io);
  registerErase(ledger, io);
  registerFollowUps(ledger, io);
  registerHeartbeat(ledger, io);
  registerShow(ledger, io);
  registerVerify(ledger, io);
};

function registerInit(ledger: Command, io: IoOf): void {
  ledger
    .command("init")
    .description("make an empty ledger and the key file that the configuration names")
    .addHelpText(
      "after",
      `
The key file (mode 0600; its folder must be there) holds the HMAC key of
identifiers and the signing keys. Keep a copy outside this machine and outside
the ledger's store: without it no request can be matched.

Examples:
  sanitize ledger init
  sanitize --config prod.yaml ledger init

Exit codes: 0 made, 2 configuration, 4 a ledger or a key file is there already
or cannot be made, 8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { initLedger } = await import("../../ledger/init.ts");
      const here = io(command);
      await withStore(here, async (store, settings) => {
        const keys = await initLedger(store, settings.ledger.keyFile, { now: new Date() });
        const made = { ledger_id: keys.ledgerId, url: store.url, key_file: settings.ledger.keyFile };
        here.print(
          here.options.json
            ? JSON.stringify(made)
            : `made ledger ${keys.ledgerId} in ${store.url}\nkeys in ${made.key_file}: copy them to a safe place`,
        );
      });
    });
}

function registerShow(ledger: Command, io: IoOf): void {
  ledger
    .command("show")
    .description("list the requests and their state now; the ledger holds no identifiers to show")
    .addHelpText(
      "after",
      `
Examples:
  sanitize ledger show
  sanitize ledger show --json

Exit codes: 0 listed, 4 ledger refused (staleness does not matter here),
8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const here = io(command);
      await withKeys(here, async (store, keys) => await show(here, store, keys));
    });
}

async function show(io: CommandIo, store: ObjectStore, keys: KeySet): Promise<void> {
  const { verifyLedger } = await import("../../ledger/verify.ts");
  const { scopeState } = await import("../../ledger/requests.ts");
  const now = new Date();
  const ledger = await verifyLedger(store, keys, { now, maxStalenessMs: Number.POSITIVE_INFINITY, signal: io.signal });
  const requests = ledger.requests.map((request) => ({
    request_id: request.requestId,
    seq: request.seq,
    controller: request.controller,
    requested_at: request.requestedAt.toISOString(),
    cutoff_at: request.cutoffAt.toISOString(),
    keys: countByType(request.keys.map(({ type }) => type)),
    scopes: request.scopes.map((scope) => ({ ...scope, state: scopeState(scope, now) })),
    recipients: [...(request.recipients ?? [])].map(([provider, released_at]) => ({ provider, released_at })),
  }));
  if (io.options.json) {
    io.print(
      JSON.stringify(
        { ledger_id: ledger.ledgerId, size: ledger.size, head: ledger.head, root: ledger.root, requests },
        null,
        2,
      ),
    );
    return;
  }
  io.note(`ledger ${ledger.ledgerId}: ${counted(ledger.size, "record")}`);
  io.note(`last sign of life ${ledger.freshAt.toISOString()}`);
  for (const request of requests) io.print(requestText(request));
}

interface ShownRequest {
  readonly request_id: string;
  readonly requested_at: string;
  readonly keys: Readonly<Record<string, number>>;
  readonly scopes: readonly {
    readonly scope: string;
    readonly action: string;
    readonly state: string;
    readonly effective_at: string;
  }[];
  readonly recipients: readonly { readonly provider: string; readonly released_at: string | null }[];
}

/** A request in lines that fit a terminal. */
function requestText({ request_id, requested_at, keys, scopes, recipients }: ShownRequest): string {
  const counts = Object.entries(keys).map(([type, count]) => `${count} ${type}`);
  const rows = [
    ...scopes.map(({ scope, action, state, effective_at }) => [
      `  ${scope}`,
      action,
      state === "pending" ? `pending until ${effective_at}` : state,
    ]),
    ...recipients.map(({ provider, released_at }) => [
      `  ${provider}`,
      "recipient",
      released_at === null ? "has not let go" : `let go ${released_at}`,
    ]),
  ];
  const [first = [], ...others] = rows;
  return [`${request_id}  ${requested_at}`, `  ${counts.join(", ")}`, alignedTable(first, others, 3)].join("\n");
}

function countByType(types: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const type of types) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

function registerVerify(ledger: Command, io: IoOf): void {
  ledger
    .command("verify")
    .description("prove the ledger whole, unforked, signed and current")
    .addHelpText(
      "after",
      `
Examples:
  sanitize ledger verify
  sanitize ledger verify --json

Exit codes: 0 proven, 4 broken, forked, truncated, wrongly signed or stale,
8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { verifyLedger } = await import("../../ledger/verify.ts");
      const here = io(command);
      await withKeys(here, async (store, keys, settings) => {
        const options = { now: new Date(), maxStalenessMs: settings.ledger.maxStaleness, signal: here.signal };
        const { ledgerId, size, head, root, freshAt, requests } = await verifyLedger(store, keys, options);
        const proven = {
          ledger_id: ledgerId,
          size,
          head,
          root,
          fresh_at: freshAt.toISOString(),
          requests: requests.length,
        };
        here.print(
          here.options.json
            ? JSON.stringify(proven)
            : `ledger ${ledgerId} is sound: ${counted(size, "record")}, ${counted(requests.length, "request")}, head ${head.slice(0, 16)}`,
        );
      });
    });
}
