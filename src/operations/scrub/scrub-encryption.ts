/**
 * Encryption of a sanitised copy with age, such that it can be read back although only public keys are known: the copy is
 * encrypted for one more key, which is made for the run, never leaves memory and is forgotten with it.
 */
import type { DecryptionKeys } from "../../archive/model.ts";
import type { AgeRecipients } from "../../archive/wrapped/age-write.ts";
import { UsageError } from "../../errors.ts";
import { decryptionKeys } from "../decryption-keys.ts";
import type { ScrubFormat } from "./scrub-shape.ts";

export interface EncryptionChoice {
  /** `age1…`: who shall be able to read the copy. */
  readonly recipients: readonly string[];
  /** A file with a passphrase, instead of recipients; only its owner may use it. */
  readonly passphraseFile: string | null;
  /** Asked for: a copy in the clear of an encrypted backup. */
  readonly unencrypted: boolean;
}

export interface Encryption {
  readonly to: AgeRecipients;
  /** Open what was encrypted. */
  readonly keys: () => Promise<DecryptionKeys>;
}

/**
 * `null`: the copy is not encrypted. @throws UsageError for a directory, which age has no form for, and for a copy in the clear
 * of an encrypted backup that nobody asked for.
 */
export async function encryptionFor(
  choice: EncryptionChoice,
  format: ScrubFormat,
  wrapping: readonly string[],
): Promise<Encryption | null> {
  const { recipients, passphraseFile } = choice;
  if (recipients.length === 0 && passphraseFile === null) {
    if (!wrapping.includes("age") || choice.unencrypted) return null;
    throw new UsageError("the backup is encrypted, and its copy would not be", {
      code: "unencrypted_copy",
      hint: "name who may read the copy with --recipient age1…, or a passphrase with --passphrase-file; or say --unencrypted",
    });
  }
  if (format === "directory") {
    throw new UsageError("a directory cannot be encrypted as a whole", {
      code: "encrypted_directory",
      hint: "write the copy with --format custom",
    });
  }
  if (passphraseFile !== null) {
    const keys = await decryptionKeys({ agePassphraseFile: passphraseFile });
    return { to: { recipients, passphrase: keys.passphrase ?? "" }, keys: () => Promise.resolve(keys) };
  }
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  const keys = { identities: [identity], passphrase: null };
  return {
    to: { recipients: [...recipients, await identityToRecipient(identity)] },
    keys: () => Promise.resolve(keys),
  };
}
