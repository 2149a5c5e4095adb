import { describe, expect, test } from "vitest";
import { makePeople } from "./marketplace-people.ts";
import type { RowFate } from "./marketplace-person.ts";

const snapshot = new Date("2026-11-20T02:30:00Z");
const { people, lines } = makePeople(snapshot);
const everyone = Object.values(people);

function fates(role: keyof typeof people): Set<RowFate> {
  return new Set(Object.values(people[role].rows).flatMap((counts) => Object.keys(counts) as RowFate[]));
}

describe("the known people", () => {
  test("every row of theirs is accounted for, the shared ghost account excepted", () => {
    const counted = everyone.flatMap(({ rows }) => Object.values(rows)).flatMap((counts) => Object.values(counts));
    const written = Object.values(lines).reduce((sum, table) => sum + table.length, 0);
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(written - 1);
  });

  test("one is erased down to the third foreign key below a lead", () => {
    expect(people.erased.rows.leads).toEqual({ erased: 3 });
    expect(people.erased.rows.lead_notes).toEqual({ erased: 3 });
    expect(people.erased.rows.lead_note_files).toEqual({ erased: 3 });
    expect(people.erased.rows.invoices).toEqual({ retained: 1 });
    const leads = lines.leads.filter((line) => line.includes("Femke de Vries\tF") || line.includes("xn--"));
    expect(leads.map((line) => line.split("\t")[3])).toEqual(["\\N", "\\N"]);
  });

  test("one is in the thirty days, one came back, one only has the same name", () => {
    expect(fates("pending")).toContain("pending");
    expect(people.returned.rows.leads).toEqual({ erased: 1, kept: 1 });
    expect(people.returned.rows.users).toEqual({ kept: 1 });
    expect([...fates("kept")]).toEqual(["kept"]);
    expect(people.kept.name).toBe(people.erased.name);
    expect(people.kept.request).toBeNull();
  });

  test("requests came in after the snapshot, the returned person's long before", () => {
    const since = (time: string | undefined): number => (Date.parse(time ?? "") - snapshot.getTime()) / 3_600_000;
    expect(since(people.erased.request?.requested_at)).toBe(1);
    expect(since(people.erased.released?.at)).toBe(2);
    expect(since(people.returned.request?.requested_at)).toBe(-960);
    const requests = everyone.flatMap(({ request }) => (request === null ? [] : [request.request_id]));
    expect(new Set(requests).size).toBe(4);
  });
});
