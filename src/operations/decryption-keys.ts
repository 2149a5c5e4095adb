/** The keys of encrypted backups, from files that only their owner may use. Read when a backup turns out to need them. */
import { open } from "node:fs/promises";
import type { DecryptionKeys } from "../archive/model.ts";
import { UsageError } from "../errors.ts";
import type { SourceSettings } from "./settings.ts";

/** Permission bits that group and others must not have. */
const others = 0o077;
const maxBytes = 64 * 1024;
const identity = /^AGE-SECRET-KEY-1[0-9A-Z]{50,}$/;

/**
 * Reads what the source's settings name; nothing where they name nothing.
 * @throws UsageError `age_key_unreadable`, `age_key_mode` (others than the owner may use the file), `age_key_damaged`.
 */
export async function decryptionKeys(
  source: Pick<SourceSettings, "ageIdentityFile" | "agePassphraseFile">,
): Promise<DecryptionKeys> {
  const { ageIdentityFile, agePassphraseFile } = source;
  return {
    identities: ageIdentityFile === undefined ? [] : identitiesIn(await readSecret(ageIdentityFile), ageIdentityFile),
    passphrase:
      agePassphraseFile === undefined ? null : passphraseIn(await readSecret(agePassphraseFile), agePassphraseFile),
  };
}

/** Lines of `AGE-SECRET-KEY-1…`; empty lines and comments (`#`) are passed over. */
function identitiesIn(text: string, path: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
  const wrong = keys.findIndex((line) => !identity.test(line));
  if (keys.length > 0 && wrong < 0) return keys;
  throw damaged(path, keys.length === 0 ? "holds no identity" : "holds a line that is no identity");
}

function passphraseIn(text: string, path: string): string {
  const passphrase = text.replace(/\r?\n$/, "");
  if (passphrase !== "" && !passphrase.includes("\n")) return passphrase;
  throw damaged(path, "does not hold one line");
}

function damaged(path: string, fact: string): UsageError {
  return new UsageError(`the key file ${path} ${fact}`, {
    code: "age_key_damaged",
    hint: "an identity file holds what age-keygen wrote (AGE-SECRET-KEY-1…), a passphrase file one line",
  });
}

async function readSecret(path: string): Promise<string> {
  const unreadable = (cause: unknown): never => {
    throw new UsageError(`the key file ${path} cannot be read`, {
      code: "age_key_unreadable",
      hint: "check source.age_identity_file and source.age_passphrase_file",
      cause,
    });
  };
  const file = await open(path, "r").catch(unreadable);
  try {
    // of the open file, not of the path: what is judged is what is read
    const stats = await file.stat();
    if (process.platform !== "win32" && (stats.mode & others) !== 0) {
      throw new UsageError(`the key file ${path} may be used by others than its owner`, {
        code: "age_key_mode",
        hint: `run: chmod 600 ${path}`,
      });
    }
    if (!stats.isFile() || stats.size > maxBytes) throw damaged(path, "is no small file");
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
