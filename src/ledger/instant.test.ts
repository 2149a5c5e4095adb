import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatInstant, isInstant, parseInstant } from "./instant.ts";

describe("parseInstant", () => {
  test.each([
    ["2026-11-20T09:00:00Z", "2026-11-20T09:00:00.000Z"],
    ["2026-11-20t09:00:00z", "2026-11-20T09:00:00.000Z"],
    ["2026-11-20 10:00:00+01:00", "2026-11-20T09:00:00.000Z"],
    ["2026-11-20T03:30:00-05:30", "2026-11-20T09:00:00.000Z"],
    ["2026-11-20T09:00:00.5Z", "2026-11-20T09:00:00.500Z"],
    ["2026-11-20T09:00:00.123Z", "2026-11-20T09:00:00.123Z"],
    ["2026-11-20T09:00:00.123000Z", "2026-11-20T09:00:00.123Z"],
    ["2026-11-20T09:00:00.123001Z", "2026-11-20T09:00:00.124Z"],
    ["2026-12-31T23:59:59.9995Z", "2027-01-01T00:00:00.000Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["0050-01-01T00:00:00Z", "0050-01-01T00:00:00.000Z"],
  ])("%s", (text, expected) => {
    expect(parseInstant(text)?.toISOString()).toBe(expected);
  });

  test.each([
    "",
    "2026-11-20",
    "2026-11-20T09:00:00",
    "2026-11-20T09:00Z",
    "2026-02-30T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-06-30T23:59:60Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+0100",
    " 2026-01-01T00:00:00Z",
    "20 november 2026",
  ])("refuses %j", (text) => {
    expect(parseInstant(text)).toBeNull();
  });
});

test("isInstant takes what formatInstant writes, and nothing else", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
      expect(isInstant(formatInstant(date))).toBe(true);
      expect(parseInstant(formatInstant(date))).toEqual(date);
    }),
  );
  expect(isInstant("2026-11-20T09:00:00Z")).toBe(false);
  expect(isInstant("2026-11-20T10:00:00+01:00")).toBe(false);
  expect(isInstant("2026-02-30T09:00:00.000Z")).toBe(false);
  expect(isInstant(0)).toBe(false);
});
