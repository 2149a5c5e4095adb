import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LateHead } from "../../storage/contract.ts";
import type { ByteSource, DecryptionKeys } from "../model.ts";
import { ageKeys, filtered, haveCommands } from "../testing/commands.ts";
import { joined, memorySource, pieces } from "../testing/sources.ts";
import { openAge } from "./age.ts";
import { CHUNK_BYTES, SEALED_CHUNK_BYTES } from "./age-stream.ts";
import { ageEncrypt } from "./age-write.ts";
import { releaseSource } from "./sequential-source.ts";

const cli = haveCommands("age", "age-keygen");
const folder = mkdtempSync(join(tmpdir(), "age-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

let identity = "";
let recipient = "";
let other: DecryptionKeys;
beforeAll(async () => {
  ({ identity, recipient } = await ageKeys());
  other = { identities: [(await ageKeys()).identity], passphrase: null };
  writeFileSync(join(folder, "key"), `${identity}\n`);
});

const content = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, at) => (at * 31) >>> 4));
const keys = async (): Promise<DecryptionKeys> => ({ identities: [identity], passphrase: null });
const open = (bytes: Buffer, options: { keys?: () => Promise<DecryptionKeys> } = { keys }): Promise<ByteSource> =>
  openAge(memorySource(bytes, 50_000), options);
const decrypted = async (bytes: Buffer): Promise<Buffer> => joined((await open(bytes)).read(0));

/** Encrypted by this project's writer; `head` bytes of it as a late head. */
async function written(plain: Buffer, head = 0, step = 10_007): Promise<Buffer> {
  const late: LateHead = { length: head, bytes: () => plain.subarray(0, head) };
  const to = { recipients: [recipient] };
  const made = await ageEncrypt(pieces(plain.subarray(head), step), to, head === 0 ? undefined : late);
  const body = await joined(made.body);
  const start = made.head?.bytes() ?? Buffer.alloc(0);
  expect(start.length).toBe(made.head?.length ?? 0);
  return Buffer.concat([start, body]);
}

/** Lengths around the edges of chunks. */
const LENGTHS = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_000];

describe("what the writer writes", () => {
  it.each(LENGTHS)("of %d bytes is what the reader reads", async (length) => {
    const plain = content(length);
    expect((await decrypted(await written(plain))).equals(plain)).toBe(true);
  });

  it.each([
    [1, 1],
    [100, 0],
    [100, CHUNK_BYTES - 100],
    [100, CHUNK_BYTES - 99],
    [CHUNK_BYTES, 0],
    [CHUNK_BYTES, 1],
    [CHUNK_BYTES + 1, 100],
    [CHUNK_BYTES + 1, 3 * CHUNK_BYTES],
    [2 * CHUNK_BYTES + 77, CHUNK_BYTES - 77],
  ])("may have a late head of %d bytes before %d more", async (head, rest) => {
    const plain = content(head + rest);
    for (const step of [rest + 1, 999]) {
      expect((await decrypted(await written(plain, head, step))).equals(plain), `pieces of ${step}`).toBe(true);
    }
  });

  it.skipIf(!cli).each(LENGTHS)("of %d bytes is what age reads (needs age)", async (length) => {
    const plain = content(length);
    for (const head of [0, Math.min(length, 70_000)]) {
      const got = filtered(await written(plain, head), "age", "--decrypt", "-i", join(folder, "key"));
      expect(got.equals(plain), `late head of ${head}`).toBe(true);
    }
  });

  it("opens with a passphrase, by the package's own decryption too", async () => {
    const { Decrypter } = await import("age-encryption");
    const { body } = await ageEncrypt(pieces(content(1000), 10), { recipients: [], passphrase: "correct horse" });
    const bytes = await joined(body);
    const decrypter = new Decrypter();
    decrypter.addPassphrase("correct horse");
    expect(Buffer.from(await decrypter.decrypt(bytes)).equals(content(1000))).toBe(true);
    const source = await open(bytes, { keys: async () => ({ identities: [identity], passphrase: "correct horse" }) });
    expect((await joined(source.read(0))).equals(content(1000))).toBe(true);
    await expect(open(bytes)).rejects.toThrow(
      expect.objectContaining({ code: "encrypted", hint: expect.stringContaining("age_passphrase_file") }) as Error,
    );
    const wrong = async () => ({ identities: [], passphrase: "wrong" });
    await expect(open(bytes, { keys: wrong })).rejects.toThrow(/passphrase does not open/);
  }, 60_000);

  it.each([
    ["none", []],
    ["a secret key", ["AGE-SECRET-KEY-1ABC"]],
    ["a misspelt one", [`age1${"q".repeat(58)}`]],
    ["an SSH key", ["ssh-ed25519 AAAA"]],
  ])("is refused for recipients: %s", async (_what, recipients) => {
    await expect(ageEncrypt(pieces(content(1), 1), { recipients })).rejects.toThrow(
      expect.objectContaining({ code: "bad_age_recipient", exitCode: 2 }) as Error,
    );
  });

  it("takes its input at its taker's pace and ends it with him", async () => {
    let given = 0;
    let ended = false;
    async function* input(): AsyncGenerator<Buffer, void, undefined> {
      try {
        for (;;) {
          given += 1000;
          yield content(1000);
        }
      } finally {
        ended = true;
      }
    }
    const made = await ageEncrypt(input(), { recipients: [recipient] }, { length: 10, bytes: () => content(10) });
    expect(given).toBeLessThan(2 * CHUNK_BYTES);
    for await (const _bytes of made.body) {
      break;
    }
    expect(given).toBeLessThan(3 * CHUNK_BYTES);
    expect(ended).toBe(true);
  });
});

