/** Cuts a PostgreSQL timestamp or date, as text, down to a unit: date_trunc (timestamp.c) in the offset it is written with. */
import type { ColumnChange } from "../policy/model.ts";

export type TruncateUnit = Extract<ColumnChange, { kind: "truncate" }>["unit"];

const shape = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):\d\d:\d\d(?:\.\d+)?)?([+-]\d\d(?::\d\d){0,2})?( BC)?$/;

/** The text cut down to `unit`; infinities and texts that are no timestamps come back as they are. */
export function truncateTime(text: string, unit: TruncateUnit): string {
  const parts = shape.exec(text);
  if (!parts) return text;
  const [, year = "", month = "", day = "", hour, offset = "", era = ""] = parts;
  const date = truncateDate({ year, month, day, era }, unit);
  const time = hour === undefined ? "" : ` ${unit === "hour" ? hour : "00"}:00:00`;
  return `${date}${time}${offset}${era}`;
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
