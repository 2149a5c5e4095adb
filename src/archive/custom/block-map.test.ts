/** Several readers of an archive without offsets, in the order that once led one of them astray. */

import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ByteSource } from "../model.ts";
import { openArchive } from "../open-archive.ts";
import { joined, memorySource, rowsText, smallArchive } from "../testing/sources.ts";
import { writeCustomArchive } from "./custom-writer.ts";

describe("an archive from a pipe, read by two at once", () => {
  it("is scanned rightly although the first block is read to its end while the scan begins", async () => {
    const rows = Buffer.concat([rowsText(), Buffer.from("\\.\n\n\n")]);
    const bytes = await joined(writeCustomArchive(smallArchive({ one: rows, two: rows }, { compression: "none" })));
    const memory = memorySource(bytes, 4096);
    let gate = Promise.resolve();
    const source: ByteSource = {
      size: bytes.length,
      async *read(start, end) {
        await gate;
        yield* memory.read(start, end);
      },
    };
    const archive = await openArchive(source);
    const [one, two] = archive.toc.filter((entry) => entry.hasData);
    const first = archive.tableData(one!)[Symbol.asyncIterator]();
    expect((await first.next()).done).toBe(false);
    let open = () => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const second = joined(archive.tableData(two!));
    await setImmediate();
    while ((await first.next()).done !== true);
    open();
    expect((await second).equals(rows)).toBe(true);
  });
});
