/** The key file on disk: made once, readable by its owner alone, refused otherwise. */
import { createSecretKey, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { LedgerRefused } from "../errors.ts";
import { EPOCH_KEY_BYTES, formatKeyFile, keyIdOf, parseKeyFile, type SigningKey } from "./key-file-text.ts";
import { KeySet } from "./key-set.ts";

/** A key file takes a few KB; anything much larger is something else. */
const MAX_KEY_FILE_BYTES = 1024 * 1024;

/** Permission bits that group and others must not have. */
const OTHERS = 0o077;

/** Makes the keys of a new ledger: a random ID, the first epoch, a checkpoint key and an evidence key. */
export function generateKeySet(): KeySet {
  return new KeySet({
    ledgerId: randomUUID(),
    hmac: new Map([[1, createSecretKey(randomBytes(EPOCH_KEY_BYTES))]]),
    currentEpoch: 1,
    checkpoint: generateSigningKey(),
    evidence: generateSigningKey(),
    trustedCheckpointKeys: new Map(),
  });
}

function generateSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return { kid: keyIdOf(publicKey), publicKey, privateKey };
}

/**
 * Writes a key set into a new file of mode 0600, durably.
 * @throws LedgerRefused `ledger_key_exists` when there is a file already, `ledger_key_missing` when its folder is not.
 */
export async function createKeyFile(path: string, keys: KeySet): Promise<void> {
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw cannotCreate(path, error);
  });
  try {
    await file.writeFile(formatKeyFile(keys.parts));
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dirname(path));
}

/**
 * Reads a key file.
 * @throws LedgerRefused `ledger_key_missing`, `ledger_key_mode` when others than its owner may use it,
 * `ledger_key_damaged` when it holds no key set.
 */
export async function loadKeyFile(path: string): Promise<KeySet> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw new LedgerRefused(`the key file ${path} cannot be read${codeOf(error)}`, {
      code: "ledger_key_missing",
      hint: "check ledger.key_file; a new ledger and its keys are made with: sanitize ledger init",
      cause: error,
    });
  });
  try {
    // Of the open file, not of the path: what is judged is what is read.
    const { mode, size } = await file.stat();
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      throw new LedgerRefused(`the key file ${path} may be used by others than its owner`, {
        code: "ledger_key_mode",
        hint: `run: chmod 600 ${path}`,
      });
    }
    if (size > MAX_KEY_FILE_BYTES) {
      throw new LedgerRefused(`${path} is not a key file of a ledger: it has ${size} bytes`, {
        code: "ledger_key_damaged",
        hint: "check ledger.key_file",
      });
    }
    return new KeySet(parseKeyFile(await file.readFile("utf8"), path));
  } finally {
    await file.close();
  }
}

function cannotCreate(path: string, error: unknown): LedgerRefused {
  return codeOf(error) === " (EEXIST)"
    ? new LedgerRefused(`there is a key file at ${path} already`, {
        code: "ledger_key_exists",
        hint: "a key file cannot be made again: keep it, or name another one for a new ledger",
      })
    : new LedgerRefused(`the key file ${path} cannot be made${codeOf(error)}`, {
        code: "ledger_key_missing",
        hint: "make its folder, and allow this user to write there",
        cause: error,
      });
}

/** The new name is durable only when its folder is. Folders cannot be synced on Windows. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") {
    return;
  }
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
}
