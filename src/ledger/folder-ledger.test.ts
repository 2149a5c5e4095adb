import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openFolder } from "../storage/folder.ts";
import { describeLedgerOn } from "./ledger.contract.ts";

const root = mkdtemp(join(tmpdir(), "sanitize-folder-ledger-"));

afterAll(async () => {
  await rm(await root, { recursive: true });
});

describeLedgerOn("a folder", { open: async (name) => openFolder(join(await root, name)) }, 100);
