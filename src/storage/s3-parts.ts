/**
 * One multipart upload: parts in any order, several under way, then all or nothing.
 *
 * Invariants: the object appears with `complete` alone. Parts are numbered from 1 without gaps. An upload that is abandoned
 * keeps no parts: those under way are broken off and waited for before they are removed, and it is looked whether one
 * landed behind the removal. What can stay is an upload without parts whose beginning was answered into a broken
 * connection, or all of it where the network is gone for good; a lifecycle rule (AbortIncompleteMultipartUpload) removes
 * such.
 */

import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type UploadPartCopyCommandInput,
} from "@aws-sdk/client-s3";
import { SourceFailed, throwIfAborted } from "../errors.ts";
import { backOff } from "./backoff.ts";
import { failureAt, type S3Connection } from "./s3-client.ts";
import { statusOf } from "./s3-errors.ts";
import { isOurs, tagging, WRITE_ID } from "./s3-head.ts";
import type { Condition, WriteDetails } from "./s3-write.ts";

/** S3's limit. */
export const MAX_PARTS = 10_000;
/** Looks for parts that landed behind the removal of an upload. */
const LOOKS_FOR_LEFTOVERS = 3;

/** From where a part is copied, as UploadPartCopy takes it. */
export type PartSource = Pick<
  UploadPartCopyCommandInput,
  "CopySource" | "CopySourceIfMatch" | "CopySourceRange" | "CopySourceSSECustomerAlgorithm" | "CopySourceSSECustomerKey"
>;

export class PartsUpload {
  readonly #connection: S3Connection;
  readonly #key: string;
  readonly #details: WriteDetails;
  readonly #address: { readonly Bucket: string; readonly Key: string; readonly UploadId: string };
  readonly #abort = new AbortController();
  readonly #parts: CompletedPart[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  private constructor(connection: S3Connection, key: string, details: WriteDetails, uploadId: string) {
    this.#connection = connection;
    this.#key = key;
    this.#details = details;
    this.#address = { Bucket: connection.bucket, Key: connection.prefix + key, UploadId: uploadId };
  }

  static async begin(connection: S3Connection, key: string, details: WriteDetails): Promise<PartsUpload> {
    throwIfAborted(details.signal);
    const calculation = await connection.uploads.config.requestChecksumCalculation();
    const command = new CreateMultipartUploadCommand({
      Bucket: connection.bucket,
      Key: connection.prefix + key,
      Metadata: { ...details.metadata, [WRITE_ID]: details.writeId },
      // What the SDK computes for parts has to be announced.
      ...(calculation === "WHEN_SUPPORTED" ? { ChecksumAlgorithm: "CRC32" as const } : {}),
      ...tagging(details.tags),
      ...connection.customerKey,
    });
    try {
      const { UploadId = "" } = await connection.uploads.send(command);
      return new PartsUpload(connection, key, details, UploadId);
    } catch (error) {
      throw failureAt(connection, "writing", key, error);
    }
  }

  /** Sends a part once fewer than `atMost` are under way. @throws what an earlier part failed with. */
  async put(number: number, bytes: Uint8Array, atMost: number): Promise<void> {
    await this.#start(atMost, async (abortSignal) => {
      const command = new UploadPartCommand({
        ...this.#address,
        ...this.#connection.customerKey,
        PartNumber: number,
        Body: bytes,
      });
      const { ETag, ChecksumCRC32 } = await this.#connection.uploads.send(command, { abortSignal });
      return { PartNumber: number, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) };
    });
  }

  /** Has a part copied by the service. */
  async copy(number: number, source: PartSource, atMost: number): Promise<void> {
    await this.#start(atMost, async (abortSignal) => {
      const command = new UploadPartCopyCommand({
        ...this.#address,
        ...this.#connection.customerKey,
        ...source,
        PartNumber: number,
      });
      const { CopyPartResult: { ETag, ChecksumCRC32 } = {} } = await this.#connection.uploads.send(command, {
        abortSignal,
      });
      return { PartNumber: number, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) };
    });
  }

  /** Waits for every part under way. @throws what one of them failed with. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.race(this.#running);
    }
    this.#throwFailure();
  }

  /**
   * Makes the object of its parts, if the condition holds.
   * @returns its version ID, where the service says it; `null` when the condition does not hold.
   */
  async complete(condition: Condition | null): Promise<{ readonly version: string | undefined } | null> {
    await this.settled();
    throwIfAborted(this.#details.signal);
    const Parts = this.#parts.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const command = new CompleteMultipartUploadCommand({
      ...this.#address,
      ...this.#connection.customerKey,
      ...condition,
      MultipartUpload: { Parts },
    });
    for (let conflicts = 1; ; conflicts++) {
      try {
        return { version: (await this.#connection.uploads.send(command)).VersionId };
      } catch (error) {
        // The answer to an earlier attempt may have been lost, and the object be there. Where that cannot be seen either,
        // this error says why.
        const status = statusOf(error);
        if (await isOurs(this.#connection, this.#key, this.#details.writeId).catch(() => false)) {
          return { version: undefined };
        }
        if (status === 412) {
          return null;
        }
        if (status !== 409 || conflicts >= this.#connection.limits.maxAttempts) {
          throw failureAt(this.#connection, "writing", this.#key, error);
        }
      }
      await backOff(conflicts, this.#details.signal);
    }
  }

  /**
   * Removes what was sent. Never throws: a network that fails here failed before, and why the upload is given up is the
   * news.
   */
  async abandon(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
    for (let looks = 1; looks <= LOOKS_FOR_LEFTOVERS; looks++) {
      const gone = await this.#remove().catch(() => true);
      if (gone) {
        return;
      }
      await backOff(looks);
    }
  }

  /** Whether nothing is left. */
  async #remove(): Promise<boolean> {
    const { calls } = this.#connection;
    try {
      await calls.send(new AbortMultipartUploadCommand(this.#address));
      await calls.send(new ListPartsCommand({ ...this.#address, MaxParts: 1 }));
      return false;
    } catch (error) {
      if (statusOf(error) === 404) {
        return true;
      }
      throw error;
    }
  }

  async #start(atMost: number, send: (abortSignal: AbortSignal) => Promise<CompletedPart>): Promise<void> {
    while (this.#running.size >= atMost) {
      await Promise.race(this.#running);
    }
    this.#throwFailure();
    if (this.#parts.length + this.#running.size >= MAX_PARTS) {
      throw new SourceFailed(`${this.#connection.url}${this.#key} needs more than ${MAX_PARTS} parts`, {
        code: "too_large",
        hint: "write it to a folder, or in a compressed form",
      });
    }
    const { signal } = this.#details;
    const either = signal === undefined ? this.#abort.signal : AbortSignal.any([signal, this.#abort.signal]);
    const sending: Promise<void> = send(either)
      .then(
        (part) => void this.#parts.push(part),
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => this.#running.delete(sending));
    this.#running.add(sending);
  }

  #throwFailure(): void {
    throwIfAborted(this.#details.signal);
    if (this.#failure !== null) {
      throw failureAt(this.#connection, "writing", this.#key, this.#failure.error);
    }
  }
}
