import { describe, expect, it } from "vitest";
import { parentsFirst } from "./closure.ts";
import { KeySet } from "./key-set.ts";
import { redactText } from "./redact.ts";
import { textCodec } from "./text-codec.ts";
import { truncateTime } from "./truncate-time.ts";
import { earliestInstant, instantOf, isTimeZone } from "./zoned-time.ts";

const micros = (iso: string): number => Date.parse(iso) * 1000;

describe("instants", () => {
  it.each([
    ["2026-11-20 09:00:00+00", "2026-11-20T09:00:00Z"],
    ["2026-11-20 09:00:00+05:30", "2026-11-20T03:30:00Z"],
    ["1880-01-01 00:19:32+00:19:32", "1880-01-01T00:00:00Z"],
    ["2026-07-01 12:00:00", "2026-07-01T10:00:00Z"],
    ["2026-01-01 12:00:00", "2026-01-01T11:00:00Z"],
    ["2026-10-25 02:30:00", "2026-10-25T00:30:00Z"],
    ["2026-03-29 02:30:00", "2026-03-29T01:30:00Z"],
    ["2026-03-29", "2026-03-28T23:00:00Z"],
  ])("%s, read in Amsterdam", (text, iso) => {
    expect(instantOf(text, "Europe/Amsterdam")).toBe(micros(iso));
  });

  it("keep microseconds, infinities and years before Christ in order", () => {
    expect(instantOf("2026-11-20 09:00:00.000001+00", "UTC")! - micros("2026-11-20T09:00:00Z")).toBe(1);
    expect(instantOf("infinity", "UTC")).toBe(Number.POSITIVE_INFINITY);
    expect(instantOf("-infinity", "UTC")).toBe(Number.NEGATIVE_INFINITY);
    expect(instantOf("0044-03-15 12:00:00+00 BC", "UTC")!).toBeLessThan(instantOf("0001-01-01 00:00:00+00", "UTC")!);
    expect(instantOf("yesterday", "UTC")).toBeNull();
    expect(
      earliestInstant({ year: 2026, month: 11, day: 23, hour: 6, minute: 23, second: 48 }, "America/New_York"),
    ).toBe(Date.parse("2026-11-23T11:23:48Z"));
    expect(isTimeZone("Europe/Amsterdam")).toBe(true);
    expect(isTimeZone("Europe/Nowhere")).toBe(false);
  });
});

describe("truncated times", () => {
  it.each([
    ["2026-03-17 10:11:12.5+01", "month", "2026-03-01 00:00:00+01"],
    ["2026-03-17 10:11:12.5+01", "hour", "2026-03-17 10:00:00+01"],
    ["2026-03-17 10:11:12", "day", "2026-03-17 00:00:00"],
    ["2026-03-17", "year", "2026-01-01"],
    ["2026-08-17", "quarter", "2026-07-01"],
    ["2026-03-01", "week", "2026-02-23"],
    ["2024-02-29", "week", "2024-02-26"],
    ["0044-03-15 12:00:00+00 BC", "month", "0044-03-01 00:00:00+00 BC"],
    ["infinity", "month", "infinity"],
    // by the clocks of Amsterdam, summer and winter, whatever the offset it came with
    ["2026-07-15 12:00:00+02", "year", "2026-01-01 00:00:00+01"],
    ["2026-07-31 23:30:00+00", "month", "2026-08-01 00:00:00+02"],
    ["2026-10-25 00:30:00+00", "hour", "2026-10-25 02:00:00+02"],
  ] as const)("%s to the %s", (text, unit, expected) => {
    expect(truncateTime(text, unit, "Europe/Amsterdam")).toBe(expected);
  });
});

describe("redaction", () => {
  it("takes addresses, numbers and names in any case, whole and in part", () => {
    const text = "Jan de Vries (JAN.DE.VRIES@voorbeeld.nl, 06-12345678, +31 6 1234 5678) zei: vraag de heer VRIES.";
    expect(redactText(text, ["email", "phone", "names"], ["Jan de Vries"])).toBe(
      "[redacted] ([redacted], [redacted], [redacted]) zei: vraag de heer [redacted].",
    );
  });

  it("finds names whose accents stand apart", () => {
    expect(redactText("groet, Jose\u0301", ["names"], ["Jos\u00e9"])).toBe("groet, [redacted]");
    expect(redactText("cafe\u0301", ["names"], ["Jan"])).toBe("cafe\u0301");
  });

  it("leaves other words, years, prices and particles alone", () => {
    const text = "Januari 2026: de cursus kost 1.250,00; kamer 0612, order 20261123-0001.";
    expect(redactText(text, ["email", "phone", "names"], ["Jan de Vries"])).toBe(text);
  });

  it("stops at the end of a number", () => {
    expect(redactText("bel 0612345678 2 personen, 020-123 45 67 na 18 uur", ["phone"], [])).toBe(
      "bel [redacted] 2 personen, [redacted] na 18 uur",
    );
  });

  it("does what it is asked and no more", () => {
    expect(redactText("a@b.nl 0612345678", ["phone"], [])).toBe("a@b.nl [redacted]");
  });
});

describe("the order of reading", () => {
  it("puts parents first and cycles together", () => {
    const graph = new Map([
      ["notes", new Set(["leads"])],
      ["leads", new Set(["users"])],
      ["users", new Set<string>()],
      ["a", new Set(["b", "users"])],
      ["b", new Set(["a"])],
    ]);
    const order = parentsFirst(graph);
    const place = (name: string): number => order.findIndex((group) => group.includes(name));
    expect(place("users")).toBeLessThan(place("leads"));
    expect(place("leads")).toBeLessThan(place("notes"));
    expect(place("a")).toBe(place("b"));
    expect(place("users")).toBeLessThan(place("a"));
  });

  it("survives a chain of a hundred thousand", () => {
    const length = 100_000;
    const graph = new Map(
      Array.from({ length }, (_, n) => [String(n), new Set(n + 1 < length ? [String(n + 1)] : [])] as const),
    );
    expect(parentsFirst(graph)[0]).toEqual([String(length - 1)]);
  });
});

describe("sets of keys", () => {
  it("hold bytes exactly, through growth and equal hashes", () => {
    for (const hash of [(bytes: Uint8Array) => bytes.length, () => 7]) {
      const set = new KeySet(hash);
      for (let n = 0; n < 500; n++) set.set(Buffer.from(`key ${n}`), n);
      set.set(Buffer.from("key 7"), -1);
      expect(set.size).toBe(500);
      expect(set.get(Buffer.from("key 7"))).toBe(-1);
      expect(set.get(Buffer.from("key 499"))).toBe(499);
      expect(set.get(Buffer.from("key 500"))).toBeUndefined();
      expect(set.get(Buffer.alloc(0))).toBeUndefined();
    }
  });
});

describe("text codecs", () => {
  it("write what they read, also bytes of no known encoding", () => {
    const bytes = Buffer.from([0x41, 0xff, 0xfe, 0xe9, 0x42]);
    const unknown = textCodec("SQL_ASCII");
    expect(unknown.encode(unknown.decode(bytes)).equals(bytes)).toBe(true);
    const latin = textCodec("LATIN1");
    expect(latin.encode(latin.decode(bytes)).equals(bytes)).toBe(true);
    expect(() => latin.encode("€")).toThrow(expect.objectContaining({ code: "encoding" }));
  });
});
