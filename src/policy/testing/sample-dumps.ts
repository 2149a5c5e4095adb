/** Real dumps for tests. */

import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Archive, ByteSource } from "../../archive/model.ts";
import { openArchive } from "../../archive/open-archive.ts";

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../fixtures/archives/${name}`, import.meta.url));

/** The public sample database's dumps. */
export const pagilaDumps: readonly string[] = ["pagila-pg15-gzip.dump", "pagila-pg18-zstd.dump"].map(fixture);

export async function openDump(path: string): Promise<Archive> {
  const file = await open(path);
  try {
    const bytes = await file.readFile();
    const source: ByteSource = {
      size: bytes.length,
      async *read(start, end) {
        yield bytes.subarray(start, end);
      },
    };
    return await openArchive(source);
  } finally {
    await file.close();
  }
}