describe.skipIf(!cli)("what age writes (needs age)", () => {
  const age = (plain: Buffer, ...args: string[]) => filtered(plain, "age", "-r", recipient, ...args);

  it.each(LENGTHS)("of %d bytes is read, binary and armored", async (length) => {
    const plain = content(length);
    expect((await decrypted(age(plain))).equals(plain)).toBe(true);
    const armored = await open(age(plain, "--armor"));
    expect([armored.size, armored.sequential]).toEqual([null, true]);
    expect((await joined(armored.read(0))).equals(plain)).toBe(true);
    const middle = Math.floor(length / 2);
    expect((await joined(armored.read(middle, length))).equals(plain.subarray(middle))).toBe(true);
    await releaseSource(armored);
  });

  it("for several recipients is opened by any of them", async () => {
    const key = execFileSync("age-keygen", { stdio: "pipe" }).toString();
    const second = /^AGE-SECRET-KEY-1\S+$/m.exec(key)?.[0] ?? "";
    const name = /age1\S+/.exec(key)?.[0] ?? "";
    const bytes = age(content(10), "-r", name);
    const source = await open(bytes, {
      keys: async () => ({ identities: [...other.identities, second], passphrase: null }),
    });
    expect((await joined(source.read(0))).equals(content(10))).toBe(true);
  });

  it("armored with CR LF and blank lines around it is read", async () => {
    const text = `\n\n${age(content(500), "--armor").toString().replaceAll("\n", "\r\n")}\r\n \n`;
    expect((await decrypted(Buffer.from(text))).equals(content(500))).toBe(true);
  });

  it("armored, cut at any byte or with a changed line, is damaged", async () => {
    const bytes = age(content(300), "--armor");
    for (let cut = 40; cut < bytes.length - 1; cut++) {
      await expect(decrypted(bytes.subarray(0, cut)), `cut at ${cut}`).rejects.toThrow(
        expect.objectContaining({ exitCode: 7 }) as Error,
      );
    }
    const changed = Buffer.from(bytes.toString().replace(/\n(.{10})/g, "\n$1 "));
    await expect(decrypted(changed)).rejects.toThrow(/age armor/);
    await expect(decrypted(Buffer.concat([bytes, Buffer.from("more\n")]))).rejects.toThrow(/age armor/);
  });

  it("for an SSH key is refused by the name of the kind", async () => {
    const bytes = filtered(
      content(5),
      "age",
      "-r",
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuig26joVnDnffStZlc3X5KzKSJ0czBb97LGWbb180y",
    );
    await expect(open(bytes)).rejects.toThrow(
      expect.objectContaining({
        code: "encrypted",
        message: expect.stringMatching(/kind not read here: ssh-ed25519$/),
      }) as Error,
    );
  });
});

describe("reading ranges", () => {
  it("gives exactly the bytes asked for, reading only the chunks they lie in", async () => {
    const plain = content(5 * CHUNK_BYTES + 100);
    const stored = memorySource(await written(plain));
    const source = await openAge(stored, { keys });
    expect(source.size).toBe(plain.length);
    expect(source.sequential).toBeUndefined();
    const edges = [
      0,
      1,
      CHUNK_BYTES - 1,
      CHUNK_BYTES,
      CHUNK_BYTES + 1,
      3 * CHUNK_BYTES,
      plain.length - 1,
      plain.length,
    ];
    for (const start of edges) {
      for (const end of edges.filter((edge) => edge >= start)) {
        stored.ranges.length = 0;
        expect((await joined(source.read(start, end))).equals(plain.subarray(start, end)), `${start}-${end}`).toBe(
          true,
        );
        const chunks = start === end ? 0 : Math.ceil(end / CHUNK_BYTES) - Math.floor(start / CHUNK_BYTES);
        expect(stored.ranges.length).toBe(start === end ? 0 : 1);
        const length = stored.ranges.reduce((sum, [from, to]) => sum + to - from, 0);
        expect(length).toBeLessThanOrEqual(chunks * SEALED_CHUNK_BYTES);
      }
    }
  });
});

