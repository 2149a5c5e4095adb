/** Points in time as the ledger writes them: RFC 3339, UTC, milliseconds. Naive times do not exist here. */

/** How far a clock may run ahead of another one before its times are refused. Milliseconds. */
export const CLOCK_SKEW_MS = 5 * 60 * 1000;

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|([+-])(\d\d):(\d\d))$/;

/**
 * Reads an RFC 3339 date and time with zone; `null` for anything else, and for dates that do not exist. Fractions finer
 * than a millisecond are rounded up: a cut-off must not fall before the instant that was asked for.
 */
export function parseInstant(text: string): Date | null {
  const match = RFC_3339.exec(text);
  if (match === null) {
    return null;
  }
  const part = (group: number) => Number(match[group] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const [hour, minute, second] = [part(4), part(5), part(6)];
  const offsetHours = part(10);
  const offsetMinutes = part(11);
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59) {
    return null;
  }
  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day);
  if (local.getUTCMonth() !== month - 1 || local.getUTCDate() !== day) {
    return null;
  }
  const milliseconds = Math.ceil(Number((match[7] ?? "").padEnd(9, "0")) / 1e6);
  local.setUTCHours(hour, minute, second, milliseconds);
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000 * (match[9] === "-" ? -1 : 1);
  return new Date(local.getTime() - offset);
}

/** `2026-11-20T09:00:00.000Z`. */
export function formatInstant(at: Date): string {
  return at.toISOString();
}

/** Whether a text is an instant exactly as {@link formatInstant} writes it. */
export function isInstant(text: unknown): text is string {
  return typeof text === "string" && text.length === 24 && parseInstant(text)?.toISOString() === text;
}
