/**
 * A process of its own that passes a table of huge rows through the filter, so that its peak of memory is that of the filter:
 * `long-row-process.ts <megabytes> <rows> <rule>`. Prints one line of JSON.
 */
import { sanitiseRows } from "../sanitise-rows.ts";
import { Tally } from "../tally.ts";
import { tinyArchive, tinyPlan } from "./tiny-dump.ts";

const [megabytes = "1", rows = "1", rule = ""] = process.argv.slice(2);
const chunkBytes = 64 * 1024;

/** Rows `id, e-mail, hex of a bytea, note`, in chunks made as they are asked for, like a decoder's. */
async function* copyText(): AsyncGenerator<Buffer> {
  for (let row = 1; row <= Number(rows); row++) {
    yield Buffer.from(`${900 + row}\tuser${900 + row}@example.org\t\\\\x`);
    for (let left = Number(megabytes) * 1024 * 1024; left > 0; left -= chunkBytes) yield Buffer.alloc(chunkBytes, "5a");
    yield Buffer.from("\tnote\n");
  }
  yield Buffer.from("\\.\n\n\n");
}

const table = { name: "files", columns: ["id bigint", "email text", "content bytea", "note text"], rows: [] };
const archive = await tinyArchive([table]);
const policy = `version: 1\ntables: { public.files: ${rule} }`;
const plan = await tinyPlan(archive, policy, [{ keys: { account_id: ["902"], email: ["user903@example.org"] } }]);
const tally = new Tally();
const before = process.memoryUsage.rss();
let bytes = 0;
for await (const piece of sanitiseRows(copyText(), plan.tables.get(200)!, plan, tally)) bytes += piece.length;
const { kept, anonymised, erased } = tally.table(200);
const peak = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ bytes, kept, anonymised, erased, before, peak })}\n`);