describe("keys", () => {
  it("are asked for once, and missing or wrong ones are the user's to mend", async () => {
    const bytes = await written(content(10));
    const refusal = (message: RegExp) =>
      expect.objectContaining({
        code: "encrypted",
        exitCode: 2,
        message: expect.stringMatching(message),
        hint: expect.stringContaining("source.age_identity_file"),
      }) as Error;
    await expect(open(bytes, {})).rejects.toThrow(refusal(/encrypted with age$/));
    await expect(open(bytes, { keys: async () => ({ identities: [], passphrase: "x" }) })).rejects.toThrow(
      refusal(/age$/),
    );
    await expect(open(bytes, { keys: async () => other })).rejects.toThrow(refusal(/identities do not open it$/));
    let asked = 0;
    await open(bytes, {
      keys: () => {
        asked++;
        return keys();
      },
    });
    expect(asked).toBe(1);
  });

  it("that are none are refused without being quoted", async () => {
    const bytes = await written(content(10));
    for (const wrong of ["AGE-SECRET-KEY-1QQQQ", "AGE-SECRET-KEY-PQ-1QQQQ", "hunter2"]) {
      const refused = open(bytes, { keys: async () => ({ identities: [identity, wrong], passphrase: null }) });
      await expect(refused).rejects.toThrow(
        expect.objectContaining({ code: "bad_age_identity", message: expect.not.stringContaining(wrong) }) as Error,
      );
      await expect(refused).rejects.toThrow(/identity number 2/);
    }
  });
});

describe("damage", () => {
  it("by a cut at any byte of a small file, or around a chunk's edge of a large one, shows at the opening", async () => {
    const small = await written(content(40));
    for (let cut = 1; cut < small.length; cut++) {
      await expect(open(small.subarray(0, cut)), `cut at ${cut}`).rejects.toThrow(
        expect.objectContaining({ code: "truncated", message: expect.stringContaining(`at byte ${cut}`) }) as Error,
      );
    }
    const large = await written(content(3 * CHUNK_BYTES));
    const start = large.length - 3 * SEALED_CHUNK_BYTES;
    for (const chunks of [0, 1, 2]) {
      for (const more of [-1, 0, 1, 15, 16, 17]) {
        const cut = start + chunks * SEALED_CHUNK_BYTES + more;
        await expect(open(large.subarray(0, cut)), `cut at ${cut}`).rejects.toThrow(
          expect.objectContaining({ code: "truncated" }) as Error,
        );
      }
    }
  });

  it("of a chunk, of their order and of what stands behind the last one shows where it is met", async () => {
    const bytes = await written(content(3 * CHUNK_BYTES + 5));
    const start = bytes.length - 3 * SEALED_CHUNK_BYTES - 21;
    const changed = Buffer.from(bytes);
    changed[start + SEALED_CHUNK_BYTES + 7]! ^= 1;
    const source = await open(changed);
    expect((await joined(source.read(0, CHUNK_BYTES))).length).toBe(CHUNK_BYTES);
    await expect(joined(source.read(CHUNK_BYTES, CHUNK_BYTES + 1))).rejects.toThrow(
      expect.objectContaining({
        code: "bad_checksum",
        message: expect.stringContaining(`${start + SEALED_CHUNK_BYTES}`),
      }) as Error,
    );
    const chunk = (index: number) =>
      bytes.subarray(start + index * SEALED_CHUNK_BYTES, start + (index + 1) * SEALED_CHUNK_BYTES);
    const swapped = Buffer.concat([bytes.subarray(0, start), chunk(1), chunk(0), chunk(2), chunk(3)]);
    await expect(decrypted(swapped)).rejects.toThrow(/age chunk 0/);
    await expect(open(Buffer.concat([bytes, Buffer.from("more")]))).rejects.toThrow(/age payload/);
  });

  it("of the header shows", async () => {
    const bytes = await written(content(10));
    const mac = bytes.indexOf("\n--- ") + 5;
    bytes[mac] = bytes[mac] === 0x41 ? 0x42 : 0x41;
    await expect(open(bytes)).rejects.toThrow(expect.objectContaining({ code: "bad_header", exitCode: 7 }) as Error);
  });

  it("of a work factor that would take for ever is refused before it is tried", async () => {
    const header = `age-encryption.org/v1\n-> scrypt ${"A".repeat(22)} 30\n${"A".repeat(43)}\n--- ${"A".repeat(43)}\n`;
    const hostile = Buffer.concat([Buffer.from(header), Buffer.alloc(32)]);
    await expect(open(hostile, { keys: async () => ({ identities: [], passphrase: "x" }) })).rejects.toThrow(
      /work factor 30, more than 20/,
    );
  });

  it("of a header without end is given up after a MiB", async () => {
    const endless = Buffer.concat([Buffer.from("age-encryption.org/v1\n"), Buffer.alloc(3_000_000, "A")]);
    await expect(open(endless)).rejects.toThrow(/endless age header/);
  });
});
