/**
 * The one contract of every place where bytes live. Implemented by `folder.ts` and `s3.ts`, enforced by
 * `store.contract.ts`, which runs the same suite against both.
 *
 * Keys are relative to the store's root, with `/` between parts, never starting with `/`, never containing `..`.
 */

/** What is known of one object without reading it. */
export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly lastModified: Date;
  /** Identifies the content: S3's ETag; for a folder device, inode, size and mtime in nanoseconds. */
  readonly etag: string;
  /** S3 version ID, `null` where the store keeps no versions. */
  readonly version: string | null;
  /** User metadata (`x-amz-meta-*`), keys in lower case. Empty in a listing and for folders. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** An object pinned to the version seen when it was opened: every read gives bytes of that version or fails. */
export interface PinnedObject {
  readonly info: ObjectInfo;
  /** `info.size`: lets an archive reader take this object as its byte source. */
  readonly size: number;
  /**
   * Streams bytes `[start, end)`, end defaulting to the object's size. Pulls: nothing is read ahead beyond one chunk or
   * socket buffer. Resumes at the offset after a cut or a stall, checks that exactly `end - start` bytes came.
   * Ending the iteration early releases the socket or file.
   * @throws SourceFailed when retries are used up, when the object changed since it was opened, or on a wrong length.
   * @throws Interrupted when the signal aborts.
   */
  read(start: number, end?: number, signal?: AbortSignal): AsyncIterable<Buffer>;
}

export interface ListOptions {
  readonly prefix?: string;
  readonly signal?: AbortSignal;
}

/** The beginning of an object that can be written only when all the rest is known: the table of contents of an archive. */
export interface LateHead {
  /** Bytes, fixed from the start. */
  readonly length: number;
  /** Asked once, after the body has ended. Exactly `length` bytes. */
  bytes(): Buffer;
}

export interface UploadOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Object tags; a store without tags keeps none. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Comes before the body. At most 5 GiB. */
  readonly head?: LateHead;
  /** Fails with `exists` rather than replace an object that is already there. */
  readonly ifAbsent?: boolean;
  readonly signal?: AbortSignal;
}

export interface ObjectStore {
  readonly kind: "folder" | "s3";
  /** For messages and evidence; never holds credentials. Ends with `/`. */
  readonly url: string;
  /** All objects, every page, in ascending key order (UTF-8 bytes). */
  list(options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** `null` when there is no such object. */
  head(key: string): Promise<ObjectInfo | null>;
  /** @throws BackupRefused with code `not_found` when there is no such object. */
  open(key: string): Promise<PinnedObject>;
  /** The whole of a small object with the etag it had, or `null`. @throws SourceFailed when it is larger than `maxBytes`. */
  get(key: string, maxBytes?: number): Promise<{ readonly bytes: Buffer; readonly etag: string } | null>;
  /** Creates the object durably, or reports that one is there already. Never replaces, never leaves a partial object. */
  createIfAbsent(key: string, bytes: Uint8Array): Promise<"created" | "exists">;
  /** Replaces the object if its etag is still `etag` (`null`: if there is none). Atomic: readers see old or new, whole. */
  replaceIf(key: string, bytes: Uint8Array, etag: string | null): Promise<"replaced" | "changed">;
  /** Streams an object of unknown length into the store; an aborted or failed upload leaves nothing behind. */
  upload(key: string, body: AsyncIterable<Uint8Array>, options?: UploadOptions): Promise<ObjectInfo>;
  /** Removes the object (the named version of it, where given). Removing what is not there is no error. */
  delete(key: string, version?: string | null): Promise<void>;
  /** The region the service says the bucket is in; `null` for a folder. */
  region(): Promise<string | null>;
  /** Releases sockets. */
  close(): void;
}
