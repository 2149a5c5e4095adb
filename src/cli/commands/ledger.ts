import { createInterface } from "node:readline";
import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import type { KeySet } from "../../ledger/key-set.ts";
import type { Settings } from "../../operations/settings.ts";
import type { ObjectStore } from "../../storage/contract.ts";
import type { Register } from "../commands.ts";
import { readConfig } from "../config.ts";
import { alignedTable } from "../evidence-text.ts";
import type { CommandIo } from "../io.ts";

type IoOf = (command: Command) => CommandIo;

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
The key file (mode 0600) holds the HMAC key of identifiers and the signing keys. Keep a copy outside this machine and
outside the ledger's store: without it no tombstone can be matched.

Examples:
  sanitize ledger init
  sanitize --config prod.yaml ledger init

Exit codes: 0 made, 2 configuration, 4 a ledger or a key file is there already, 8 network.`,
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

function registerErase(ledger: Command, io: IoOf): void {
  ledger
    .command("erase")
    .description("record erasure requests, read as JSON lines from standard input")
    .addHelpText(
      "after",
      `
One JSON object a line; all but keys may be left out. Identifiers are stored as keyed hashes only.
  {"request_id": "<uuid>", "requested_at": "2026-11-20T09:00:00Z", "cutoff_at": null, "controller": "*",
   "keys": {"account_id": ["901"], "email": ["jan@voorbeeld.nl"], "phone": ["0612345678"]},
   "scopes": {"reviews": "delete"}, "recipients": ["provider-17"]}

Examples:
  echo '{"keys": {"email": ["jan@voorbeeld.nl"]}}' | sanitize ledger erase
  sanitize ledger erase < requests.jsonl

Exit codes: 0 recorded (one JSON line each on stdout), 2 a line is not sound, 4 ledger refused, 8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { appendEraseLines } = await import("../../ledger/erase.ts");
      const here = io(command);
      if (here.stdin.isTTY) here.note("reading requests from the terminal, one JSON object a line; end with Ctrl-D");
      await withKeys(here, async (store, keys) => {
        const lines = createInterface({ input: here.stdin, crlfDelay: Number.POSITIVE_INFINITY });
        for await (const receipt of appendEraseLines(store, keys, lines, new Date()))
          here.print(JSON.stringify(receipt));
      });
    });
}

function registerFollowUps(ledger: Command, io: IoOf): void {
  follow(
    ledger,
    io,
    "amend",
    "add keys, scopes or recipients to a request",
    '{"request_id": "<uuid>", "scopes": {"reviews": "delete"}}',
  );
  follow(
    ledger,
    io,
    "withdraw",
    "take back what of a request is still pending",
    '{"request_id": "<uuid>", "scopes": ["provider_contact"]}',
  );
  follow(
    ledger,
    io,
    "release",
    "note that a provider has let go of contact data",
    '{"request_id": "<uuid>", "provider": "provider-17"}',
  );
}

function follow(
  ledger: Command,
  io: IoOf,
  name: "amend" | "withdraw" | "release",
  description: string,
  example: string,
): void {
  ledger
    .command(name)
    .description(`${description}; one JSON object on standard input`)
    .addHelpText(
      "after",
      `
Examples:
  echo '${example}' | sanitize ledger ${name}
  sanitize ledger ${name} < request.json

Exit codes: 0 recorded, 2 the input is not sound, 4 ledger refused, 8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { appendAmend, appendRelease, appendWithdraw } = await import("../../ledger/follow-up.ts");
      const here = io(command);
      const input = await jsonFromStdin(here);
      await withKeys(here, async (store, keys) => {
        const now = new Date();
        const record =
          name === "amend"
            ? await appendAmend(store, keys, input as unknown as Parameters<typeof appendAmend>[2], now)
            : name === "withdraw"
              ? await appendWithdraw(store, keys, input as unknown as Parameters<typeof appendWithdraw>[2], now)
              : await appendRelease(store, keys, input as unknown as Parameters<typeof appendRelease>[2], now);
        here.print(
          JSON.stringify({
            request_id: input.request_id,
            recorded: record === null ? "already" : "new",
            ...(record ? { seq: record.seq } : {}),
          }),
        );
      });
    });
}

function registerHeartbeat(ledger: Command, io: IoOf): void {
  ledger
    .command("heartbeat")
    .description('record that the ledger is alive, so that "no requests" and "nobody writes" can be told apart')
    .addHelpText(
      "after",
      `
Run it from a timer, more often than ledger.max_staleness.

Examples:
  sanitize ledger heartbeat
  */5 * * * * sanitize --quiet --config /etc/sanitize.yaml ledger heartbeat

Exit codes: 0 recorded, 4 ledger refused, 8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { heartbeat } = await import("../../ledger/follow-up.ts");
      const here = io(command);
      await withKeys(here, async (store, keys) => {
        here.print(JSON.stringify(await heartbeat(store, keys, new Date())));
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

Exit codes: 0 listed, 4 ledger refused (staleness does not matter here), 8 network.`,
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
  io.note(`ledger ${ledger.ledgerId}: ${ledger.size} records, last sign of life ${ledger.freshAt.toISOString()}`);
  const rows = requests.map((request) => [
    request.request_id,
    request.requested_at,
    Object.entries(request.keys)
      .map(([type, count]) => `${count} ${type}`)
      .join(", "),
    request.scopes.map(({ scope, action, state }) => `${scope}: ${action} ${state}`).join(", "),
  ]);
  io.print(alignedTable(["request", "requested", "keys", "scopes"], rows, 4));
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

Exit codes: 0 proven, 4 broken, forked, truncated, wrongly signed or stale, 8 network.`,
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
            : `ledger ${ledgerId} is sound: ${size} records, ${requests.length} requests, head ${head.slice(0, 16)}`,
        );
      });
    });
}

async function withStore(
  io: CommandIo,
  work: (store: ObjectStore, settings: Settings) => Promise<void>,
): Promise<void> {
  const { openStore } = await import("../../storage/open-store.ts");
  const settings = await readConfig(io.options.config, io.environment);
  const store = await openStore(settings.ledger.location);
  try {
    await work(store, settings);
  } finally {
    store.close();
  }
}

async function withKeys(
  io: CommandIo,
  work: (store: ObjectStore, keys: KeySet, settings: Settings) => Promise<void>,
): Promise<void> {
  const { loadKeyFile } = await import("../../ledger/key-file.ts");
  await withStore(
    io,
    async (store, settings) => await work(store, await loadKeyFile(settings.ledger.keyFile), settings),
  );
}

async function jsonFromStdin(io: CommandIo): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(chunk as Buffer);
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    // the parser's message quotes the input
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UsageError("standard input is not one JSON object", {
    code: "erase_input",
    hint: "see the example in --help",
  });
}
