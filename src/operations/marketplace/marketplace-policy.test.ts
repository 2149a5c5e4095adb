import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ByteSource } from "../../archive/model.ts";
import { openArchive } from "../../archive/open-archive.ts";
import { parseCopyStatement } from "../../copy/statement.ts";
import { coverPolicy } from "../../policy/coverage.ts";
import { loadPolicy } from "../../policy/load.ts";
import { writeMarketplaceBackup } from "./marketplace-backup.ts";
import { marketplacePolicy } from "./marketplace-policy.ts";
import { marketplaceTableNames } from "./marketplace-tables.ts";

const path = join(tmpdir(), `sanitize-test-policy-${process.pid}.dump`);

beforeAll(() => writeMarketplaceBackup(path, { rows: 1_000, createdAt: new Date("2026-11-20T02:30:00Z") }));
afterAll(() => rm(path, { force: true }));

async function source(): Promise<ByteSource> {
  const file = await open(path);
  const { size } = await file.stat();
  await file.close();
  return {
    size,
    async *read(start, end = size) {
      const handle = await open(path);
      try {
        const bytes = Buffer.alloc(end - start);
        await handle.read(bytes, 0, bytes.length, start);
        yield bytes;
      } finally {
        await handle.close();
      }
    },
  };
}

test("the policy covers the backup, column for column and key for key", async () => {
  const archive = await openArchive(await source());
  const policy = await loadPolicy(marketplacePolicy, "policy.yaml");
  const coverage = await coverPolicy(policy, archive, { timezone: "UTC", parseCopy: parseCopyStatement });
  const covered = [...coverage.tables.values()].map(({ name }) => name.name).sort();
  expect(covered).toEqual([...marketplaceTableNames]);
  expect(coverage.foreignKeys).toHaveLength(15);
});

test("the archive is open to random access", async () => {
  const archive = await openArchive(await source());
  expect(archive.header).toMatchObject({ format: "custom", minor: 14, compression: "gzip", database: "marketplace" });
  expect(archive.header.createdAt).toMatchObject({ year: 2026, month: 11, day: 20, hour: 2, minute: 30 });
  expect(archive.randomAccess).toBe(true);
});
