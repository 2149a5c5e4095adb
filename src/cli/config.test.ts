import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConfigOverrides, readConfig } from "./config.ts";

const rest = "ledger: { url: ledger, key_file: ledger.key }\npolicy: policy.yaml\n";

describe("the configuration", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sanitize-config-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const read = async (text: string, overrides: ConfigOverrides = {}) => {
    await writeFile(join(folder, "sanitize.yaml"), text + rest);
    return await readConfig(join(folder, "sanitize.yaml"), {}, overrides);
  };

  it("names the database of a pg_dumpall script, keys of encrypted backups, and how far content may expand", async () => {
    const text =
      "source: { url: b, database: shop, age_identity_file: keys/age, age_passphrase_file: /run/pass }\n" +
      "limits: { max_expansion: 50.5 }\n";
    const { source, limits } = await read(text);
    expect(source).toMatchObject({
      database: "shop",
      ageIdentityFile: join(folder, "keys/age"),
      agePassphraseFile: "/run/pass",
    });
    expect(limits).toMatchObject({ maxExpansion: 50.5, jobs: 4 });
    expect((await read(text, { database: "other" })).source.database).toBe("other");
  });

  it("without them says nothing of them", async () => {
    const { source, limits } = await read("source: { url: b }\n");
    expect(Object.keys(source).sort()).toEqual(["location", "region", "timezone"]);
    expect(limits).not.toHaveProperty("maxExpansion");
  });

  it.each([1, 0, -5, ".nan", "lots"])("an expansion of %s is refused, with its place", async (value) => {
    const refused = read(`source: { url: b }\nlimits: { max_expansion: ${value} }\n`);
    await expect(refused).rejects.toMatchObject({ code: "config_invalid", message: expect.stringMatching(/2:\d+/) });
  });
});
