/** Promise 2 over generated tables: rows that stay are the bytes that came in, in their order, and every row is counted. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyText, sanitised, tinyArchive, tinyPlan, type Value } from "./testing/tiny-dump.ts";

/** Ids of erased people are even, others odd. */
const person = fc.integer({ min: 1, max: 40 });
const text = fc.oneof(
  fc.constant(null),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", "\\.", "\\N", "\t\n\r\\", "2", "\\2", " 2", "2\n", "02"),
);
const fillers = fc.integer({ min: 0, max: 4 });

const scenario = fillers.chain((before) =>
  fillers.chain((after) =>
    fc.record({
      before: fc.constant(before),
      after: fc.constant(after),
      rows: fc.array(
        fc.record({
          id: fc.option(person, { nil: null }),
          front: fc.array(text, { minLength: before, maxLength: before }),
          back: fc.array(text, { minLength: after, maxLength: after }),
        }),
        { maxLength: 60 },
      ),
      chunk: fc.integer({ min: 1, max: 300 }),
      action: fc.constantFrom("delete", "anonymise"),
    }),
  ),
);

const erased = Array.from({ length: 20 }, (_, n) => String((n + 1) * 2));

describe("sanitised rows", () => {
  it("are the kept rows byte for byte, whatever the chunks, and all are counted", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ before, after, rows, chunk, action }) => {
        const column = (n: number): string => `c${n} text`;
        const columns = [
          ...Array.from({ length: before }, (_, n) => column(n)),
          "person bigint",
          ...Array.from({ length: after }, (_, n) => column(before + n)),
        ];
        const values = rows.map(({ id, front, back }): Value[] => [...front, id, ...back]);
        const archive = await tinyArchive([{ name: "t", columns, rows: values }], chunk);
        const rule = `match: { account_id: person }, no_time: erase, action: ${action}${action === "anonymise" ? ", set: { person: null }" : ""}`;
        const plan = await tinyPlan(archive, `version: 1\ntables: { public.t: { ${rule} } }`, [
          { keys: { account_id: erased } },
        ]);
        const { text: kept, tally } = await sanitised(archive, plan);
        const gone = (id: number | null): boolean => id !== null && id % 2 === 0;
        const expected = rows.flatMap(({ id, front, back }) =>
          gone(id) ? (action === "delete" ? [] : [[...front, null, ...back]]) : [[...front, id, ...back]],
        );
        expect(kept.get("t")).toBe(copyText(expected).toString());
        const hit = rows.filter(({ id }) => gone(id)).length;
        expect(tally.table(200)).toMatchObject({
          read: rows.length,
          kept: rows.length - hit,
          erased: action === "delete" ? hit : 0,
          anonymised: action === "delete" ? 0 : hit,
        });
      }),
      { numRuns: 150 },
    );
  });
});
