/** Cuts a PostgreSQL timestamp or date, as text, down to a unit, as date_trunc(unit, value, zone) of timestamp.c does. */
import type { ColumnChange } from "../policy/model.ts";
import { earliestInstant, instantOf, offsetAt } from "./zoned-time.ts";

export type TruncateUnit = Extract<ColumnChange, { kind: "truncate" }>["unit"];

const shape = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):\d\d:\d\d(?:\.\d+)?)?([+-]\d\d(?::\d\d){0,2})?( BC)?$/;

/**
 * The text cut down to `unit`; infinities and texts that are no timestamps come back as they are. A time with an offset is
 * cut by the clocks of `zone` and written with the offset they then have; one without is cut as it stands.
 */
export function truncateTime(text: string, unit: TruncateUnit, zone: string): string {
  const parts = shape.exec(text);
  if (!parts) return text;
  const [, year = "", month = "", day = "", hour, offset, era = ""] = parts;
  if (offset !== undefined && era === "") return truncateInstant(text, unit, zone);
  const date = truncateDate({ year, month, day, era }, unit);
  const time = hour === undefined ? "" : ` ${unit === "hour" ? hour : "00"}:00:00`;
  return `${date}${time}${offset ?? ""}${era}`;
}

function truncateInstant(text: string, unit: TruncateUnit, zone: string): string {
  const instant = Math.floor(instantOf(text, zone)! / 1000);
  const wall = new Date(instant + offsetAt(instant, zone));
  const [day = "", time = ""] = wall.toISOString().split("T");
  const sign = day.startsWith("+") ? 7 : 4;
  const year = day.slice(day.startsWith("+") ? 1 : 0, sign).replace(/^0+(?=\d{4})/, "");
  const date = truncateDate({ year, month: day.slice(sign + 1, sign + 3), day: day.slice(sign + 4), era: "" }, unit);
  const hour = unit === "hour" ? time.slice(0, 2) : "00";
  const [y = 0, month = 0, dayOfMonth = 0] = date.split("-").map(Number);
  const cut = earliestInstant({ year: y, month, day: dayOfMonth, hour: Number(hour), minute: 0, second: 0 }, zone);
  return `${date} ${hour}:00:00${offsetText(offsetAt(cut, zone) / 1000)}`;
}

/** An offset as EncodeTimezone of datetime.c writes it: +01, -03:30. */
function offsetText(seconds: number): string {
  const size = Math.abs(seconds);
  const parts = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60].map((part) =>
    String(part).padStart(2, "0"),
  );
  while (parts.length > 1 && parts.at(-1) === "00") parts.pop();
  return (seconds < 0 ? "-" : "+") + parts.join(":");
}

function truncateDate(date: { year: string; month: string; day: string; era: string }, unit: TruncateUnit): string {
  const { year, month, day, era } = date;
  if (unit === "year") return `${year}-01-01`;
  if (unit === "month") return `${year}-${month}-01`;
  if (unit === "quarter") return `${year}-${String(Math.floor((Number(month) - 1) / 3) * 3 + 1).padStart(2, "0")}-01`;
  if (unit !== "week") return `${year}-${month}-${day}`;
  const monday = new Date(0);
  monday.setUTCFullYear(era === "" ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day));
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7));
  const shown = monday.getUTCFullYear() > 0 ? monday.getUTCFullYear() : 1 - monday.getUTCFullYear();
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${String(shown).padStart(4, "0")}-${two(monday.getUTCMonth() + 1)}-${two(monday.getUTCDate())}`;
}
