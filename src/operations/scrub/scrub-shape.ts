/** In which form a sanitised copy is written: format, compression, archive version, time of its header. Pure. */
import type { ArchiveCompression, ArchiveHeader, LocalTime } from "../../archive/model.ts";
import { offsetAt } from "../../erasure/zoned-time.ts";
import { UsageError } from "../../errors.ts";
import type { SnapshotTime } from "../gates.ts";

export type ScrubFormat = "custom" | "directory" | "plain";

export interface CompressionChoice {
  readonly by: ArchiveCompression;
  /** The algorithm's own; `null`: its default. */
  readonly level: number | null;
}

/** What the operator asked for; `null`: as the source has it. */
export interface ShapeChoice {
  readonly format: ScrubFormat | null;
  readonly compression: CompressionChoice | null;
}

export interface ScrubShape {
  readonly format: ScrubFormat;
  readonly compression: CompressionChoice;
  /** Archive version 1.`minor`; of no meaning for a script. */
  readonly minor: number;
}

/** Version that PostgreSQL 12 and later read, for sources that are no archive. */
const WIDELY_READ = 14;
/** The first version whose header can name lz4 and zstd; its entries are those of 1.14. */
const KNOWS_ALGORITHMS = 15;

interface Source {
  readonly header: ArchiveHeader;
  readonly wrapping: readonly string[];
}

/** @throws UsageError for a compression that the archive's version, or the algorithm, does not have. */
export function scrubShape(source: Source, choice: ShapeChoice): ScrubShape {
  const { header } = source;
  const format = choice.format ?? (header.format === "tar" ? "custom" : header.format);
  const compression = choice.compression ?? sourceCompression(source);
  checkLevel(compression);
  return { format, compression, minor: format === "plain" ? header.minor : minorOf(header, compression.by) };
}

/** What lies around a file counts where the archive itself is not compressed. */
function sourceCompression({ header, wrapping }: Source): CompressionChoice {
  if (header.compression !== "none" && header.format !== "plain") {
    return { by: header.compression, level: header.compressionLevel };
  }
  const around = wrapping.find((layer) => layer === "gzip" || layer === "lz4" || layer === "zstd");
  return { by: around ?? "none", level: null };
}

function checkLevel({ by, level }: CompressionChoice): void {
  const [least, most] = { none: [0, 0], gzip: [1, 9], lz4: [0, 0], zstd: [-7, 22] }[by] as [number, number];
  // -1 is how an archive says zlib's default
  if (level === null || (by === "gzip" && level === -1) || (level >= least && level <= most)) return;
  throw new UsageError(`${by} has no level ${level}`, {
    code: "compression_level",
    hint: "gzip has 1 to 9, zstd -7 to 22, none and lz4 have no levels",
  });
}

function minorOf(header: ArchiveHeader, by: ArchiveCompression): number {
  const minor = header.format === "plain" ? WIDELY_READ : header.minor;
  if (by === "none" || by === "gzip" || minor >= KNOWS_ALGORITHMS) return minor;
  if (minor === WIDELY_READ) return KNOWS_ALGORITHMS;
  throw new UsageError(`an archive of version 1.${minor} cannot be compressed with ${by}`, {
    code: "unsupported_compression",
    hint: "take --compress gzip: only archives of version 1.14 and later can be made to say lz4 or zstd",
  });
}

/**
 * The wall clock for the copy's header: the source's own, unless that says its zone, which an archive's cannot, or other
 * evidence says that the snapshot is older. A copy is never younger than what it was made of.
 */
export function headerClock(header: ArchiveHeader, snapshot: SnapshotTime, timezone: string | null): LocalTime {
  const { createdAt } = header;
  if (createdAt !== null && createdAt.utcOffset === undefined && snapshot.evidence === "archive header") {
    return createdAt;
  }
  const at = new Date(snapshot.at.getTime() + offsetAt(snapshot.at.getTime(), timezone ?? "UTC"));
  return {
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
    isDst: null,
  };
}
