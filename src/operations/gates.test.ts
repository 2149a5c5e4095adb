import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ArchiveHeader } from "../archive/model.ts";
import type { ObjectInfo, ObjectStore } from "../storage/contract.ts";
import { toolVersion } from "../version.ts";
import { checkAge, checkSourceRegion, checkTarget, hardAgeLimit, snapshotTime } from "./gates.ts";
import { newRunId } from "./journal.ts";
import type { SourceSettings, TargetSettings } from "./settings.ts";

const now = new Date("2026-11-23T12:00:00Z");

function source(more: Partial<SourceSettings> = {}): SourceSettings {
  return { location: { url: "backups", baseDirectory: "/" }, region: "eu-west-1", timezone: null, ...more };
}

function header(hour: number, day = 23): ArchiveHeader {
  return {
    format: "custom",
    version: "1.14",
    minor: 14,
    intSize: 4,
    offsetSize: 8,
    compression: "gzip",
    compressionLevel: -1,
    createdAt: { year: 2026, month: 11, day, hour, minute: 0, second: 0, isDst: false },
    database: "shop",
    serverVersion: "15.18",
    dumpVersion: "15.18",
  };
}

function object(lastModified: string, metadata: Record<string, string> = {}): ObjectInfo {
  return { key: "a.dump", size: 1, lastModified: new Date(lastModified), etag: "e", version: null, metadata };
}

describe("the snapshot's time", () => {
  it("is the dump's wall clock in its zone, which may be hours from what UTC would make of it", () => {
    const inNewYork = snapshotTime(
      header(1),
      object("2026-11-23T07:00:00Z"),
      source({ timezone: "America/New_York" }),
      now,
    );
    expect(inNewYork).toEqual({ at: new Date("2026-11-23T06:00:00Z"), evidence: "archive header" });
  });

  it("is, without a zone, the earliest instant at which any clock on Earth showed it", () => {
    expect(snapshotTime(header(10), object("2026-11-23T07:00:00Z"), source(), now).at).toEqual(
      new Date("2026-11-22T20:00:00Z"),
    );
  });

  it("is exact where a script says its clock's distance to UTC, whatever zone is declared", () => {
    const script = (utcOffset: number): ArchiveHeader => ({
      ...header(10),
      createdAt: { ...header(10).createdAt!, utcOffset },
    });
    const at = object("2026-11-23T11:59:00Z");
    for (const timezone of [null, "UTC", "Europe/Amsterdam"]) {
      const found = (utcOffset: number) => snapshotTime(script(utcOffset), at, source({ timezone }), now);
      expect(found(0)).toEqual({ at: new Date("2026-11-23T10:00:00Z"), evidence: "archive header" });
      expect(found(345).at).toEqual(new Date("2026-11-23T04:15:00Z"));
      expect(found(-90).at).toEqual(new Date("2026-11-23T11:30:00Z"));
      expect(() => found(-600)).toThrow(expect.objectContaining({ code: "backup_from_future" }));
    }
  });

  it("is whatever evidence is the oldest: a copy does not make a backup younger", () => {
    const copied = object("2026-11-23T11:00:00Z", { "snapshot-at": "2026-11-19T02:00:00Z" });
    expect(snapshotTime(header(10), copied, source({ timezone: "UTC" }), now)).toMatchObject({
      evidence: "object metadata",
    });
    const touched = object("2026-11-20T00:00:00Z");
    expect(snapshotTime(header(10), touched, source({ timezone: "UTC" }), now).evidence).toBe("last modified");
  });

  it("may not lie in the future, nor be nonsense", () => {
    const at = object("2026-11-23T07:00:00Z");
    expect(() => snapshotTime(header(13), at, source({ timezone: "UTC" }), now)).toThrow(
      expect.objectContaining({ code: "backup_from_future", exitCode: 3 }),
    );
    expect(() =>
      snapshotTime(header(10), object("2026-11-23T07:00:00Z", { "snapshot-at": "lately" }), source(), now),
    ).toThrow(expect.objectContaining({ code: "snapshot_time" }));
  });
});

