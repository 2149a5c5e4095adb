/**
 * The header of an age file (age-encryption.org/v1): for whom it is encrypted, and the file key that opens it. Parsing and
 * unwrapping is the age-encryption package's; here is what it is given and how its refusals read.
 *
 * Invariant: no message holds a key, a passphrase or a recipient.
 */

import { type ArchiveDamaged, UsageError } from "../../errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import { damagedAt, truncatedAt, unsupported } from "../damage.ts";
import type { DecryptionKeys } from "../model.ts";

/** A hundred bytes for each recipient: more than anybody has. */
export const LONGEST_HEADER_BYTES = 1024 * 1024;
/** scrypt with 2^20 takes 1 GiB and seconds; the age command writes 2^18. */
const MOST_SCRYPT_WORK = 20;
const READABLE = ["X25519", "scrypt"] as const;

/** Takes the header from where `reader` stands, its MAC included. @throws ArchiveDamaged */
export async function readAgeHeader(reader: ByteReader): Promise<Buffer> {
  const start = reader.offset;
  for (;;) {
    const { window } = reader;
    const mac = window.indexOf("\n--- ");
    const end = mac < 0 ? -1 : window.indexOf(0x0a, mac + 1);
    if (end >= 0) {
      const header = Buffer.from(window.subarray(0, end + 1));
      reader.consume(end + 1);
      return header;
    }
    if (window.length >= LONGEST_HEADER_BYTES) {
      throw damagedAt("bad_header", "endless age header", start);
    }
    if (!(await reader.fill(window.length + 1))) {
      throw truncatedAt("its age header", start + reader.window.length);
    }
  }
}

/**
 * The key of the file's payload. `keys` is asked once what is needed is known.
 * @throws UsageError with code `encrypted` where no key at hand opens it; ArchiveDamaged.
 */
export async function fileKeyOf(
  header: Buffer,
  keys: (() => Promise<DecryptionKeys>) | undefined,
): Promise<Uint8Array> {
  const kind = kindOf(header);
  const { identities, passphrase } = keys === undefined ? { identities: [], passphrase: null } : await keys();
  if (kind === "scrypt" ? passphrase === null : identities.length === 0) {
    throw encrypted(`the backup is encrypted with age${kind === "scrypt" ? " and a passphrase" : ""}`, kind);
  }
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  if (kind === "scrypt") {
    decrypter.addPassphrase(passphrase ?? "");
  } else {
    for (const [index, identity] of identities.entries()) {
      addIdentity(decrypter, identity, index + 1);
    }
  }
  try {
    return await decrypter.decryptHeader(header);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("no identity matched")) {
      throw encrypted(`the ${kind === "scrypt" ? "passphrase does not open" : "age identities do not open"} it`, kind);
    }
    throw damagedAt("bad_header", "age header that cannot be read", 0, error);
  }
}

/** Which kind of key opens the file. @throws ArchiveDamaged, or UsageError naming kinds that nothing here opens. */
function kindOf(header: Buffer): (typeof READABLE)[number] {
  const stanzas = [...header.toString("latin1").matchAll(/^-> (\S+)(.*)$/gm)];
  const kinds = new Set(stanzas.map((match) => match[1] ?? ""));
  if (kinds.has("scrypt")) {
    const work = Number(stanzas[0]?.[2]?.split(" ").at(-1));
    if (work > MOST_SCRYPT_WORK) {
      throw unsupported(
        "unsupported_encryption",
        `age asks for scrypt's work factor ${work}, more than ${MOST_SCRYPT_WORK}`,
        "encrypt the backup again with the age command's own work factor",
      );
    }
    return "scrypt";
  }
  if (kinds.has("X25519")) {
    return "X25519";
  }
  const others = [...kinds].filter((kind) => /^[\w./-]{1,60}$/.test(kind) && !kind.endsWith("-grease"));
  throw new UsageError(`the backup is encrypted for age recipients of a kind not read here: ${others.join(", ")}`, {
    code: "encrypted",
    hint: "encrypt backups for a recipient that begins with age1 and is made by age-keygen (X25519)",
  });
}

function addIdentity(decrypter: { addIdentity(identity: string): void }, identity: string, number: number): void {
  try {
    if (!identity.startsWith("AGE-SECRET-KEY-1")) {
      throw new RangeError("another kind of identity");
    }
    decrypter.addIdentity(identity);
  } catch {
    // The cause is left out: it might quote the key.
    throw new UsageError(`age identity number ${number} is not one that age-keygen makes`, {
      code: "bad_age_identity",
      hint: "source.age_identity_file holds lines that begin with AGE-SECRET-KEY-1",
    });
  }
}

function encrypted(fact: string, kind: "X25519" | "scrypt"): UsageError | ArchiveDamaged {
  return new UsageError(`no key for the backup: ${fact}`, {
    code: "encrypted",
    hint:
      kind === "scrypt"
        ? "set source.age_passphrase_file to the file with its passphrase"
        : "set source.age_identity_file to the file with its identity (or age_passphrase_file for a passphrase)",
  });
}
