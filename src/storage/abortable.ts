/** A body that an abort breaks off even while it waits for its source. */

import { Interrupted, throwIfAborted } from "../errors.ts";

/**
 * The pieces of `body`. Ending early, or an abort, ends the body as well, but does not wait for it: a source that hangs in
 * its own read would hang in its end.
 * @throws Interrupted when the signal aborts; the body's errors, as they are.
 */
export async function* abortable(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = body[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await orAborted(() => pieces.next(), signal);
      if (done === true) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!ended) {
      void Promise.resolve(pieces.return?.()).catch(() => undefined);
    }
  }
}

/** @throws Interrupted as soon as the signal aborts; what the step comes to after that is nobody's concern. */
async function orAborted<T>(step: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) {
    return step();
  }
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new Interrupted("interrupted", signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([step(), aborted]);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
