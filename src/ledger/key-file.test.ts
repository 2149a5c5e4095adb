import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKeyFile, generateKeySet, loadKeyFile } from "./key-file.ts";
import { macOf } from "./mac.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-keys-"));
  path = join(folder, "ledger.key");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function refusal(code: string): unknown {
  return expect.objectContaining({ name: "LedgerRefused", code });
}

/** Writes the key file with a part of its content replaced. */
async function altered(change: (content: Record<string, unknown>) => unknown): Promise<void> {
  await createKeyFile(path, generateKeySet());
  const content = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(change(content)));
}

describe("a key file", () => {
  test("comes back as it was made", async () => {
    const made = generateKeySet();
    await createKeyFile(path, made);
    const loaded = await loadKeyFile(path);
    expect(loaded.ledgerId).toBe(made.ledgerId);
    expect(loaded.currentEpoch).toBe(1);
    expect(loaded.epochs()).toEqual([1]);
    expect(loaded.checkpoint.kid).toBe(made.checkpoint.kid);
    expect(loaded.evidence?.kid).toBe(made.evidence?.kid);
    expect(loaded.checkpoint.privateKey).not.toBeNull();
    const mac = (keys: typeof made) => macOf(keys.epochKey(1), "email", "*", "jan@voorbeeld.nl").toString("hex");
    expect(mac(loaded)).toBe(mac(made));
    expect(loaded.tagKey(1, "email")).toEqual(made.tagKey(1, "email"));
  });

  test.skipIf(process.platform === "win32")("is made for its owner alone, whatever the umask", async () => {
    const before = process.umask(0);
    try {
      await createKeyFile(path, generateKeySet());
    } finally {
      process.umask(before);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("is never overwritten", async () => {
    await createKeyFile(path, generateKeySet());
    const before = await readFile(path, "utf8");
    await expect(createKeyFile(path, generateKeySet())).rejects.toThrowError(refusal("ledger_key_exists"));
    expect(await readFile(path, "utf8")).toBe(before);
  });

  test.skipIf(process.platform === "win32").each([0o640, 0o604, 0o660, 0o622])(
    "of mode %o is refused",
    async (mode) => {
      await createKeyFile(path, generateKeySet());
      await chmod(path, mode);
      await expect(loadKeyFile(path)).rejects.toThrowError(refusal("ledger_key_mode"));
      await expect(loadKeyFile(path)).rejects.toThrowError(expect.objectContaining({ hint: `run: chmod 600 ${path}` }));
    },
  );

  test("that is not there is refused", async () => {
    await expect(loadKeyFile(path)).rejects.toThrowError(refusal("ledger_key_missing"));
    await expect(createKeyFile(join(folder, "none", "ledger.key"), generateKeySet())).rejects.toThrowError(
      refusal("ledger_key_missing"),
    );
  });

  test("may lack the private keys and HMAC keys, for readers that only verify", async () => {
    await altered((content) => {
      const { private: _secret, ...checkpoint } = content.checkpoint as Record<string, string>;
      const { evidence: _evidence, ...rest } = content;
      return { ...rest, checkpoint, hmac: {} };
    });
    const keys = await loadKeyFile(path);
    expect(keys.checkpoint.privateKey).toBeNull();
    expect(keys.evidence).toBeNull();
    expect(() => keys.ledgerPrivateKey()).toThrowError(refusal("ledger_key"));
    expect(() => keys.epochKey(1)).toThrowError(refusal("ledger_key"));
  });

  test("knows earlier checkpoint keys", async () => {
    const earlier = generateKeySet();
    const { publicKey, kid } = earlier.checkpoint;
    await altered((content) => ({
      ...content,
      trusted_checkpoint_keys: [{ kid, public: publicKey.export({ type: "spki", format: "pem" }) }],
    }));
    const keys = await loadKeyFile(path);
    expect(keys.ledgerPublicKey(kid, "a record").equals(publicKey)).toBe(true);
    expect(() => keys.ledgerPublicKey("0".repeat(16), "a record")).toThrowError(refusal("ledger_key"));
  });

  const other = generateKeySet();
  const otherPem = other.checkpoint.privateKey!.export({ type: "pkcs8", format: "pem" }).toString();
  test.each<[string, (content: Record<string, unknown>) => unknown]>([
    ["a list", () => []],
    ["another version", (content) => ({ ...content, v: 2 })],
    ["no ledger_id", ({ ledger_id: _id, ...rest }) => rest],
    ["a member too many", (content) => ({ ...content, password: "geheim" })],
    ["a short HMAC key", (content) => ({ ...content, hmac: { 1: "c2VjcmV0" } })],
    ["an epoch that is no number", (content) => ({ ...content, hmac: { one: Buffer.alloc(32).toString("base64") } })],
    ["epoch zero", (content) => ({ ...content, current_epoch: 0 })],
    ["no checkpoint key", ({ checkpoint: _key, ...rest }) => rest],
    ["a key that is no PEM", (content) => ({ ...content, checkpoint: { kid: "0", public: "geheim" } })],
    [
      "a key ID of another key",
      (content) => ({ ...content, checkpoint: { ...(content.checkpoint as object), kid: other.checkpoint.kid } }),
    ],
    [
      "the private key of another pair",
      (content) => ({ ...content, checkpoint: { ...(content.checkpoint as object), private: otherPem } }),
    ],
  ])("with %s is refused, and nothing of it is quoted", async (_name, change) => {
    await altered(change);
    const text = await readFile(path, "utf8");
    const error = await loadKeyFile(path).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toEqual(refusal("ledger_key_damaged"));
    const shown = inspect(error, { depth: 10, showHidden: true });
    for (const secret of text.match(/[A-Za-z0-9+/]{24,}={0,2}|geheim|password/g) ?? []) {
      expect(shown).not.toContain(secret);
    }
  });

  test("that is no JSON is refused, and nothing of it is quoted", async () => {
    await writeFile(path, '{"v": 1, "hmac": {"1": geheim', { mode: 0o600 });
    const error: unknown = await loadKeyFile(path).catch((thrown: unknown) => thrown);
    expect(error).toEqual(refusal("ledger_key_damaged"));
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("geheim");
  });
});

test("a key set shows no secret when it is printed or serialised", () => {
  const keys = generateKeySet();
  const tagKey = keys.tagKey(1, "email");
  const shown = inspect(keys, { depth: 10, showHidden: true }) + JSON.stringify(keys);
  for (const secret of [keys.epochKey(1).export(), tagKey]) {
    expect(shown).not.toContain(secret.toString("base64"));
    expect(shown).not.toContain(secret.toString("hex"));
    expect(shown).not.toContain([...secret.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(" "));
  }
  expect(shown).not.toContain("PRIVATE KEY");
});
