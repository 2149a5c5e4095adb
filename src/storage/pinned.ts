/**
 * What both stores refuse in the same words: ranges outside, objects that changed, are not there or are there already,
 * unsorted listings.
 */

import { BackupRefused, SourceFailed } from "../errors.ts";
import type { LateHead, ObjectInfo } from "./contract.ts";

/** @throws SourceFailed `range_outside` unless `0 <= start <= end <= size`. */
export function checkRange(info: ObjectInfo, url: string, start: number, end: number): void {
  const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end;
  if (!valid || end > info.size) {
    throw new SourceFailed(`bytes ${start} to ${end} are not all inside ${url}${info.key}, which has ${info.size}`, {
      code: "range_outside",
      hint: "the object is shorter than what refers to it says: check that it was written to its end",
    });
  }
}

export function objectChanged(url: string, key: string, cause?: unknown): SourceFailed {
  return new SourceFailed(`${url}${key} was replaced, changed or removed while it was being read`, {
    code: "object_changed",
    hint: "run again when nothing writes there any more",
    ...(cause === undefined ? {} : { cause: new Error(cause instanceof Error ? cause.name : "changed") }),
  });
}

export function notFound(url: string, key: string): BackupRefused {
  return new BackupRefused(`there is no ${url}${key}`, {
    code: "not_found",
    hint: "list what there is with `sanitize backups`",
  });
}

export function alreadyThere(url: string, key: string, cause?: unknown): SourceFailed {
  return new SourceFailed(`${url}${key} is already there`, {
    code: "exists",
    hint: "choose another name, or remove the object first",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The head, now that the body has ended. One of another length than was announced is a defect of its maker. */
export function bytesOfHead(head: LateHead): Buffer {
  const bytes = head.bytes();
  if (bytes.length !== head.length) {
    throw new Error(`a head of ${head.length} bytes was announced, ${bytes.length} came`);
  }
  return bytes;
}

/** @throws SourceFailed `unsorted_listing` unless `key` follows `last` in UTF-8 byte order. */
export function checkKeyOrder(url: string, last: string, key: string): void {
  if (last !== "" && Buffer.compare(Buffer.from(last), Buffer.from(key)) >= 0) {
    throw new SourceFailed(`the listing of ${url} is not in key order`, {
      code: "unsorted_listing",
      hint: "use a general-purpose bucket; directory buckets list in no order",
    });
  }
}
