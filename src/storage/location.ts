/** What may be said of where a store is, and of how patient to be with it. */

export interface StoreLocation {
  /** `s3://bucket/prefix/`, `file:///path`, or a path. */
  readonly url: string;
  readonly region?: string;
  /** `http(s)://host[:port]` of an S3-compatible service; AWS's own where left out. */
  readonly endpoint?: string;
  /** Bucket in the path rather than in the host name; default: yes for a custom endpoint. */
  readonly pathStyle?: boolean;
  /** `when_required` for services that do not know the SDK's newer checksums. */
  readonly checksums?: "when_supported" | "when_required";
  /** PEM; the only CAs trusted for this store, where given. */
  readonly caFile?: string;
  /** 32 bytes, as they are or in base64. */
  readonly sseCKeyFile?: string;
  /** Where left out, the SDK's own chain: environment, profile, role. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** What relative paths (`url`, `caFile`, `sseCKeyFile`) are relative to. */
  readonly baseDirectory: string;
}

export interface StoreLimits {
  /** Milliseconds without a byte after which a connection counts as dead. */
  readonly idleTimeoutMs: number;
  /** Attempts in a row without progress before giving up. */
  readonly maxAttempts: number;
  /** Sockets for bodies, and as many for short calls. An open read holds one: keep this above the number of readers. */
  readonly maxSockets: number;
}
