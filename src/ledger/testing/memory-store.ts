/** An object store in memory, open to tampering: what an attacker could do to a bucket, tests do here. */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BackupRefused } from "../../errors.ts";
import type {
  CopyOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  ObjectVersion,
  PinnedObject,
  UploadedObject,
} from "../../storage/contract.ts";

export class MemoryStore implements ObjectStore {
  readonly kind = "folder";
  readonly url = "memory:/ledger/";
  /** The stored bytes by key: tests read and alter them. */
  readonly objects = new Map<string, Buffer>();
  private readonly etags = new Map<Buffer, string>();

  /** A second store with the same content. */
  duplicate(): MemoryStore {
    const copy = new MemoryStore();
    for (const [key, bytes] of this.objects) {
      copy.objects.set(key, Buffer.from(bytes));
    }
    return copy;
  }

  async *list({ prefix = "" }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    await nextTurn();
    for (const key of [...this.objects.keys()].sort()) {
      if (key.startsWith(prefix)) {
        yield this.info(key, this.objects.get(key)!);
      }
    }
  }

  async head(key: string): Promise<ObjectInfo | null> {
    await nextTurn();
    const bytes = this.objects.get(key);
    return bytes === undefined ? null : this.info(key, bytes);
  }

  open(): Promise<PinnedObject> {
    return Promise.reject(new BackupRefused("not needed here", { code: "not_found" }));
  }

  async get(key: string): Promise<{ bytes: Buffer; etag: string } | null> {
    await nextTurn();
    const bytes = this.objects.get(key);
    return bytes === undefined ? null : { bytes: Buffer.from(bytes), etag: this.etagOf(bytes) };
  }

  async createIfAbsent(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    await nextTurn();
    if (this.objects.has(key)) {
      return "exists";
    }
    this.objects.set(key, Buffer.from(bytes));
    return "created";
  }

  async replaceIf(key: string, bytes: Uint8Array, etag: string | null): Promise<"replaced" | "changed"> {
    await nextTurn();
    const present = this.objects.get(key);
    if ((present === undefined ? null : this.etagOf(present)) !== etag) {
      return "changed";
    }
    this.objects.set(key, Buffer.from(bytes));
    return "replaced";
  }

  async upload(key: string, body: AsyncIterable<Uint8Array>): Promise<UploadedObject> {
    const parts: Uint8Array[] = [];
    for await (const part of body) {
      parts.push(part);
    }
    const bytes = Buffer.concat(parts);
    this.objects.set(key, bytes);
    return { ...this.info(key, bytes), sha256: createHash("sha256").update(bytes).digest("hex") };
  }

  async copy(from: ObjectInfo, to: string, { ifMatch }: CopyOptions): Promise<ObjectInfo | "changed"> {
    const bytes = this.objects.get(from.key) ?? Buffer.alloc(0);
    return (await this.replaceIf(to, bytes, ifMatch)) === "replaced" ? this.info(to, this.objects.get(to)!) : "changed";
  }

  async versions(key: string): Promise<readonly ObjectVersion[]> {
    const info = await this.head(key);
    return info === null ? [] : [{ ...info, isLatest: true, isDeleteMarker: false }];
  }

  tags(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({});
  }

  async delete(key: string): Promise<void> {
    await nextTurn();
    this.objects.delete(key);
  }

  region(): Promise<null> {
    return Promise.resolve(null);
  }

  close(): void {
    // Holds no resources.
  }

  /** A tag for each buffer that was ever stored: replacing an object by the same bytes changes it too. */
  private etagOf(bytes: Buffer): string {
    const etag = this.etags.get(bytes) ?? `etag-${this.etags.size}`;
    this.etags.set(bytes, etag);
    return etag;
  }

  private info(key: string, bytes: Buffer): ObjectInfo {
    const etag = this.etagOf(bytes);
    return { key, size: bytes.length, lastModified: new Date(0), etag, version: null, metadata: {} };
  }
}
