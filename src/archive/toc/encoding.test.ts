import { describe, expect, it } from "vitest";
import { decoderFor, quotedValue } from "./encoding.ts";

const bytes = (...codes: number[]) => Buffer.from(codes);

describe("decoders", () => {
  it("reads UTF8 strictly", () => {
    expect(decoderFor("UTF8")(Buffer.from("Tâblé 😀"))).toBe("Tâblé 😀");
    expect(decoderFor("UTF8")(Buffer.from("\ufeffx"))).toBe("\ufeffx");
    expect(() => decoderFor("UTF8")(bytes(0x41, 0xff))).toThrow(
      expect.objectContaining({ code: "undecodable_text" }) as Error,
    );
  });

  it("names neither bytes nor text when it refuses", () => {
    expect(() => decoderFor("UTF8")(Buffer.from("jan@voorbeeld.nl\xff", "latin1"))).toThrow(/^(?!.*voorbeeld)/);
  });

  it("takes SQL_ASCII for UTF-8 or refuses (trap 27)", () => {
    expect(decoderFor("SQL_ASCII")(Buffer.from("é"))).toBe("é");
    expect(() => decoderFor("SQL_ASCII")(bytes(0xff, 0xfe))).toThrow(
      expect.objectContaining({ code: "undecodable_text" }) as Error,
    );
  });

  it.each([
    ["LATIN1", [0x80, 0x9f, 0xe9], "\u0080\u009fé"],
    ["LATIN5", [0xd0, 0xfe, 0xe9, 0x80], "Ğşé\u0080"],
    ["LATIN9", [0xa4], "€"],
    ["WIN1252", [0x80, 0x9f, 0x93, 0xe9], "€Ÿ“é"],
    ["WIN1251", [0xc6], "Ж"],
    ["KOI8R", [0xd6], "ж"],
    ["SJIS", [0x95, 0x5c, 0x41], "表A"],
    ["EUC_JP", [0xc9, 0xbd], "表"],
    ["EUC_JP", [0x8f, 0xa2, 0xc3], "\uffe4"],
    ["EUC_CN", [0xa1, 0xaa], "\u2015"],
    ["EUC_KR", [0xc7, 0xd1], "한"],
    ["GBK", [0x95, 0x5c], "昞"],
    ["GB18030", [0x81, 0x30, 0x81, 0x30], "\u0080"],
  ])("reads %s", (encoding, codes, text) => {
    expect(decoderFor(encoding)(Buffer.from(codes))).toBe(text);
  });

  it.each(["SJIS", "WIN866"])(
    "refuses the control characters that ICU swaps in %s, but not in ASCII texts",
    (encoding) => {
      const letter = encoding === "SJIS" ? [0x95, 0x5c] : [0x86];
      expect(() => decoderFor(encoding)(bytes(...letter, 0x7f))).toThrow(/cannot be decoded/);
      expect(decoderFor(encoding)(bytes(0x41, 0x7f))).toBe("A\x7f");
    },
  );

  it.each([[[0xa3, 0xa0]], [[0xa8, 0xbc]]])("refuses what editions of GB18030 disagree on", (codes) => {
    expect(() => decoderFor("GB18030")(Buffer.from(codes))).toThrow(/cannot be decoded/);
  });

  it.each(["EUC_TW", "MULE_INTERNAL", "JOHAB", "SHIFT_JIS_2004", "EUC_JIS_2004", "BIG5", "UHC", "LATIN10"])(
    "refuses %s by name",
    (encoding) => {
      expect(() => decoderFor(encoding)).toThrow(
        expect.objectContaining({ code: "unsupported_encoding", message: expect.stringContaining(encoding) }) as Error,
      );
    },
  );

  it("does not repeat a name that is none", () => {
    expect(() => decoderFor("jan@voorbeeld.nl")).toThrow(/: an unknown name$/);
  });
});

describe("quotedValue", () => {
  it("takes what stands between the first quotes", () => {
    expect(quotedValue(Buffer.from("SET client_encoding = 'SJIS';\n"))).toBe("SJIS");
    expect(quotedValue(Buffer.from("nothing"))).toBeNull();
    expect(quotedValue(null)).toBeNull();
  });
});
