import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PostgresFailed } from "../errors.ts";
import { evenChunks, withOptions } from "./copy-in.ts";
import { chunks } from "./testing/toc.ts";

describe("evenChunks", () => {
  it("keeps every byte, makes no piece huge, and none tiny but the last and those before a large one", async () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(200_000), fc.constant(2_500_000)), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const input = lengths.map((length, index) => Buffer.alloc(length, index + 1));
        const output: Buffer[] = [];
        for await (const piece of evenChunks(chunks(input))) output.push(piece);
        expect(Buffer.concat(output).equals(Buffer.concat(input))).toBe(true);
        expect(output.every((piece) => piece.length > 0 && piece.length <= 1024 * 1024)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("joins small chunks", async () => {
    const output: number[] = [];
    for await (const piece of evenChunks(chunks(Array.from({ length: 100 }, () => Buffer.alloc(1000))))) {
      output.push(piece.length);
    }
    expect(output.length).toBeLessThanOrEqual(2);
  });
});

describe("withOptions", () => {
  it("names the data's encoding in the statement, unless it is ours", () => {
    expect(withOptions("COPY s.t (a) FROM stdin;\n", "UTF8", false)).toBe("COPY s.t (a) FROM stdin;\n");
    expect(withOptions("COPY s.t (a) FROM stdin;\n", "SJIS", false)).toBe(
      "COPY s.t (a) FROM stdin WITH (ENCODING 'SJIS');",
    );
    expect(withOptions('COPY s."x FROM stdin;\n" (a) FROM stdin;\n', "SJIS", false)).toBe(
      `COPY s."x FROM stdin;\n" (a) FROM stdin WITH (ENCODING 'SJIS');`,
    );
    expect(() => withOptions("COPY t FROM stdin WITH (FORMAT csv);", "SJIS", false)).toThrow(PostgresFailed);
  });
});
