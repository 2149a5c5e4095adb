/**
 * Who may pass: the backup's age and region, the target's region and transport. Each refusal has its own exit code.
 * DESIGN §2.6, ERASURE.md §1 rows 14 and 18 to 24.
 */
import type { ArchiveHeader, LocalTime } from "../archive/model.ts";
import { earliestInstant } from "../erasure/zoned-time.ts";
import { BackupRefused, TargetRefused, UsageError } from "../errors.ts";
import type { ObjectInfo, ObjectStore } from "../storage/contract.ts";
import type { SourceSettings, TargetSettings } from "./settings.ts";

/** Five days: configuration can lower this, nothing can raise it. Milliseconds. */
export const hardAgeLimit = 120 * 3_600_000;
/** How far a clock may be ahead of ours. */
const clockSkew = 5 * 60_000;
/** The zone furthest ahead of UTC: a wall clock of unknown zone is at least this recent and at most this much older. */
const furthestAhead = 14 * 3_600_000;

export interface SnapshotTime {
  readonly at: Date;
  readonly evidence: "archive header" | "object metadata" | "last modified";
}

/** User metadata that carries a snapshot's true time through copies. */
const snapshotMetadata = "snapshot-at";

/** The earliest instant, in milliseconds, that a dump's clock can mean; exact where it says its distance to UTC. */
function headerInstant(clock: LocalTime, zone: string | null): number {
  if (clock.utcOffset !== undefined) return earliestInstant(clock, "UTC") - clock.utcOffset * 60_000;
  return zone === null ? earliestInstant(clock, "UTC") - furthestAhead : earliestInstant(clock, zone);
}

/** The oldest instant that anything known of the backup gives for its snapshot. @throws BackupRefused. */
export function snapshotTime(
  header: ArchiveHeader,
  object: ObjectInfo,
  source: SourceSettings,
  now: Date,
): SnapshotTime {
  const candidates: SnapshotTime[] = [{ at: object.lastModified, evidence: "last modified" }];
  if (header.createdAt !== null) {
    const local = headerInstant(header.createdAt, source.timezone);
    candidates.push({ at: new Date(local), evidence: "archive header" });
  }
  const recorded = object.metadata[snapshotMetadata];
  if (recorded !== undefined) {
    const at = new Date(recorded);
    if (Number.isNaN(at.getTime())) {
      throw new BackupRefused(`the backup's metadata ${snapshotMetadata} is not a time`, {
        code: "snapshot_time",
        hint: "remove the metadata or write it as RFC 3339",
      });
    }
    candidates.push({ at, evidence: "object metadata" });
  }
  for (const { at, evidence } of candidates) {
    if (at.getTime() > now.getTime() + clockSkew) {
      throw new BackupRefused(`the backup's time (${evidence}) lies in the future: ${at.toISOString()}`, {
        code: "backup_from_future",
        hint: "set source.timezone to the zone of the machine that makes the dump, and check this machine's clock",
      });
    }
  }
  return candidates.reduce((oldest, other) => (other.at < oldest.at ? other : oldest));
}

/** @throws BackupRefused (`backup_too_old`) when the snapshot is older than the limit; exactly the limit may pass. */
export function checkAge(
  snapshot: SnapshotTime,
  limit: number,
  now: Date,
  when: "at start" | "before go-live",
): number {
  const age = now.getTime() - snapshot.at.getTime();
  const allowed = Math.min(limit, hardAgeLimit);
  if (age > allowed) {
    const hours = (millis: number): string => (millis / 3_600_000).toFixed(1);
    throw new BackupRefused(
      `the backup is ${hours(age)} hours old ${when} (${snapshot.evidence}); ${hours(allowed)} hours are allowed`,
      {
        code: "backup_too_old",
        hint:
          snapshot.evidence === "archive header"
            ? "restore a newer backup; without source.timezone a dump's clock is read as early as it can be meant"
            : "restore a newer backup",
      },
    );
  }
  return Math.max(age, 0) / 1000;
}

const outsideEurope = /^(us|ca|mx|sa|ap|af|me|il|cn)-/;

/** The bucket must be where the configuration says, and that must not be outside Europe. @throws BackupRefused. */
export async function checkSourceRegion(store: ObjectStore, source: SourceSettings): Promise<string | null> {
  const actual = await store.region();
  if (store.kind === "folder") return actual;
  if (source.region === null) {
    throw new UsageError("source.region is not set", {
      code: "source_region",
      hint: "say in which region the backups are, for example region: eu-west-1",
    });
  }
  if (actual !== source.region) {
    throw new BackupRefused(`the bucket is in region ${actual ?? "unknown"}, the configuration says ${source.region}`, {
      code: "source_region",
      hint: "check source.url and source.region; backups must not leave their region",
    });
  }
  if (outsideEurope.test(actual)) {
    throw new BackupRefused(`the bucket is in region ${actual}, outside Europe`, {
      code: "source_region",
      hint: "backups with personal data must be in a European region",
    });
  }
  return actual;
}

export interface TargetAddress {
  readonly host: string;
  /** A Unix socket or the loopback interface. */
  readonly local: boolean;
}

/** Remote targets need TLS with a verified name and a region that their host is known to be in. @throws TargetRefused. */
export function checkTarget(address: TargetAddress, target: TargetSettings): void {
  if (address.local) return;
  const refuse = (message: string, code: string, hint: string): never => {
    throw new TargetRefused(message, { code, hint });
  };
  if (target.tls !== "verify-full") {
    refuse(
      `target.tls is ${target.tls}, the target is not on this machine`,
      "target_tls",
      "set tls: verify-full, and ca_file if the server's CA is private",
    );
  }
  if (target.region === null) refuse("target.region is not set", "target_region", "say in which region the target is");
  const region = target.region ?? "";
  if (outsideEurope.test(region))
    refuse(`the target is in region ${region}, outside Europe`, "target_region", "restore into a European region");
  const named = /\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com$/.exec(address.host)?.[1];
  if (named !== undefined && named !== region) {
    refuse(
      `the target's host is in region ${named}, the configuration says ${region}`,
      "target_region",
      "check target.url and target.region",
    );
  }
  const allowed = target.allowedHosts.some((pattern) => hostMatches(address.host, pattern));
  if (!allowed) {
    refuse(
      "the target's host is not among target.allowed_hosts",
      "target_host",
      `list the hosts of region ${region} there, for example "*.${region}.rds.amazonaws.com"`,
    );
  }
}

function hostMatches(host: string, pattern: string): boolean {
  const expression = pattern
    .split("*")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("[^.]+(?:\\.[^.]+)*");
  return new RegExp(`^${expression}$`, "i").test(host);
}
