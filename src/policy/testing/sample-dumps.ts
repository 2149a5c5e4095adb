/** Real dumps for tests: those of the repository, and the large public one beside it where that is present. */

import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Archive, ByteSource } from "../../archive/model.ts";
import { openArchive } from "../../archive/open-archive.ts";

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../fixtures/archives/${name}`, import.meta.url));

const PAGILA = ["pagila-pg15-gzip.dump", "pagila-pg18-zstd.dump"].map((name) =>
  fileURLToPath(new URL(`../../../../shared/samples/public/${name}`, import.meta.url)),
);
/** The public sample database's dumps; empty where the samples are not beside the repository. */
export const pagilaDumps: readonly string[] = PAGILA.filter((path) => existsSync(path));

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
