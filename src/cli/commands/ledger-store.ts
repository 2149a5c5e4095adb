/** What the ledger's commands have in common: its store and its keys, opened and closed. */
import type { KeySet } from "../../ledger/key-set.ts";
import type { Settings } from "../../operations/settings.ts";
import type { ObjectStore } from "../../storage/contract.ts";
import { readConfig } from "../config.ts";
import type { CommandIo } from "../io.ts";

export async function withStore(
  io: CommandIo,
  work: (store: ObjectStore, settings: Settings) => Promise<void>,
): Promise<void> {
  const { openStore } = await import("../../storage/open-store.ts");
  const settings = await readConfig(io.options.config, io.environment);
  const store = await openStore(settings.ledger.location);
  try {
    await work(store, settings);
  } finally {
    store.close();
  }
}

export async function withKeys(
  io: CommandIo,
  work: (store: ObjectStore, keys: KeySet, settings: Settings) => Promise<void>,
): Promise<void> {
  const { loadKeyFile } = await import("../../ledger/key-file.ts");
  await withStore(
    io,
    async (store, settings) => await work(store, await loadKeyFile(settings.ledger.keyFile), settings),
  );
}
