/** Opens the store that a location names. Neither store touches disk or network before its first method is called. */

import type { ObjectStore } from "./contract.ts";
import { openFolder } from "./folder.ts";
import type { StoreLimits, StoreLocation } from "./location.ts";
import { parseStoreUrl } from "./url.ts";

export type { StoreLimits, StoreLocation } from "./location.ts";

const DEFAULT_LIMITS: StoreLimits = { idleTimeoutMs: 30_000, maxAttempts: 10, maxSockets: 64 };

/**
 * The caller closes the store.
 * @throws UsageError when the location cannot be understood or a file that it names cannot be read.
 */
export async function openStore(location: StoreLocation, limits: Partial<StoreLimits> = {}): Promise<ObjectStore> {
  const address = parseStoreUrl(location.url, location.baseDirectory);
  if (address.kind === "folder") {
    return openFolder(address.path);
  }
  // The SDK takes longer to load than the rest of the program: only those pay who use it.
  const { openS3 } = await import("./s3.ts");
  return openS3(location, address, { ...DEFAULT_LIMITS, ...limits });
}
