/**
 * Store URLs and object keys: where a store's root is, and which keys may name something under it.
 *
 * Invariant: a key that passed {@link checkKey} cannot leave the root, on any store, by its spelling.
 */

import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";

/** The root of a store. `prefix` is empty or ends with `/`. */
export type StoreAddress =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

/** Names of our own files beside a folder's objects; never keys, never listed. */
export const TEMPORARY_PREFIX = ".sanitize-tmp-";
export const LOCK_PREFIX = ".sanitize-lock-";

const S3_SCHEME = "s3://";
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;
const OTHER_SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/**
 * Understands `s3://bucket/prefix/`, `file:///path` and plain paths (relative ones against `baseDirectory`). An S3 prefix
 * is taken as it stands, without URL decoding, as every S3 tool does.
 * @throws UsageError `bad_store_url`; the URL itself is not quoted, since it could hold a password.
 */
export function parseStoreUrl(url: string, baseDirectory: string): StoreAddress {
  if (url === "" || url.includes("\0")) {
    throw badUrl("a storage location is empty or holds a NUL");
  }
  if (url.startsWith(S3_SCHEME)) {
    return parseS3(url.slice(S3_SCHEME.length));
  }
  if (url.startsWith("file:")) {
    return { kind: "folder", path: filePath(url) };
  }
  if (OTHER_SCHEME.test(url)) {
    throw badUrl(`a storage location has the unknown scheme ${url.slice(0, url.indexOf(":"))}`);
  }
  return { kind: "folder", path: isAbsolute(url) ? join(url) : resolve(baseDirectory, url) };
}

/**
 * Returns the key if it may be used on any store.
 * @throws UsageError `bad_key` for an empty key, empty, `.` or `..` parts, a NUL, and names reserved for our own files.
 */
export function checkKey(key: string): string {
  const parts = key.split("/");
  const bad = parts.some((part) => part === "" || part === "." || part === ".." || isReserved(part));
  if (bad || key.includes("\0")) {
    throw new UsageError(`not a usable object key: ${JSON.stringify(key)}`, {
      code: "bad_key",
      hint: "give a key relative to the store, with names between single slashes and no . or .. among them",
    });
  }
  return key;
}

/** Whether a file name is one of our temporary files or locks. */
export function isReserved(name: string): boolean {
  return name.startsWith(TEMPORARY_PREFIX) || name.startsWith(LOCK_PREFIX);
}

function parseS3(rest: string): StoreAddress {
  const slash = rest.indexOf("/");
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  if (!BUCKET.test(bucket)) {
    throw badUrl("an s3:// location does not begin with a bucket's name");
  }
  const path = slash < 0 ? "" : rest.slice(slash + 1);
  const prefix = path === "" || path.endsWith("/") ? path : `${path}/`;
  if (prefix !== "") {
    checkKey(prefix.slice(0, -1));
  }
  return { kind: "s3", bucket, prefix };
}

function filePath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new UsageError("a file: location cannot be understood", {
      code: "bad_store_url",
      hint: "write file:///absolute/path, or a plain path",
      cause,
    });
  }
}

function badUrl(fact: string): UsageError {
  return new UsageError(fact, {
    code: "bad_store_url",
    hint: "write s3://bucket/prefix/, file:///absolute/path, or a plain path; credentials never belong in it",
  });
}
