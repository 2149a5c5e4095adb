/** Replacing that fails half way: the copy goes only while the original is seen in its place. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SourceFailed } from "../../errors.ts";
import type { ObjectInfo, ObjectStore } from "../../storage/contract.ts";
import { openFolder } from "../../storage/folder.ts";
import { once } from "../../storage/testing/bodies.ts";
import type { RunContext } from "../settings.ts";
import { ScrubPlace } from "./scrub-place.ts";
import { besideOriginal, putInPlace } from "./scrub-replace.ts";

const labels = { metadata: {}, tags: {} };
const lost = new SourceFailed("the connection was lost", { code: "network" });
const run = { signal: new AbortController().signal, onEvent: () => undefined } as unknown as RunContext;
const beside = besideOriginal("a.dump", "20261124t031500_9f3a1c");
let folder = "";
let store: ObjectStore;
let original: ObjectInfo;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sanitize-replace-"));
  store = openFolder(folder);
  original = await store.upload("a.dump", once(Buffer.from("the original")));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Puts a copy beside the original and replaces it in a store whose `copy` is another; then cleans up as a failed run does. */
async function replaceWith(copy: ObjectStore["copy"]): Promise<unknown> {
  const failing = Object.create(store, {
    copy: { value: copy },
    head: { value: store.head.bind(store) },
  }) as ObjectStore;
  const place = new ScrubPlace(run, store, beside, labels);
  await place.upload(beside, once(Buffer.from("the copy")) as AsyncIterable<Buffer>);
  Object.defineProperty(place, "store", { value: failing });
  try {
    return await putInPlace(run, place, original, labels);
  } catch (error) {
    Object.defineProperty(place, "store", { value: store });
    await place.remove();
    return error;
  }
}

describe("a copy that shall take the original's place", () => {
  it("takes it", async () => {
    expect(await replaceWith(store.copy.bind(store))).toMatchObject({ key: "a.dump", size: 8 });
    expect(Buffer.from((await store.get("a.dump"))!.bytes).toString()).toBe("the copy");
  });

  it("goes when that fails and the original is as it was", async () => {
    expect(await replaceWith(() => Promise.reject(lost))).toBe(lost);
    expect(await store.head(beside)).toBeNull();
    expect(await store.head("a.dump")).toMatchObject({ etag: original.etag });
  });

  it("goes when the original was changed meanwhile", async () => {
    const error = await replaceWith(async (...request) => {
      await store.upload("a.dump", once(Buffer.from("a newer one")));
      return await store.copy(...request);
    });
    expect(error).toMatchObject({ code: "backup_changed" });
    expect(await store.head(beside)).toBeNull();
  });

  it.each([
    [
      "the original is gone",
      async () => {
        await store.delete("a.dump");
        throw lost;
      },
    ],
    [
      "what lies there is not all of it",
      async () => {
        const placed = await store.upload("a.dump", once(Buffer.from("the co")));
        return placed;
      },
    ],
    [
      "it is there, and what follows failed",
      async (...request: Parameters<ObjectStore["copy"]>) => {
        await store.copy(...request);
        throw lost;
      },
    ],
  ])("stays, and the error says where, when %s", async (_what, copy) => {
    const error = await replaceWith(copy);
    expect(error).toMatchObject({ code: "replace_unfinished", exitCode: 8 });
    expect((error as Error).message).toContain(beside);
    expect(await store.head(beside)).toMatchObject({ size: 8 });
  });
});