describe("the age", () => {
  const aged = (millis: number) => ({ at: new Date(now.getTime() - millis), evidence: "archive header" as const });

  it("may be five days to the millisecond and not one more", () => {
    expect(checkAge(aged(hardAgeLimit), hardAgeLimit, now, "at start")).toBe(432_000);
    expect(() => checkAge(aged(hardAgeLimit + 1), hardAgeLimit, now, "at start")).toThrow(
      expect.objectContaining({ code: "backup_too_old" }),
    );
  });

  it("can be limited further and never raised", () => {
    expect(() => checkAge(aged(3_600_001), 3_600_000, now, "before go-live")).toThrow(/before go-live/);
    expect(() => checkAge(aged(hardAgeLimit + 1), hardAgeLimit * 2, now, "at start")).toThrow();
  });
});

describe("the source's region", () => {
  const store = (kind: "s3" | "folder", region: string | null) =>
    ({ kind, region: () => Promise.resolve(region) }) as unknown as ObjectStore;

  it("is asked of the service and held against the configuration", async () => {
    await expect(checkSourceRegion(store("s3", "eu-west-1"), source())).resolves.toBe("eu-west-1");
    await expect(checkSourceRegion(store("s3", "eu-central-1"), source())).rejects.toMatchObject({
      code: "source_region",
      exitCode: 3,
    });
    await expect(checkSourceRegion(store("s3", null), source())).rejects.toMatchObject({ code: "source_region" });
    await expect(checkSourceRegion(store("s3", "eu-west-1"), source({ region: null }))).rejects.toMatchObject({
      exitCode: 2,
    });
    await expect(checkSourceRegion(store("folder", null), source({ region: null }))).resolves.toBeNull();
  });

  it("must be in Europe even when the configuration says otherwise", async () => {
    await expect(checkSourceRegion(store("s3", "us-east-1"), source({ region: "us-east-1" }))).rejects.toMatchObject({
      code: "source_region",
    });
  });
});

describe("the target", () => {
  const target = (more: Partial<TargetSettings> = {}): TargetSettings => ({
    url: "postgres://x@h/d",
    region: "eu-central-1",
    allowedHosts: ["*.eu-central-1.rds.amazonaws.com"],
    tls: "verify-full",
    caFile: null,
    ...more,
  });
  const host = (name: string) => ({ host: name, local: false });
  const rds = host("shop.abc123.eu-central-1.rds.amazonaws.com");

  it("needs nothing on this machine", () => {
    expect(() =>
      checkTarget({ host: "localhost", local: true }, target({ region: null, tls: "disable", allowedHosts: [] })),
    ).not.toThrow();
  });

  it("needs verified TLS, a region, and a host that is known to be in it", () => {
    expect(() => checkTarget(rds, target())).not.toThrow();
    for (const [address, settings, code] of [
      [rds, target({ tls: "require" }), "target_tls"],
      [rds, target({ region: null }), "target_region"],
      [rds, target({ region: "us-east-1" }), "target_region"],
      [host("shop.abc.eu-west-1.rds.amazonaws.com"), target({ allowedHosts: ["*"] }), "target_region"],
      [host("db.example.org"), target(), "target_host"],
      [host("evil-eu-central-1.rds.amazonaws.com.example.org"), target(), "target_host"],
      [rds, target({ allowedHosts: [] }), "target_host"],
    ] as const) {
      expect(() => checkTarget(address, settings)).toThrow(expect.objectContaining({ code, exitCode: 6 }));
    }
  });
});

it("run IDs sort by time and fit a database's name", () => {
  expect(newRunId(now)).toMatch(/^20261123t120000_[0-9a-f]{6}$/);
});

it("the version is that of package.json", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(toolVersion).toBe(manifest.version);
});
