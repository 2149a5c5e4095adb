/** Directories of backups in a bucket, read from the real server. */
import { expect, it } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { openStore } from "../storage/open-store.ts";
import { once } from "../storage/testing/bodies.ts";
import { TestBucket } from "../storage/testing/s3-bucket.ts";
import { directoryBackupContract } from "./directory-backups.contract.ts";
import { findBackup } from "./find-backup.ts";

const { s3 } = testServers();

if (s3 !== null) {
  directoryBackupContract("a bucket", async () => {
    const bucket = await TestBucket.create(s3);
    return { location: bucket.location(), remove: () => bucket.remove() };
  });
}

it.skipIf(s3 === null)("an s3:// URL names a directory, with or without its slash, or a file", async () => {
  const bucket = await TestBucket.create(s3!);
  const location = bucket.location();
  const store = await openStore(location);
  await store.upload("dir/toc.dat", once(Buffer.from("x")));
  await store.upload("dir.dump", once(Buffer.from("x")));
  const url = location.url;
  const looked: string[] = [];
  const find = async (backup: string): Promise<string[]> => {
    const { signal } = new AbortController();
    const source = { location: { ...location, url: "s3://another-bucket/" }, region: null, timezone: null };
    const found = await findBackup({ source, limits: { maxBackupAge: 1, jobs: 1 } }, backup, signal, {
      beforeLooking: async (opened) => {
        looked.push(opened.url);
        await Promise.resolve();
      },
    });
    found.store.close();
    return [found.store.url, found.key, found.kind];
  };
  expect(await find(`${url}dir/`)).toEqual([`${url}dir/`, "", "directory"]);
  expect(await find(`${url}dir`)).toEqual([url, "dir/", "directory"]);
  expect(await find(`${url}dir.dump`)).toEqual([url, "dir.dump", "object"]);
  // not there: opening it will say so
  expect(await find(`${url}latest`)).toEqual([url, "latest", "object"]);
  expect(looked).toEqual([`${url}dir/`, url, url, url]);
  store.close();
  await bucket.remove();
});
