/** Runs the commands that people wrap dumps with: what they write is what must be read. */

import { execFileSync, spawnSync } from "node:child_process";

/** Whether every one of these commands is there. */
export function haveCommands(...names: readonly string[]): boolean {
  return names.every((name) => spawnSync(name, ["--version"]).error === undefined);
}

/** What `name` writes when it is given `input`. */
export function filtered(input: Buffer, name: string, ...args: readonly string[]): Buffer {
  return execFileSync(name, args, { input, maxBuffer: 256 * 1024 * 1024, stdio: ["pipe", "pipe", "pipe"] });
}

/** A key pair of age-keygen's. */
export async function ageKeys(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}
