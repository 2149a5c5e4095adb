/**
 * PostgreSQL's ISO timestamps as text, turned into instants. Mirrors the output of EncodeDateTime and EncodeDateOnly
 * (datetime.c) under DateStyle ISO, which pg_dump always sets.
 */

import type { LocalTime } from "../archive/model.ts";

/** What a time column holds. */
export type TimeKind = "timestamptz" | "timestamp" | "date";

const isoTime =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/;

/** What a clock on the wall shows. */
export type WallClock = Omit<LocalTime, "isDst">;

/**
 * Microseconds since 1970-01-01 UTC (exact from 1685 to 2255), infinities included, or `null` when the text is no
 * PostgreSQL timestamp. Texts without an offset are read in `zone`; a date stands for its first instant there.
 */
export function instantOf(text: string, zone: string): number | null {
  if (text === "infinity") return Number.POSITIVE_INFINITY;
  if (text === "-infinity") return Number.NEGATIVE_INFINITY;
  const parts = isoTime.exec(text);
  if (!parts) return null;
  const number = (index: number): number => Number(parts[index] ?? 0);
  const year = parts[12] === undefined ? number(1) : 1 - number(1);
  const clock = { year, month: number(2), day: number(3), hour: number(4), minute: number(5), second: number(6) };
  const fraction = Number((parts[7] ?? "").padEnd(6, "0"));
  if (parts[8] === undefined) return earliestInstant(clock, zone) * 1000 + fraction;
  const offset = (number(9) * 3600 + number(10) * 60 + number(11)) * (parts[8] === "-" ? -1 : 1);
  return (utcMillis(clock) - offset * 1000) * 1000 + fraction;
}

/** The wall clock as if it were UTC, in milliseconds; years before 100 included. */
function utcMillis(clock: WallClock): number {
  const date = new Date(0);
  date.setUTCFullYear(clock.year, clock.month - 1, clock.day);
  date.setUTCHours(clock.hour, clock.minute, clock.second, 0);
  return date.getTime();
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** @throws RangeError when the zone is not an IANA name. */
function formatIn(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  return format;
}

/** Milliseconds by which the zone's clocks are ahead of UTC at an instant. */
export function offsetAt(millis: number, zone: string): number {
  const parts = new Map(
    formatIn(zone)
      .formatToParts(millis)
      .map((part) => [part.type, part.value]),
  );
  const value = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const year = parts.get("era") === "BC" ? 1 - value("year") : value("year");
  const clock = {
    year,
    month: value("month"),
    day: value("day"),
    hour: value("hour"),
    minute: value("minute"),
    second: value("second"),
  };
  return utcMillis(clock) - Math.floor(millis / 1000) * 1000;
}

/**
 * The first instant (milliseconds since 1970 UTC) at which clocks in `zone` show this wall clock. An hour that occurs twice
 * is taken as its first occurrence, one that is skipped as if the clocks had not been changed yet.
 */
export function earliestInstant(clock: WallClock, zone: string): number {
  const asUtc = utcMillis(clock);
  if (zone === "UTC") return asUtc;
  const day = 86_400_000;
  const offsets = [offsetAt(asUtc - day, zone), offsetAt(asUtc + day, zone)];
  const instants = offsets
    .map((offset) => asUtc - offset)
    .filter((instant) => asUtc - instant === offsetAt(instant, zone));
  return instants.length === 0 ? asUtc - offsets[0]! : Math.min(...instants);
}

export function isTimeZone(zone: string): boolean {
  try {
    return formatIn(zone) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
