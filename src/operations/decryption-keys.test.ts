import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { decryptionKeys } from "./decryption-keys.ts";
import type { SourceSettings } from "./settings.ts";

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
