/**
 * A program that starts an embedded server, says where, and then does as it is told: `stop` it, `leave` it (end without
 * stopping), or `wait` to be killed. Run in a process of its own, also as another user.
 */

import { startEmbedded } from "../embedded-postgres.ts";

const server = await startEmbedded();
process.stdout.write(`${JSON.stringify({ url: server.url, directory: server.directory })}\n`);
if (process.argv[2] === "stop") {
  await server.stop();
} else if (process.argv[2] === "wait") {
  setInterval(() => undefined, 60_000);
}
