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
  /** S3 version ID; `null` where the store keeps no versions, or for what was written before it kept any. */
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
  /** Comes before the body. It is held in memory beside one part of the upload when it is asked for. */
  readonly head?: LateHead;
  /** Fails with `exists` rather than replace an object that is already there. */
  readonly ifAbsent?: boolean;
  readonly signal?: AbortSignal;
}

/** What an upload made. */
export interface UploadedObject extends ObjectInfo {
  /** SHA-256 of the whole content, hex; `null` behind a late head, whose bytes come first and are known last. */
  readonly sha256: string | null;
}

/** One version of an object, or the mark that it was removed. */
export interface ObjectVersion {
  /** To be given to {@link ObjectStore.delete} as it is. */
  readonly version: string | null;
  /** Empty for a delete marker. */
  readonly etag: string;
  /** Bytes; 0 for a delete marker. */
  readonly size: number;
  readonly lastModified: Date;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
}

export interface CopyOptions {
  /** The etag that the target must still have; `null`: it must not be there. */
  readonly ifMatch: string | null;
  /** Of the copy; those of the original are not taken over. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
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
  upload(key: string, body: AsyncIterable<Uint8Array>, options?: UploadOptions): Promise<UploadedObject>;
  /**
   * Copies exactly the content and version that `from` tells of to the key `to`, without its bytes passing through here
   * where the store can, and only if the target is as `ifMatch` says. Readers of `to` see old or new, whole.
   * @throws SourceFailed `object_changed` when `from` is no longer there.
   */
  copy(from: ObjectInfo, to: string, options: CopyOptions): Promise<ObjectInfo | "changed">;
  /** Every version that the store keeps of the key and every delete marker, newest first; empty when there is none. */
  versions(key: string, signal?: AbortSignal): Promise<readonly ObjectVersion[]>;
  /** The tags of the object (of its named version, where given). @throws BackupRefused `not_found`. */
  tags(key: string, version?: string | null): Promise<Readonly<Record<string, string>>>;
  /**
   * Removes the object. With a version, as `head`, `versions` or `upload` told it (`null` is one, too): that version for
   * good. Without one, a store that keeps versions keeps this one. Removing what is not there is no error.
   * @throws SourceFailed `locked` when retention or a legal hold (Object Lock) forbids it.
   */
  delete(key: string, version?: string | null): Promise<void>;
  /** The region the service says the bucket is in; `null` for a folder. */
  region(): Promise<string | null>;
  /** Releases sockets. */
  close(): void;
}
