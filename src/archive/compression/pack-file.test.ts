/** The commands are the oracle. */

import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { joined, pieces, rowsText } from "../testing/sources.ts";
import { packFile } from "./pack-file.ts";
import { zstdImplementation } from "./zstd.ts";

const available = (command: string) => spawnSync(command, ["--version"]).status === 0;

describe.each([
  ["gzip", available("gzip")],
  ["lz4", available("lz4")],
  ["zstd", available("zstd") && zstdImplementation() === "native"],
] as const)("a file packed by %s", (by, ready) => {
  it.skipIf(!ready).each([0, 1, 400_000])("of %d bytes is unpacked by the command", async (length) => {
    const bytes = rowsText().subarray(0, length);
    const packed = await joined(packFile(by, pieces(bytes, 1000), undefined));
    const { stdout, status } = spawnSync(by, ["-d", "-c"], { input: packed, maxBuffer: 1 << 24 });
    expect(status).toBe(0);
    expect(stdout.equals(bytes)).toBe(true);
  });

  it.skipIf(!ready)("passes the input's failure on", async () => {
    async function* failing(): AsyncGenerator<Buffer> {
      yield rowsText();
      throw new RangeError("from the rows");
    }
    await expect(joined(packFile(by, failing(), undefined))).rejects.toThrow("from the rows");
  });
});

describe("a file packed by nothing", () => {
  it("is as it was", async () => {
    expect((await joined(packFile("none", pieces(Buffer.from("abc"), 1), undefined))).toString()).toBe("abc");
  });
});
