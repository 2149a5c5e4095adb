/** The ledger's commands that record something. */
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import type { CommandIo } from "../io.ts";
import type { IoOf } from "../register.ts";
import { withKeys } from "./ledger-store.ts";

export function registerErase(ledger: Command, io: IoOf): void {
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

export function registerFollowUps(ledger: Command, io: IoOf): void {
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

export function registerHeartbeat(ledger: Command, io: IoOf): void {
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
