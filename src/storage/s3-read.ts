/**
 * Reading one S3 object: pinned ranges, and small objects whole.
 *
 * Invariant: a range is asked with If-Match (and the version, where there is one) and its Content-Range is compared with
 * what was asked, so that bytes of two contents never meet in one stream.
 */

import type { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { SourceFailed } from "../errors.ts";
import { backOff } from "./backoff.ts";
import type { ObjectInfo, PinnedObject } from "./contract.ts";
import { checkRange, objectChanged } from "./pinned.ts";
import { BrokenOff, resumingRead } from "./resuming-read.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { isTransient, s3CodeOf, statusOf } from "./s3-errors.ts";

/** Statuses by which the service says that the pinned content is no longer there. */
const GONE = new Set([404, 412, 416]);

export function pinnedObject(connection: S3Connection, info: ObjectInfo): PinnedObject {
  const read = (start: number, end = info.size, signal?: AbortSignal): AsyncIterable<Buffer> => {
    checkRange(info, connection.url, start, end);
    return resumingRead({
      start,
      end,
      open: (offset, abort) => openRange(connection, info, offset, end, abort),
      isTransient,
      failure: (error, offset, attempts) =>
        failureAt(connection, `reading at byte ${offset} of`, info.key, error, attempts),
      idleTimeoutMs: connection.limits.idleTimeoutMs,
      maxAttempts: connection.limits.maxAttempts,
      signal,
    });
  };
  return { info, size: info.size, read };
}

async function openRange(
  connection: S3Connection,
  info: ObjectInfo,
  offset: number,
  end: number,
  signal: AbortSignal,
): Promise<Readable> {
  const command = new GetObjectCommand({
    Bucket: connection.bucket,
    Key: connection.prefix + info.key,
    Range: `bytes=${offset}-${end - 1}`,
    IfMatch: info.etag,
    ...(info.version === null ? {} : { VersionId: info.version }),
    ...connection.customerKey,
  });
  let answer: GetObjectCommandOutput;
  try {
    answer = await connection.bodies.send(command, { abortSignal: signal });
  } catch (error) {
    throw GONE.has(statusOf(error) ?? 0) && s3CodeOf(error) !== "NoSuchBucket"
      ? objectChanged(connection.url, info.key, error)
      : error;
  }
  const body = answer.Body as Readable;
  const whole = offset === 0 && end === info.size && answer.ContentRange === undefined;
  const range = whole
    ? answer.ContentLength === info.size
    : answer.ContentRange === `bytes ${offset}-${end - 1}/${info.size}`;
  if (!range || (answer.ETag !== undefined && answer.ETag !== info.etag)) {
    body.on("error", () => undefined).destroy();
    throw range
      ? objectChanged(connection.url, info.key)
      : new SourceFailed(
          `the service sent another range of ${connection.url}${info.key} than bytes ${offset} to ${end}`,
          {
            code: "wrong_length",
            hint: "the store or a proxy before it does not honour Range requests; use another endpoint",
          },
        );
  }
  return body;
}

/**
 * The whole object, or `null`. A broken connection starts over.
 * @throws SourceFailed `too_large` beyond `maxBytes`, before the body is read.
 */
export async function getWhole(
  connection: S3Connection,
  key: string,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly etag: string } | null> {
  for (let failures = 1; ; failures++) {
    const abort = new AbortController();
    try {
      return await getOnce(connection, key, maxBytes, abort);
    } catch (error) {
      abort.abort();
      if (error instanceof SourceFailed) {
        throw error;
      }
      if (s3CodeOf(error) === "NoSuchKey") {
        return null;
      }
      if (failures >= connection.limits.maxAttempts || !isTransient(error)) {
        throw failureAt(connection, "reading", key, error, failures);
      }
    }
    await backOff(failures);
  }
}

async function getOnce(connection: S3Connection, key: string, maxBytes: number, abort: AbortController) {
  const { idleTimeoutMs } = connection.limits;
  const idle = setTimeout(() => abort.abort(), idleTimeoutMs);
  try {
    const answer = await connection.bodies.send(
      new GetObjectCommand({ Bucket: connection.bucket, Key: connection.prefix + key, ...connection.customerKey }),
      { abortSignal: abort.signal },
    );
    const body = (answer.Body as Readable).on("error", () => undefined);
    const length = answer.ContentLength ?? Number.POSITIVE_INFINITY;
    if (length > maxBytes) {
      throw new SourceFailed(
        `${connection.url}${key} holds ${length} bytes, more than the ${maxBytes} expected there`,
        {
          code: "too_large",
          hint: "check that the location names what it should",
        },
      );
    }
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    for await (const piece of body as AsyncIterable<Buffer>) {
      filled += piece.copy(bytes, filled);
      idle.refresh();
    }
    if (filled !== length) {
      throw new BrokenOff("cut", "the answer ended early");
    }
    return { bytes, etag: answer.ETag ?? "" };
  } catch (error) {
    throw abort.signal.aborted ? new BrokenOff("stalled", `no byte came for ${idleTimeoutMs} ms`) : error;
  } finally {
    clearTimeout(idle);
  }
}
