/** Looks a few things up at a time and hands the answers on in order. */

/**
 * Calls `lookUp` for 0 to `count - 1`, at most `concurrency` calls under way, and yields the results in that order. The
 * first failure in order ends it; when the consumer stops early, nothing more is begun.
 */
export async function* mapInOrder<T>(
  count: number,
  concurrency: number,
  lookUp: (index: number) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  const underWay: Promise<Settled<T>>[] = [];
  let next = 0;
  for (let index = 0; index < count; index++) {
    while (next < count && underWay.length < concurrency) {
      underWay.push(settle(lookUp, next++));
    }
    const settled = await underWay.shift()!;
    if (!settled.ok) {
      throw settled.error;
    }
    yield settled.value;
  }
}

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** Never rejects: a failure waits for its turn, and none is left unhandled when the consumer has gone. */
async function settle<T>(lookUp: (index: number) => Promise<T>, index: number): Promise<Settled<T>> {
  try {
    return { ok: true, value: await lookUp(index) };
  } catch (error) {
    return { ok: false, error };
  }
}
