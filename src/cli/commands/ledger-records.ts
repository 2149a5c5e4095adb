/** The ledger's commands that record something. */
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { PolicyRefused, UsageError } from "../../errors.ts";
import type { CommandIo } from "../io.ts";
import type { IoOf } from "../register.ts";
import { withKeys } from "./ledger-store.ts";

/** Kinds of identifier that requests may name; without a policy, the built-in ones. */
async function kindsOf(policyFile: string): Promise<ReadonlySet<string>> {
  const { knownKinds } = await import("../../operations/matchable.ts");
  const { readPolicy } = await import("../../operations/prepare.ts");
  try {
    return knownKinds(await readPolicy(policyFile));
  } catch (error) {
    // a ledger may be older than the policy that goes with it
    if (error instanceof PolicyRefused) return new Set(["account_id", "email", "phone"]);
    throw error;
  }
}

/** Passes lines on unless they name a kind that nothing would ever match; what is no JSON is the ledger's to refuse. */
async function* checkedKinds(lines: AsyncIterable<string>, known: ReadonlySet<string>): AsyncGenerator<string> {
  let number = 0;
  let some = false;
  for await (const line of lines) {
    number++;
    some ||= line.trim() !== "";
    const unknown = kindsIn(line).find((kind) => !known.has(kind));
    if (unknown !== undefined) {
      throw new UsageError(`line ${number} names a kind of identifier that is neither built in nor in the policy`, {
        code: "erase_input",
        hint: `the kinds are ${[...known].join(", ")}; nothing was recorded`,
      });
    }
    yield line;
  }
  if (!some) {
    throw new UsageError("there is no request on standard input", {
      code: "erase_input",
      hint: "one JSON object a line",
    });
  }
}

function kindsIn(line: string): string[] {
  try {
    const value = JSON.parse(line) as { keys?: unknown } | null;
    return typeof value?.keys === "object" && value.keys !== null ? Object.keys(value.keys) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

export function registerErase(ledger: Command, io: IoOf): void {
  ledger
    .command("erase")
    .description("record erasure requests, read as JSON lines from standard input")
    .addHelpText(
      "after",
      `
One JSON object a line (here on several to be read); all but keys may be left
out. Identifiers are stored as keyed hashes only.
  {"request_id": "<uuid>", "requested_at": "2026-11-20T09:00:00Z",
   "cutoff_at": null, "controller": "*",
   "keys": {"account_id": ["901"], "email": ["jan@voorbeeld.nl"],
            "phone": ["0612345678"]},
   "scopes": {"reviews": "delete"}, "recipients": ["provider-17"]}

Unless "scopes" says otherwise, a request means: identity and uploads are
deleted and reviews anonymised at once, provider_contact is deleted after thirty
days. An action is delete, anonymise or retain.

Examples:
  sanitize ledger erase < requests.jsonl
  application-export | sanitize ledger erase

Exit codes: 0 recorded (one JSON line each on stdout), 2 a line is not sound,
4 ledger refused, 8 network.`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { appendEraseLines } = await import("../../ledger/erase.ts");
      const here = io(command);
      if (here.stdin.isTTY) here.note("reading requests from the terminal, one JSON object a line; end with Ctrl-D");
      await withKeys(here, async (store, keys, settings) => {
        // first the kinds: lines that come before somebody iterates over them are lost
        const known = await kindsOf(settings.policyFile);
        const lines = checkedKinds(createInterface({ input: here.stdin, crlfDelay: Number.POSITIVE_INFINITY }), known);
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
  sanitize ledger ${name} < request.json
  application-export | sanitize ledger ${name}

The object, for example:
  ${example}

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
