/**
 * The fuzzer's corpus, without chance: every file is read whole, cut at every byte, and, where a checksum covers it, changed in
 * every byte. Each time there is an error of ours or the very same content: never a silent short read.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type FuzzKeys, type Outcome, readEverything } from "../../scripts/fuzz/read-everything.ts";

const folder = fileURLToPath(new URL("../../fixtures/corpus/", import.meta.url));
const keys = JSON.parse(readFileSync(`${folder}keys.json`, "utf8")) as FuzzKeys;
const names = readdirSync(folder).filter((name) => name !== "keys.json" && name !== "README.md");
const bytesOf = (name: string): Buffer => readFileSync(folder + name);

/** Small enough to be cut at every byte. */
const cutEverywhere = names.filter((name) => bytesOf(name).length < 4096);
/** Their wrapping proves what it holds. */
const proven = ["plain.sql.zst", "directory.tar.gz", "custom-none.dump.lz4", "custom-gzip.dump.age"];

async function expectSameOrRefused(bytes: Buffer, whole: Outcome, what: string): Promise<void> {
  const outcome = await readEverything(bytes, keys);
  if (outcome.kind === "read") expect(outcome, what).toEqual(whole);
  else expect(outcome.code, what).toMatch(/^[a-z_]+$/);
}

describe("each file of the corpus", () => {
  it.each(names)("%s is read whole", async (name) => {
    expect(await readEverything(bytesOf(name), keys)).toMatchObject({ kind: "read" });
  });

  it("holds what the others of the same database hold", async () => {
    const digests = new Map<string, string[]>();
    for (const name of names.filter((one) => one !== "cluster.sql")) {
      const outcome = await readEverything(bytesOf(name), keys);
      const digest = outcome.kind === "read" ? outcome.digest : outcome.message;
      digests.set(digest, [...(digests.get(digest) ?? []), name]);
    }
    expect([...digests.values()]).toEqual([names.filter((name) => name !== "cluster.sql")]);
  });

  it.each(cutEverywhere)(
    "%s, cut at any byte, is refused or holds the same",
    async (name) => {
      const bytes = bytesOf(name);
      const whole = await readEverything(bytes, keys);
      for (let length = 0; length < bytes.length; length++) {
        await expectSameOrRefused(bytes.subarray(0, length), whole, `${name} cut to ${length} bytes`);
      }
    },
    120_000,
  );

  it.each(names.filter((name) => !cutEverywhere.includes(name)))(
    "%s, cut at any block, is refused or holds the same",
    async (name) => {
      const bytes = bytesOf(name);
      const whole = await readEverything(bytes, keys);
      for (let block = 512; block < bytes.length; block += 512) {
        for (const length of [block - 1, block, block + 1]) {
          await expectSameOrRefused(bytes.subarray(0, length), whole, `${name} cut to ${length} bytes`);
        }
      }
    },
  );

  it.each(proven)(
    "%s, changed in any byte, is refused or holds the same",
    async (name) => {
      const bytes = bytesOf(name);
      const whole = await readEverything(bytes, keys);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
        await expectSameOrRefused(changed, whole, `${name} with byte ${at} changed`);
      }
    },
    120_000,
  );
});
