import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { openStore } from "../storage/open-store.ts";
import { decryptionKeys } from "./decryption-keys.ts";
import { openPlace } from "./open-place.ts";
import type { Settings, SourceSettings } from "./settings.ts";

const identity = `AGE-SECRET-KEY-1${"Q".repeat(58)}`;
const source: SourceSettings = { location: { url: "b", baseDirectory: "/" }, region: null, timezone: null };

describe("keys of encrypted backups", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sanitize-age-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const file = async (text: string, mode = 0o600): Promise<string> => {
    const path = join(folder, `${Math.random()}`);
    await writeFile(path, text);
    await chmod(path, mode);
    return path;
  };

  it("there are none where none are named", async () => {
    expect(await decryptionKeys(source)).toEqual({ identities: [], passphrase: null });
  });

  it("identities stand a line each, between comments; a passphrase is the one line of its file", async () => {
    const ageIdentityFile = await file(
      `# created: today\r\n# public key: age1…\r\n${identity}\r\n\r\n  ${identity}  \n`,
    );
    expect(await decryptionKeys({ ...source, ageIdentityFile })).toEqual({
      identities: [identity, identity],
      passphrase: null,
    });
    const agePassphraseFile = await file(" correct horse \n");
    expect((await decryptionKeys({ ...source, agePassphraseFile })).passphrase).toBe(" correct horse ");
  });

  it("a backup that is encrypted is opened with what the settings name, and refused without", async () => {
    const fixtures = fileURLToPath(new URL("../../fixtures/archives/", import.meta.url));
    const key = await generateX25519Identity();
    const encrypter = new Encrypter();
    encrypter.addRecipient(await identityToRecipient(key));
    await writeFile(join(folder, "a.dump"), await encrypter.encrypt(await readFile(join(fixtures, "pg15-gzip.dump"))));
    const store = await openStore({ url: folder, baseDirectory: folder });
    const place = { store, key: "a.dump", kind: "object" } as const;
    const { signal } = new AbortController();
    const open = (from: SourceSettings) =>
      openPlace(place, { source: from, limits: { maxBackupAge: 1, jobs: 1 } } as Settings, signal);
    const { archive } = await open({ ...source, ageIdentityFile: await file(`${key}\n`) });
    expect(archive.wrapping).toEqual(["age"]);
    await expect(open(source)).rejects.toMatchObject({ exitCode: 2 });
    const unreadable = open({ ...source, ageIdentityFile: await file(`${key}\n`, 0o644) });
    await expect(unreadable).rejects.toMatchObject({ code: "age_key_mode" });
  });

  it.each([
    ["a file that others may read", `${identity}\n`, 0o640, "age_key_mode"],
    ["a file without an identity", "# nothing\n", 0o600, "age_key_damaged"],
    ["a public key", `age1${"q".repeat(58)}\n`, 0o600, "age_key_damaged"],
    ["a large file", "x".repeat(100_000), 0o600, "age_key_damaged"],
  ])("%s is refused, without its content", async (_what, text, mode, code) => {
    const ageIdentityFile = await file(text, mode);
    const error = await decryptionKeys({ ...source, ageIdentityFile }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain(text.slice(0, 20));
  });

  it("an empty passphrase, several lines, and a file that is not there are refused", async () => {
    for (const text of ["", "\n", "two\nlines\n"]) {
      const agePassphraseFile = await file(text);
      await expect(decryptionKeys({ ...source, agePassphraseFile })).rejects.toMatchObject({ code: "age_key_damaged" });
    }
    const missing = decryptionKeys({ ...source, agePassphraseFile: join(folder, "none") });
    await expect(missing).rejects.toMatchObject({ code: "age_key_unreadable", exitCode: 2 });
  });
});
