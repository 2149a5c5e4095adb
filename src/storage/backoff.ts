/** Waiting between attempts: exponential, jittered so that many readers do not come back at once, and abortable. */

import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../errors.ts";

const FIRST_MS = 200;
const LONGEST_MS = 10_000;

/** Milliseconds to wait after the `failures`-th failure in a row (from 1): half of the step fixed, half random. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const step = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return step / 2 + (random() * step) / 2;
}

/** @throws Interrupted when the signal aborts meanwhile. */
export async function backOff(failures: number, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  try {
    await sleep(backoffMs(failures), undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}
